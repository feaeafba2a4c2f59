"""One module a version, in order. A version that was released is never changed."""

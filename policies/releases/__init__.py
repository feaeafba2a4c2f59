"""The ways of words out of a private room."""

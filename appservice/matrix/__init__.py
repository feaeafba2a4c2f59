"""Matrix: the homeserver's client-server API as one of our own users, and what it sends us back."""

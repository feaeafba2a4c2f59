"""Setting up: the configuration, what the homeserver is told of us, and whether it does what we need."""

"""The HTTP server: the homeserver's transactions, the provisioning API, health and metrics."""

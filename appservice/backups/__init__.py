"""Backups: taken while the service runs, restored into an empty database, as a new epoch."""

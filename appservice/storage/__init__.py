"""What we keep: one schema on SQLite and PostgreSQL, and the stores over it."""

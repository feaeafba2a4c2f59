"""What mediators can say: each command with its form, its reader and its act, one module a subject (`vocabulary`)."""

"""What reaches people outside of Matrix: what may be sent, when, and what became of it."""

"""What is looked at and mended now and then, and what an administrator is told of it."""

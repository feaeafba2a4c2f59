"""Files that were handed in: what becomes of them, and who may see which."""

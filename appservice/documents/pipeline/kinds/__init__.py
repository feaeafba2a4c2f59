"""One module for each family of kinds: is it really one, and the harmless version of it. They run confined only."""

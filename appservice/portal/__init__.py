"""The page behind the links, in the process: what it shows, and what is done on it."""

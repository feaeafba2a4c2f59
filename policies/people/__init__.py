"""Who takes part, as what, how they come and go, and who reads which conversation."""

"""What Mediatrix costs and how fast it is, as ratios to the homeserver it lives with, measured in one run."""

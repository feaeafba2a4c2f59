"""How things are said: phrases, languages, clocks, and foreign text made harmless."""

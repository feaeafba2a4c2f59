"""A small page for people who read by links: their own rooms, their questions, and an answer. No script needed."""

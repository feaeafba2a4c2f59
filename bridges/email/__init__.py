"""Email as a way to take part: LMTP in, SMTP out, one unguessable address for each party and room."""

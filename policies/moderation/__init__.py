"""How a mediation is run: its agreement, its course, who may speak, and what is held."""

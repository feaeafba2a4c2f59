"""What a mediator did last, and how it is taken back."""

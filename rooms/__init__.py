"""What happens: use cases over ports. Knows the policies and its own ports, nothing else."""

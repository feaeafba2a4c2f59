"""What is right: pure decisions over plain values; no clock, randomness, network or storage."""

"""The master key of the tests."""

MASTER = bytes(range(32))

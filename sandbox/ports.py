"""Loopback ports for the sandbox's servers: free ones, and a clear word about taken ones."""

import errno
import secrets
import socket

LOOPBACK = "127.0.0.1"

_FIRST, _LAST = 15_000, 32_767
"""Below those that Linux gives to outgoing connections: a port among them can be taken, between being found free and
being listened on or while its server is restarted, by any connection of any program, even by a client's own that
knocks at it meanwhile."""
_given: set[int] = set()
"""Marked for other processes of ours: to our end we hold the UDP port of the same number, which nobody uses."""


class PortTaken(Exception):
    """Another program listens on the port that a sandbox server was told to use."""

    def __init__(self, port: int, purpose: str) -> None:
        super().__init__(f"port {port} on {LOOPBACK}, wanted for {purpose}, is taken by another program")
        self.port = port
        self.purpose = purpose


def free_port() -> int:
    """A loopback port that nobody listens on at this moment, and that this process was not given before."""
    return free_ports_in_a_row(1)


def free_ports_in_a_row(count: int) -> int:
    """The first of so many loopback ports in a row, all of them as from `free_port`."""
    while True:
        first = _FIRST + secrets.randbelow(_LAST - count - _FIRST)
        row = range(first, first + count)
        if _given.isdisjoint(row) and all(map(_is_free, row)) and all(map(_mark, row)):
            _given.update(row)
            return first


def require_free(port: int, purpose: str) -> None:
    """Raises PortTaken when the port can't be listened on; `purpose` completes "wanted for …"."""
    if not _is_free(port):
        raise PortTaken(port, purpose)


def _mark(port: int) -> bool:
    """Whether no other process has."""
    mark = socket.socket(type=socket.SOCK_DGRAM)
    try:
        mark.bind((LOOPBACK, port))
    except OSError:
        mark.close()
        return False
    mark.detach()
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
        return True

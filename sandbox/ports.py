"""Loopback ports for the sandbox's servers: free ones, and a clear word about taken ones."""

import errno
import socket

LOOPBACK = "127.0.0.1"


class PortTaken(Exception):
    """Another program listens on the port that a sandbox server was told to use."""

    def __init__(self, port: int, purpose: str) -> None:
        super().__init__(f"port {port} on {LOOPBACK}, wanted for {purpose}, is taken by another program")
        self.port = port
        self.purpose = purpose


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def require_free(port: int, purpose: str) -> None:
    """Raises PortTaken when the port can't be listened on; `purpose` completes "wanted for …"."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortTaken(port, purpose) from None

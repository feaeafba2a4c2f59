"""Who is really calling, when a reverse proxy stands between."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address

from aiohttp import web

Network = IPv4Network | IPv6Network


class TrustedProxies:
    """The networks whose `X-Forwarded-For` is believed; nobody else's is."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self._networks = tuple(networks)

    def caller(self, request: web.Request) -> str:
        """The IP address of the caller: the nearest one that is not a trusted proxy, "unknown" where there is none."""
        nearest = request.remote or "unknown"
        forwarded = [hop.strip() for line in request.headers.getall("X-Forwarded-For", ()) for hop in line.split(",")]
        while forwarded and self._trusts(nearest):
            hop = forwarded.pop()
            if not _is_address(hop):
                break
            nearest = hop
        return nearest

    def _trusts(self, address: str) -> bool:
        if not _is_address(address):
            return False
        parsed = ip_address(address)
        return any(parsed.version == network.version and parsed in network for network in self._networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True

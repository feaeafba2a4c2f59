"""The server: its routes put together, and its listening socket."""

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from appservice.web.bearer import TokenGate
from appservice.web.errors import answer_errors
from appservice.web.health import HealthApi
from appservice.web.ports import Metrics, Provisioning, Readiness, SelfCheck, TransactionStore, Trusting
from appservice.web.provisioning import ProvisioningApi
from appservice.web.proxies import TrustedProxies
from appservice.web.transactions import HomeserverApi

SHUTDOWN_TIMEOUT: Final = 10.0
"""Seconds that requests in flight have to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """What the server needs to know of the configuration."""

    hs_token: str
    provisioning_token: str
    public_base_url: str
    proxies: TrustedProxies


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPorts:
    """What the server needs of the rest of the service."""

    transactions: TransactionStore
    readiness: Readiness
    metrics: Metrics
    provisioning: Provisioning
    trust: Trusting
    check: SelfCheck
    status: SelfCheck
    pages: Sequence[web.RouteDef] = ()
    """The routes of pages that people open, and of what other networks call."""


def application(settings: WebSettings, ports: WebPorts) -> web.Application:
    """All routes, behind the middleware that gives every error its shape."""
    proxies = settings.proxies
    homeserver_gate = TokenGate(settings.hs_token, proxies, in_query=True)
    provisioning_gate = TokenGate(settings.provisioning_token, proxies)
    app = web.Application(middlewares=[answer_errors])
    app.add_routes(HomeserverApi(homeserver_gate, ports.transactions, ports.metrics.registry).routes())
    app.add_routes(HealthApi(ports.readiness, ports.metrics).routes())
    provisioning = ProvisioningApi(
        provisioning_gate,
        ports.provisioning,
        ports.trust,
        check=ports.check,
        status=ports.status,
        public_base_url=settings.public_base_url,
    )
    app.add_routes(provisioning.routes())
    app.add_routes(ports.pages)
    return app


class CannotListenError(OSError):
    """The configured address can't be listened on; the message names it."""


class WebServer:
    """An application on a listening socket. `start`, then `stop`; both once."""

    def __init__(self, app: web.Application, host: str, port: int) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT)
        self._host, self._port = host, port

    async def start(self) -> int:
        """Listen; the port, which is a free one if 0 was asked for. Raises CannotListenError."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            what = "is taken" if error.errno == errno.EADDRINUSE else "can't be used"
            raise CannotListenError(f"the port {self._host}:{self._port} {what}") from error
        address = self._runner.addresses[0]
        return int(address[1])

    async def stop(self) -> None:
        """Stop listening, let requests in flight end, close."""
        await self._runner.cleanup()

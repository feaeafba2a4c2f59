"""Whether the process lives, whether it is of use, and its numbers."""

import logging
from http import HTTPStatus

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from appservice.web.ports import Metrics, Readiness

log = logging.getLogger(__name__)


class HealthApi:
    """`/live`, `/ready` and `/metrics`. No token: a reverse proxy keeps them inside."""

    def __init__(self, readiness: Readiness, metrics: Metrics) -> None:
        self._readiness = readiness
        self._metrics = metrics

    def routes(self) -> list[web.RouteDef]:
        """What is served."""
        return [
            web.get("/live", self._live),
            web.get("/ready", self._ready),
            web.get("/metrics", self._numbers),
        ]

    async def _live(self, _: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def _ready(self, _: web.Request) -> web.Response:
        problems = await self._readiness.problems()
        status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
        return web.json_response({"ready": not problems, "problems": list(problems)}, status=status)

    async def _numbers(self, _: web.Request) -> web.Response:
        await self._metrics.refresh()
        return web.Response(body=generate_latest(self._metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

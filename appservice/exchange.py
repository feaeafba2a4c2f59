"""Does on the network what an Olm machine asks for, and takes the answers in."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import UTC, datetime

from appservice import replaced, unsigned
from appservice.crypto.machine import OlmMachine
from appservice.crypto.requests import Answer, Http, KeysQuery, Outcome, OutgoingRequest, Request, Settled
from appservice.matrix.errors import NO_ANSWER, MatrixError
from appservice.matrix.homeserver import Homeserver
from appservice.ports import ServiceDatabase, ServiceWork
from rooms.homeserver import Trouble


def now_ms() -> int:
    """The time, in milliseconds since the epoch."""
    return int(time.time() * 1000)


class Exchange:
    """Between the machines and the homeserver. No unit of work is open while the homeserver is being called."""

    def __init__(self, database: ServiceDatabase, matrix: Homeserver) -> None:
        self._database, self._matrix = database, matrix

    async def send_all(self, machine: OlmMachine, requests: Collection[OutgoingRequest], *, must: bool = False) -> None:
        """Send what was written down; with `must`, what fails is Trouble rather than something for later."""
        for request in requests:
            try:
                await self.send(machine, request)
            except Trouble:
                if must:
                    raise
                return

    async def send(self, machine: OlmMachine, request: Request) -> Settled:
        """Send one request, and take its answer in. Raises Trouble if there was none, or a refusal."""
        answer = await self._call(request.http)
        async with self._database.begin() as work:
            if answer is None:
                if isinstance(request, OutgoingRequest):
                    await machine.mark_request_as_unanswered(work.crypto, request, now_ms=now_ms())
                outcome = None
            else:
                outcome = await machine.mark_request_as_sent(work.crypto, request, answer, now_ms=now_ms())
                if isinstance(request, KeysQuery):
                    await self._look(work, request, outcome)
        if isinstance(outcome, Settled):
            return outcome
        raise Trouble("the homeserver did not take what encryption needs", transient=True)

    async def _look(self, work: ServiceWork, query: KeysQuery, outcome: Outcome) -> None:
        """What follows from people's devices, stored with them."""
        people_asked, at = frozenset(query.generations), datetime.now(UTC)
        await unsigned.look(work, people_asked, at)
        await replaced.look(work, people_asked, outcome.replaced if isinstance(outcome, Settled) else (), at)

    async def _call(self, http: Http) -> Answer | None:
        try:
            content = await self._matrix.call(
                http.method, http.path, http.body, as_user=http.user_id, device=http.device_id
            )
        except MatrixError as error:
            return None if error.status == NO_ANSWER else Answer(error.status, {"errcode": error.errcode})
        return Answer(200, content)

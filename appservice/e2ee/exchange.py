"""Does on the network what an Olm machine asks for, and takes the answers in."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime
from typing import TypeVar

from appservice.crypto.ids import DeviceId, UserId
from appservice.crypto.machine import OlmMachine
from appservice.crypto.outbound import NeedsDevices, NeedsSessions
from appservice.crypto.requests import Answer, Http, KeysQuery, Outcome, OutgoingRequest, Request, Settled
from appservice.e2ee import replaced, unsigned
from appservice.matrix.errors import NO_ANSWER, MatrixError
from appservice.matrix.homeserver import Homeserver
from appservice.ports import ServiceDatabase, ServiceWork
from rooms.homeserver import Trouble

T = TypeVar("T")


def now_ms() -> int:
    """The time, in milliseconds since the epoch."""
    return int(time.time() * 1000)


Unreachable = Collection[tuple[UserId, DeviceId]]
"""Devices of which the homeserver has nothing that a session could begin with."""
_ROUNDS = 12
"""So many times something is asked for at most: a homeserver whose answers never suffice must not hold us for ever."""


class Exchange:
    """Between the machines and the homeserver. No unit of work is open while the homeserver is being called."""

    def __init__(self, database: ServiceDatabase, matrix: Homeserver) -> None:
        self._database, self._matrix = database, matrix

    async def settle(
        self,
        machine: OlmMachine,
        step: Callable[[ServiceWork, Unreachable], Awaitable[NeedsDevices | NeedsSessions | T]],
    ) -> T:
        """Take a step, each time in a unit of work of its own, until it needs nothing more from the network.

        Raises Trouble.
        """
        unreachable: set[tuple[UserId, DeviceId]] = set()
        for _ in range(_ROUNDS):
            async with self._database.begin() as work:
                found = await step(work, unreachable)
            match found:
                case NeedsDevices(query):
                    await self.send(machine, query)
                case NeedsSessions(claim):
                    unreachable |= (await self.send(machine, claim)).unreachable
                case _:
                    return found
        raise Trouble("the room's keys could not be shared", transient=True)

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

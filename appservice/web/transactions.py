"""What the homeserver calls (application service API, 2.3): transactions are stored before they are acknowledged.

    PUT transactions/{txn} → token → JSON → parse (never refuses an item's neighbours) → store, commit → 200

Where the homeserver has much to say, the answer comes a moment after the commit, and more gathers in the next.

Nothing is decided here. The only fault that may answer other than 200 is that nothing could be stored: Synapse
repeats a refused transaction, but without its to-device messages (element-hq/synapse#14710).
"""

import logging
from asyncio import sleep
from http import HTTPStatus
from typing import Final, NoReturn

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge

from appservice.matrix.ids import is_identifier
from appservice.matrix.transaction import parse
from appservice.web.bearer import TokenGate
from appservice.web.bodies import json_object
from appservice.web.errors import RequestRefused
from appservice.web.ports import TransactionStore

log = logging.getLogger(__name__)

MAX_TRANSACTION: Final = 64 * 1024 * 1024
"""Bytes. A transaction has at most 100 events and 100 to-device messages of at most 64 KiB each."""

MAX_PING: Final = 64 * 1024

SEVERAL: Final = 6
"""Events of a transaction with which a homeserver is taken to be busy, if the one before had as many, and fewer than
`ENOUGH`."""
ENOUGH: Final = 20
"""With so many, no more need gather in the next."""
GATHERING: Final = 0.06
"""Seconds in which more gather."""
_APP: Final = "/_matrix/app/v1"


class HomeserverApi:
    """The routes under `/_matrix/app/v1`, and the older ones without that prefix."""

    def __init__(self, gate: TokenGate, store: TransactionStore, registry: CollectorRegistry) -> None:
        self._gate = gate
        self._store = store
        self._had_several = False
        """Whether the last transaction had several events."""
        self._accepted = Counter("mediatrix_transactions", "Transactions stored and acknowledged.", registry=registry)
        self._last = Gauge("mediatrix_last_transaction_timestamp_seconds", "When the last came.", registry=registry)
        self._dropped = Counter(
            "mediatrix_transaction_items_dropped", "Items of transactions that could not be read.", registry=registry
        )

    def routes(self) -> list[web.RouteDef]:
        """What is served."""
        return [
            web.put(f"{_APP}/transactions/{{txn}}", self._transaction),
            web.put("/transactions/{txn}", self._transaction),
            web.post(f"{_APP}/ping", self._ping),
            *(web.get(f"{base}/{kind}/{{id}}", self._unknown) for base in (_APP, "") for kind in ("users", "rooms")),
        ]

    async def _transaction(self, request: web.Request) -> web.Response:
        self._gate.check(request)
        txn_id: str = request.match_info["txn"]
        if not is_identifier(txn_id):
            raise RequestRefused(HTTPStatus.BAD_REQUEST, "M_INVALID_PARAM", "that is no transaction id")
        transaction = parse(txn_id, await json_object(request, MAX_TRANSACTION))
        if transaction.dropped:
            log.warning("dropped %d unreadable items of a transaction", transaction.dropped)
            self._dropped.inc(transaction.dropped)
        await self._store.accept(transaction)
        self._accepted.inc()
        self._last.set_to_current_time()
        if self._is_busy(len(transaction.events)):
            await sleep(GATHERING)
        return web.json_response({})

    def _is_busy(self, events: int) -> bool:
        """Whether one that had so many events is answered later: each costs the homeserver the same, which sends the
        next when this is answered, with what has gathered by then."""
        has_several = SEVERAL <= events < ENOUGH
        is_busy, self._had_several = has_several and self._had_several, has_several
        return is_busy

    async def _ping(self, request: web.Request) -> web.Response:
        self._gate.check(request)
        await json_object(request, MAX_PING)
        return web.json_response({})

    async def _unknown(self, request: web.Request) -> NoReturn:
        # Our users and rooms are made by us when we want them, never because somebody asks for them.
        self._gate.check(request)
        raise RequestRefused(HTTPStatus.NOT_FOUND, "M_NOT_FOUND", "no such user or room")

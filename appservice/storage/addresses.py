"""The reply addresses of bridged people."""

from collections.abc import Mapping

from sqlalchemy import Executable, bindparam, select, update

from appservice.crypto.sealing import Sealer
from appservice.storage import schema
from appservice.storage.connections import Connection
from appservice.storage.errors import Conflict
from appservice.storage.statements import insert_new
from policies.case import CaseId, Conversation, EndpointId, Kind, SideId
from rooms.addresses import ReplyAddress

_table = schema.reply_addresses
# Built once: to build a statement anew costs more than to run it.
_VALID = select(_table).where(~_table.c.revoked)
_BY_HASH = _VALID.where(_table.c.token_hash == bindparam("hash"))
_OF_ROOM = _VALID.where(
    _table.c.case_id == bindparam("case"),
    _table.c.endpoint == bindparam("endpoint"),
    _table.c.kind == bindparam("kind"),
    _table.c.side == bindparam("side"),
)


class SqlReplyAddresses:
    """`rooms.ports.ReplyAddresses` within one database transaction."""

    def __init__(self, connection: Connection, sealer: Sealer) -> None:
        self._connection = connection
        self._sealer = sealer

    async def get(self, case: CaseId, endpoint: EndpointId, conversation: Conversation) -> ReplyAddress | None:
        side = conversation.side or ""
        return await self._first(
            _OF_ROOM, {"case": case, "endpoint": endpoint, "kind": conversation.kind, "side": side}
        )

    async def by_hash(self, token_hash: str) -> ReplyAddress | None:
        return await self._first(_BY_HASH, {"hash": token_hash})

    async def save(self, address: ReplyAddress, token_hash: str) -> None:
        values = {
            "token_hash": token_hash,
            "case_id": address.case,
            "person": address.person,
            "endpoint": address.endpoint,
            "kind": address.conversation.kind,
            "side": address.conversation.side or "",
            "sealed": self._sealer.seal("reply_addresses.sealed", token_hash, address.token.encode()),
            "revoked": False,
        }
        await self._connection.execute(insert_new(self._connection.dialect, _table, "token_hash"), values)
        if await self.by_hash(token_hash) != address:
            raise Conflict

    async def revoke(self, case: CaseId, endpoint: EndpointId) -> None:
        theirs = _table.c.case_id == case, _table.c.endpoint == endpoint
        await self._connection.execute(update(_table).where(*theirs).values(revoked=True))

    async def _first(self, statement: Executable, values: Mapping[str, str]) -> ReplyAddress | None:
        found = (await self._connection.execute(statement, values)).one_or_none()
        if found is None:
            return None
        return ReplyAddress(
            case=found.case_id,
            person=found.person,
            endpoint=found.endpoint,
            conversation=Conversation(Kind(found.kind), SideId(found.side) if found.side else None),
            token=self._sealer.open("reply_addresses.sealed", found.token_hash, found.sealed).decode(),
        )

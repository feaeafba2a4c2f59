"""The record's chains, and the key that signs their heads."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Row, bindparam, func, select

from appservice.crypto.sealing import Sealer, SealError
from appservice.storage import schema
from appservice.storage.connections import Connection
from appservice.storage.seals import (
    Seals,
    case_seal,
    existing_record_key,
    make_case_seal,
    open_text,
    record_key,
    row,
    seal_text,
)
from policies.case import CaseId
from policies.names import ConversationId
from rooms.record import Chain, Head, Line, Signature

_RECORD: Final = schema.record
_HEADS: Final = select(_RECORD.c.case_id, _RECORD.c.audience, _RECORD.c.seq, _RECORD.c.at, _RECORD.c.hash)
_HEAD: Final = (
    _HEADS.where(_RECORD.c.case_id == bindparam("case"), _RECORD.c.audience == bindparam("of"))
    .order_by(_RECORD.c.seq.desc())
    .limit(1)
)
_APPEND: Final = _RECORD.insert().inline()
_PURPOSE: Final = "record.private"


class SqlRecord:
    """`rooms.record.Record` within one database transaction. Private parts are sealed under the case's own key."""

    def __init__(self, connection: Connection, seals: Seals) -> None:
        self._connection, self._seals = connection, seals
        self._made: dict[CaseId, Sealer] = {}
        self._appended: dict[Chain, Head] = {}
        """The heads that were put on here: whoever appends has the case locked."""
        self.rules: list[str] = []
        """By which rules was decided in this unit of work."""

    async def head(self, case: CaseId, audience: ConversationId) -> Head | None:
        if appended := self._appended.get((case, audience)):
            return appended
        found = (await self._connection.execute(_HEAD, {"case": case, "of": audience})).one_or_none()
        return None if found is None else _head(found)

    async def heads(self, case: CaseId) -> tuple[Head, ...]:
        last = (
            select(_RECORD.c.audience, func.max(_RECORD.c.seq).label("seq"))
            .where(_RECORD.c.case_id == case)
            .group_by(_RECORD.c.audience)
            .subquery()
        )
        of_case = _RECORD.c.case_id == case, _RECORD.c.audience == last.c.audience, _RECORD.c.seq == last.c.seq
        found = await self._connection.execute(_HEADS.where(*of_case).order_by(_RECORD.c.audience))
        return tuple(map(_head, found))

    async def append(self, *lines: Line) -> None:
        await self._connection.execute(_APPEND, [await self._written(line) for line in lines])
        for line in lines:
            self._appended[line.case, line.audience] = Head(line.case, line.audience, line.seq, line.at, line.hash)
        self.rules.append(lines[0].rule)

    async def _written(self, line: Line) -> dict[str, object]:
        if line.case not in self._made:
            self._made[line.case] = await make_case_seal(self._connection, self._seals.sealer, line.case)
        return {
            "case_id": line.case,
            "audience": line.audience,
            "seq": line.seq,
            "at": line.at,
            "public": line.public,
            "hash": line.hash,
            "sealed": seal_text(self._made[line.case], _PURPOSE, _place(line), line.private or ""),
        }

    async def last(self, case: CaseId, most: int) -> tuple[Line, ...]:
        newest = select(_RECORD).where(_RECORD.c.case_id == case).order_by(_RECORD.c.ordinal.desc()).limit(most)
        seal = await case_seal(self._connection, self._seals.sealer, case)
        return tuple(_line(one, seal) for one in reversed((await self._connection.execute(newest)).all()))

    async def sign(self, text: str) -> Signature:
        private = Ed25519PrivateKey.from_private_bytes(await record_key(self._connection, self._seals.sealer))
        return Signature(_unpadded(private.public_key().public_bytes_raw()), _unpadded(private.sign(text.encode())))


async def public_key(connection: Connection, sealer: Sealer) -> str:
    """The key that heads are signed with, unpadded base64; empty before any were."""
    seed = await existing_record_key(connection, sealer)
    return _unpadded(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()) if seed else ""


async def lines_of(connection: Connection, sealer: Sealer) -> AsyncIterator[Line]:
    """Every entry of every chain, by case, audience and number. Raises SealError under another master key."""
    ordered = select(_RECORD).order_by(_RECORD.c.case_id, _RECORD.c.audience, _RECORD.c.seq, _RECORD.c.ordinal)
    stream = await connection.stream(ordered.execution_options(yield_per=500))
    case: CaseId | None = None
    seal: Sealer | None = None
    async for found in stream:
        if found.case_id != case:
            case = CaseId(found.case_id)
            seal = await case_seal(connection, sealer, case)
        yield _line(found, seal)


def _line(found: Row[Any], seal: Sealer | None) -> Line:
    line = Line(found.case_id, found.audience, found.seq, found.at, found.public, found.hash, None)
    return replace(line, private=_private(seal, line, found.sealed) if seal else None)


def _private(seal: Sealer, line: Line, sealed: bytes) -> str:
    """What doesn't open under the case's key is none of ours: it has no words, and no hash will fit."""
    try:
        return open_text(seal, _PURPOSE, _place(line), sealed)
    except SealError:
        return ""


def _head(found: Any) -> Head:
    return Head(found.case_id, found.audience, found.seq, found.at, found.hash)


def _place(line: Line) -> str:
    return row(line.case, line.audience, str(line.seq))


def _unpadded(value: bytes) -> str:
    return base64.b64encode(value).decode().rstrip("=")

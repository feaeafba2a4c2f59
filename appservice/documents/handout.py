"""What leaves as one recipient's copy: made in a folder of ours, asked about once more, on record, and only then sent.

    made ─▶ a file in a private folder, and its hash ─▶ noted: asked again, written down ─▶ whoever carries it sends it

The same for every way: the page, mail, and any other network (D5).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from appservice.documents.pipeline.copies import Copier
from appservice.documents.vault import Damaged, Missing, Vault
from appservice.ports import ServiceWork
from bridges.portal.ids import new_copy_mark
from policies.case import Case, Endpoint, Person
from policies.documents.carrying import Enclose
from policies.documents.document import Action, Document, Version
from policies.documents.enclosing import WAYS
from policies.documents.files import Kind, file_name
from policies.documents.recipient import Leaving, Stamp, handed_out, stamp_for
from policies.documents.rights import Denied, Wish
from policies.frozen import frozen
from rooms.clearance import kept_back, until_confirmed
from rooms.handle import Handler
from rooms.homeserver import Trouble
from rooms.house import House
from rooms.letters import ToPerson, addressee
from rooms.outcome import Cancelled, Parked
from rooms.outgoing import Codec
from rooms.queue import Item, item_id


@frozen
class Handout:
    """What is handed to one person: a file in a folder that goes with its context."""

    path: Path
    size: int
    sha256: str
    stamp: Stamp | None
    name: str
    mimetype: str
    channel: Endpoint
    """That of whom it is for, as it was when this was begun."""


@frozen
class NoHandout:
    """There is none. `now`: because it can't be made at the moment; `gone`: the document's own bytes can't be read."""

    now: bool
    gone: bool = False


class Handouts:
    """Makes them of what the vault has."""

    def __init__(self, vault: Vault, copier: Copier) -> None:
        self._vault, self._copier = vault, copier

    @asynccontextmanager
    async def made(
        self, case: Case, document: Document, version: Version, person: Person, at: datetime
    ) -> AsyncIterator[Handout | NoHandout]:
        """What is to leave. Nothing of it has left yet, and nobody was asked whether it may."""
        async with AsyncExitStack() as stack:
            made: Handout | NoHandout
            try:
                room = await stack.enter_async_context(self._vault.workroom.room())
                kept, name = version.served, file_name(document.name, version.kind)
                await self._vault.copy_out(case.id, kept, room / "plain")
                stamp = stamp_for(case, document, version, person, mark=new_copy_mark(), at=at)
                as_kept = Handout(room / "plain", kept.size, kept.sha256, None, name, version.mimetype, person.endpoint)
                made = await self._stamped(as_kept, version.kind, stamp) if stamp else as_kept
            except (Missing, Damaged, OSError):
                made = NoHandout(now=True, gone=True)
            yield made

    async def _stamped(self, plain: Handout, kind: Kind, stamp: Stamp) -> Handout | NoHandout:
        """The same with whose copy it is on it. Raises OSError."""
        copy = plain.path.with_name("copy")
        failed = await self._copier.copy(plain.path, copy, kind, stamp)
        if failed:
            return NoHandout(failed.now)
        size, sha256 = await asyncio.to_thread(_measured, copy)
        return replace(plain, path=copy, size=size, sha256=sha256, stamp=stamp)


class Enclosures:
    """The same for what is sent to somebody's channel outside Matrix, as `policies.documents.enclosing` lets it."""

    def __init__(self, handouts: Handouts, codec: Codec, house: House) -> None:
        self._handouts, self._codec, self._house = handouts, codec, house

    @asynccontextmanager
    async def made(self, case: Case, enclose: Enclose, at: datetime) -> AsyncIterator[Handout]:
        """The copy of whom it is for. Raises Trouble where there can be none now, or ever."""
        document, person = case.document(enclose.document), case.person(enclose.to)
        version = document.version(enclose.version) if document else None
        if document is None or version is None or person is None:
            raise Trouble("there is no such document, or nobody for it", transient=False)
        async with self._handouts.made(case, document, version, person, at) as made:
            if isinstance(made, NoHandout):
                raise Trouble("their copy of the document can't be made", transient=made.now)
            yield made

    async def noted(
        self, work: ServiceWork, item: Item, enclose: Enclose, made: Handout, at: datetime
    ) -> Parked | Cancelled | None:
        """Ask once more, with the case locked, and write it down with the hash of the very bytes; None: it may leave
        over the channel that it was made for as soon as that unit of work is stored, else why it may not. Call it in
        the unit of work after which the first byte leaves, with the item locked. Raises Trouble as `cleared` does."""
        case = await cleared(work, item, enclose, made.channel, at)
        if not isinstance(case, Case):
            return case
        document, person = case.document(enclose.document), case.person(enclose.to)
        if document is None or person is None:
            return Cancelled("it was taken back at this very moment")
        wish = Wish(enclose.to, Action.DOWNLOAD, enclose.version, at)
        after = handed_out(case, document, wish, Leaving(made.sha256, made.stamp, WAYS[person.endpoint.network]))
        if isinstance(after, Denied):
            return Cancelled(after.why)
        handler = Handler(work, self._codec, self._house, item_id(f"{item.id}/{made.sha256}"), at)
        await handler.served(case, after, wish, f"made to leave, SHA-256 {made.sha256}")
        return None


async def cleared(
    work: ServiceWork, item: Item, effect: ToPerson, channel: Endpoint, at: datetime
) -> Case | Parked | Cancelled:
    """The case as it is now, locked, if a file may still leave over the channel that it was made for; else why not.
    To make it and to take it somewhere lasts minutes, in which all can change that was asked before.

    Raises Trouble where whom it is for has another channel by now: asked anew, it is made for that one, or cancelled.
    """
    case = await work.cases.load(item.case, lock=True) if item.case else None
    if case is None:
        return Cancelled("its case is not there")
    if await work.epochs.unconfirmed(case.id):
        return until_confirmed(case.id)
    person = case.person(addressee(effect))
    if person and (person.endpoint.id, person.endpoint.address) != (channel.id, channel.address):
        raise Trouble("their channel changed at this very moment", transient=True)
    return kept_back(case, effect, item.received_at, at) or case


def _measured(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()

"""Documents on the page, as the service fills it: asked of the policies each time, on record before anything leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from appservice.documents.handout import Handout, Handouts, NoHandout
from appservice.documents.intake import Intake
from appservice.documents.pipeline.pages import Page, Renderer, Unrendered, Watermark
from appservice.documents.vault import Damaged, Missing, Vault
from appservice.portal.page import PortalDatabase, Press, is_elsewhere, language_of, store_press
from appservice.portal.store import Whose
from appservice.ports import ServiceWork
from bridges.portal.ids import new_token, viewing_mark
from bridges.portal.papers import Download, Former, Handed, NotNow, PageImage, Paper, Place, Wished
from policies.case import Case, Person
from policies.commands import redacting
from policies.documents import cards
from policies.documents.document import Action, Document, Version
from policies.documents.recipient import Leaving, handed_out
from policies.documents.rights import Allowed, Denied, Wish, may
from policies.documents.versions import their_own
from policies.documents.viewing import opened, page_shown, visible
from policies.frozen import frozen
from policies.moderation.floor import objection
from policies.people.membership import caucuses_of
from policies.plan import label
from policies.words.language import Language
from policies.words.phrase import phrase, stored
from rooms.handle import Handler
from rooms.house import House
from rooms.outgoing import Codec
from rooms.queue import item_id

WIDTH: Final = 1240
"""Points of a page image: A4 at 150 dpi."""
_GONE: Final = phrase("This document can't be read at the moment. Please tell your mediator.")
_LATER: Final = phrase("Your copy can't be made right now. Please try again later.")
_NO_COPY: Final = phrase("Your copy can't be made of this document. Please tell your mediator.")


@frozen
class _Found:
    """Who asks for which version, in the case as it is."""

    case: Case
    person: Person
    document: Document
    version: Version
    at: datetime

    def wish(self, action: Action) -> Wish:
        return Wish(self.person.id, action, self.version.number, self.at)


class ServicePapers:
    """`bridges.portal.papers.Papers`."""

    def __init__(
        self,
        database: PortalDatabase,
        codec: Codec,
        house: House,
        vault: Vault,
        *,
        intake: Intake,
        renderer: Renderer,
        handouts: Handouts,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database, self._codec, self._house, self._clock = database, codec, house, clock
        self._vault, self._intake, self._renderer, self._handouts = vault, intake, renderer, handouts

    async def language(self, session: str) -> Language | None:
        """See the port."""
        async with self._database.read() as work:
            return await language_of(work, session, self._clock())

    async def has_rooms(self, session: str) -> bool:
        """See the port."""
        async with self._database.read() as work:
            whose = await work.shelf.session(session, self._clock())
            case = await work.cases.load(whose.case) if whose else None
        person = case.person(whose.person) if case and whose else None
        return person is not None and not is_elsewhere(person)

    async def papers(self, session: str) -> Sequence[Paper] | None:
        """See the port."""
        at = self._clock()
        async with self._database.read() as work:
            whose = await work.shelf.session(session, at)
            case = await work.cases.load(whose.case) if whose else None
            unsure = case is not None and await work.epochs.unconfirmed(case.id)
        person = case.person(whose.person) if case and whose else None
        if case is None or person is None:
            return None
        if unsure:
            return ()
        seen = visible(case, person.id, at)
        return [_paper(_Found(case, person, document, version, at)) for document, version in seen]

    async def places(self, session: str) -> Sequence[Place]:
        """See the port."""
        async with self._database.read() as work:
            whose = await work.shelf.session(session, self._clock())
            case = await work.cases.load(whose.case) if whose else None
        if case is None or whose is None:
            return ()
        return [
            Place(home.id, label(home, case), tuple(Former(d.id, cards.title(d, d.newest)) for d in own))
            for home in caucuses_of(case, whose.person)
            for own in [list(their_own(case, whose.person, home))]
        ]

    def desk(self) -> AbstractAsyncContextManager[Path]:
        """See the port."""
        return self._vault.workroom.room()

    async def hand_in(self, session: str, handed: Handed, file: Path) -> NotNow | bool:
        """See the port."""
        async with self._database.read() as work:
            whose = await work.shelf.session(session, self._clock())
            case = await work.cases.load(whose.case) if whose else None
            if case is None or whose is None or await work.epochs.unconfirmed(case.id):
                return False
        home = next((one for one in caucuses_of(case, whose.person) if one.id == handed.place), None)
        if home is None:
            return False
        former = next((d.id for d in their_own(case, whose.person, home) if d.id == handed.former), None)
        if handed.former and former is None:
            return False
        if resting := objection(case, whose.person, home):
            return NotNow(phrase("Nothing can be handed in there now: {why}.", why=resting))
        once = handed.nonce or new_token()
        why = await self._intake.hand_in(case.id, whose.person, home, file, handed.name, once=once, version_of=former)
        return NotNow(why) if why else True

    async def redact(self, session: str, document: str, version: int, wish: Wished) -> bool:
        """See the port. Whether it may be done is asked again as it is handled."""
        async with self._database.begin() as work:
            found = await self._found(work, session, document, version)
            if (
                found is None
                or not found.case.same_voice(found.document.owner, found.person.id)
                or not _pages(found.version)
            ):
                return False
            if isinstance(may(found.case, found.document, found.wish(Action.VIEW)), Denied):
                return False
            said = redacting.wished(f"{document}.{version}", wish.areas, wish.words)
            if said is None:
                return False
            values = {"which": said.number, "areas": said.places, "words": "\n".join(said.words)}
            press = Press(Whose(found.case.id, found.person.id), wish.nonce or new_token(), "redact", values)
            await store_press(work, press, found.at)
        return True

    async def open(self, session: str, document: str, version: int) -> bool:
        """See the port."""
        async with self._database.begin() as work:
            found = await self._found(work, session, document, version)
            if found is None or not _pages(found.version):
                return False
            after = opened(found.case, found.document, found.wish(Action.VIEW), viewing_mark(session))
            return await self._on_record(work, found, Action.VIEW, after, "opened on the page")

    async def paper(self, session: str, document: str, version: int) -> Paper | None:
        """See the port."""
        async with self._database.read() as work:
            found = await self._found(work, session, document, version, lock=False)
        if found is None:
            return None
        after = page_shown(found.case, found.document, found.wish(Action.VIEW), viewing_mark(session), 1)
        return None if isinstance(after, Denied) else _paper(found)

    async def page(self, session: str, document: str, version: int, page: int) -> PageImage | NotNow | None:
        """See the port."""
        mark = viewing_mark(session)
        async with self._database.begin() as work:
            found = await self._found(work, session, document, version)
            if found is None:
                return None
            after = page_shown(found.case, found.document, found.wish(Action.VIEW), mark, page)
            if not await self._on_record(work, found, Action.VIEW, after, f"page {page} on the page"):
                return None
        try:
            async with self._vault.workroom.room() as room:
                await self._vault.copy_out(found.case.id, found.version.served, room / "plain")
                kind, watermark = found.version.kind, Watermark(found.person.name, found.at, mark)
                drawn = await self._renderer.render(room / "plain", kind, page, WIDTH, watermark)
        except (Missing, Damaged, OSError):
            return NotNow(_GONE)
        match drawn:
            case Page(jpeg=jpeg):
                return PageImage(jpeg)
            case Unrendered(why):
                return NotNow(stored(why))

    @asynccontextmanager
    async def download(self, session: str, document: str, version: int) -> AsyncIterator[Download | NotNow | None]:
        """See the port."""
        async with self._database.read() as work:
            found = await self._found(work, session, document, version, lock=False)
        if found is None or isinstance(may(found.case, found.document, found.wish(Action.DOWNLOAD)), Denied):
            yield None
            return
        making = self._handouts.made(found.case, found.document, found.version, found.person, found.at)
        async with making as made:
            if isinstance(made, NoHandout):
                yield NotNow(_GONE if made.gone else _LATER if made.now else _NO_COPY)
            elif await self._handed_out(session, found, made):
                yield Download(made.name, made.mimetype, made.path, made.size)
            else:
                yield None

    async def _handed_out(self, session: str, former: _Found, copy: Handout) -> bool:
        """Asked once more, and written down with the hash of the very bytes; whether they may leave."""
        async with self._database.begin() as work:
            found = await self._found(work, session, former.document.id, former.version.number)
            if found is None or found.version.served != former.version.served:
                return False
            wish = found.wish(Action.DOWNLOAD)
            after = handed_out(found.case, found.document, wish, Leaving(copy.sha256, copy.stamp))
            return await self._on_record(work, found, wish.action, after, f"downloaded, SHA-256 {copy.sha256}")

    async def _found(
        self, work: ServiceWork, session: str, document: str, version: int, *, lock: bool = True
    ) -> _Found | None:
        """The version, if there is such a session, document and version; whether it may be seen is another question."""
        at = self._clock()
        whose = await work.shelf.session(session, at)
        case = await work.cases.load(whose.case, lock=lock) if whose else None
        if case is None or await work.epochs.unconfirmed(case.id):
            # What was taken back after a backup was made would be granted again (I11).
            return None
        person = case.person(whose.person) if whose else None
        paper = case.document(document)
        kept = paper.version(version) if paper else None
        return _Found(case, person, paper, kept, at) if person and paper and kept else None

    async def _on_record(
        self, work: ServiceWork, found: _Found, action: Action, after: Document | Denied, how: str
    ) -> bool:
        """Store what was served, unless it may not be; whether it may."""
        if isinstance(after, Denied):
            return False
        which = f"{found.document.id}.{found.version.number}/{found.person.id}"
        item = item_id(f"{which}/{how}/{found.at.isoformat()}")
        await Handler(work, self._codec, self._house, item, found.at).served(found.case, after, found.wish(action), how)
        return True


def _paper(found: _Found) -> Paper:
    case, document, version = found.case, found.document, found.version
    own = case.same_voice(document.owner, found.person.id)
    return Paper(
        id=document.id,
        version=version.number,
        title=cards.title(document, version),
        owner=cards.people(case, frozenset({document.owner})),
        is_own=own,
        pages=_pages(version),
        may_download=isinstance(may(case, document, found.wish(Action.DOWNLOAD)), Allowed),
        history=cards.happened(case, document) if own else (),
    )


def _pages(version: Version) -> int:
    return version.pages or 0 if version.kind.has_pages else 0

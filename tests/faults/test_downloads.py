"""A recipient's copy on its way to a browser, cut off: no byte leaves unrecorded, what is on record stays, and nothing
lies open."""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import pytest
from aiohttp.abc import AbstractStreamWriter
from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import StreamReader
from aiohttp.test_utils import make_mocked_request

from appservice.documents import house as document_house
from appservice.documents.pipeline.copies import NotMade
from appservice.documents.workroom import Workroom
from appservice.portal.papers import ServicePapers
from appservice.portal.store import Whose
from bridges.portal import document_pages
from bridges.portal.ids import form_mark, new_token
from bridges.portal.requests import COOKIE
from policies.documents.document import DocumentId
from policies.documents.files import Kind
from policies.documents.recipient import Stamp
from tests.appservice.portal.test_papers import FakeCopier
from tests.faults.boundaries import Boundaries, Cut
from tests.faults.house import CASE, House
from tests.faults.scenarios import FAR, Broken, nothing_is_wrong
from tests.faults.test_documents import (
    SECRET,
    SERVED,
    _release,
    alice_sends_a_file,
    case_of,
    document_called,
    nothing_lies_open,
    with_a_vault,
)

PIECE = len(SERVED)
"""So that a copy, which is longer by whose it is, leaves in several."""
MADE, RECORDING, RECORDED = "a copy is made", "end in papers._handed_out", "commit in papers._handed_out"
LEAVES = "a piece leaves"


@dataclass
class Browser(AbstractStreamWriter):
    """Takes an answer; the process may be killed before and after each piece of it."""

    boundaries: Boundaries
    status: str = ""
    got: bytes = b""

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        await self.boundaries.outside(LEAVES)
        self.got += bytes(chunk)
        await self.boundaries.outside(LEAVES)

    async def write_eof(self, chunk: bytes = b"") -> None:
        if chunk:
            await self.write(chunk)

    async def write_headers(self, status_line: str, headers: Any) -> None:
        await self.boundaries.outside(LEAVES)
        self.status = status_line
        await self.boundaries.outside(LEAVES)

    @property
    def is_served(self) -> bool:
        """Whether it got the beginning of a file, be it only its name and size."""
        return " 200 " in self.status

    async def drain(self) -> None:
        """Nothing waits."""

    def enable_compression(self, encoding: str = "deflate", strategy: int | None = None) -> None:
        raise AssertionError("a file is sent as it is")

    def enable_chunking(self) -> None:
        raise AssertionError("its size is known")


@dataclass
class Copier(FakeCopier):
    """Remembers what it made; the process may be killed before and after."""

    boundaries: Boundaries = field(default_factory=Boundaries)
    made: list[bytes] = field(default_factory=list)

    async def copy(self, source: Path, into: Path, kind: Kind, stamp: Stamp) -> NotMade | None:
        await self.boundaries.outside(MADE)
        await super().copy(source, into, kind, stamp)
        self.made.append(into.read_bytes())  # noqa: ASYNC240 - a few bytes
        await self.boundaries.outside(MADE)
        return None


@dataclass
class Downloads:
    """Carl at the page, before a document that he may download."""

    house: House
    copier: Copier
    document: DocumentId
    tries: list[Browser] = field(default_factory=list)
    recorded: set[str] = field(default_factory=set)
    """The hashes of what was ever written down."""

    async def press(self) -> Browser:
        """Once, in a session of its own."""
        browser = Browser(self.house.boundaries)
        request = await self._request(browser, await self._session())
        await self.house.alive(self.house.service.parts.web._runner.app._handle(request))
        self.tries.append(browser)
        return browser

    async def _session(self) -> str:
        carl, token = (await case_of(self.house)).named("Carl"), new_token()
        assert carl
        async with self.house.calm(), self.house.database.begin() as work:
            await work.shelf.begin_session(token, Whose(CASE, carl.id), datetime.now(UTC) + timedelta(days=99))
        return token

    async def _request(self, browser: Browser, session: str) -> Any:
        loop = asyncio.get_running_loop()
        body = StreamReader(BaseProtocol(loop), 1 << 16, loop=loop)
        body.feed_data(urlencode({"mark": form_mark(session)}).encode())
        body.feed_eof()
        headers = {"Cookie": f"{COOKIE}={session}", "Content-Type": "application/x-www-form-urlencoded"}
        path = f"/p/documents/{self.document}/1/download"
        return make_mocked_request("POST", path, headers, writer=browser, payload=body, loop=loop)

    async def on_record(self) -> set[str]:
        found = (await case_of(self.house)).document(self.document)
        assert found
        return {serving.sha256 for serving in found.servings if serving.sha256}

    async def cut_at(self, cut: Cut, boundary: int, only: str | None = None) -> str | None:
        """One download, cut there (`only`: of the boundaries of one name), and what must have come of it; the name,
        None if it was over before."""
        self.house.boundaries.cut(cut, boundary, only)
        browser = await self.press()
        fell = self.house.boundaries.uncut()
        if any(passed.name == RECORDED for passed in self.house.boundaries.passed):
            self.recorded.add(hashlib.sha256(self.copier.made[-1]).hexdigest())
        # What every process does as it starts.
        await self.house.alive(self.house.service.parts.housekeeping.round())
        try:
            await self.whatever_left_is_on_record(browser)
            await nothing_lies_open(self.house)
            await self.the_next_try_is_served()
        except Broken as broken:
            raise Broken(f"{cut.value}, at boundary {boundary}, {fell!r}: {broken}") from broken
        return fell

    async def whatever_left_is_on_record(self, browser: Browser) -> None:
        if await self.on_record() != self.recorded:
            raise Broken("something is on record that was not written down, or no longer")
        if browser.is_served and hashlib.sha256(self.copier.made[-1]).hexdigest() not in self.recorded:
            raise Broken("bytes left that are not on record")
        if not (self.copier.made[-1].startswith(browser.got) if browser.is_served else SECRET not in browser.got):
            raise Broken("what left is not his copy")

    async def the_next_try_is_served(self) -> None:
        browser, copy = await self.press(), self.copier.made[-1]
        self.recorded.add(hashlib.sha256(copy).hexdigest())
        if browser.got != copy or b"Copy for Carl" not in copy or await self.on_record() != self.recorded:
            raise Broken("the next try is not served, or not on record")


@asynccontextmanager
async def downloads(folder: Path) -> AsyncIterator[Downloads]:
    """A document is kept and granted to Carl, in a house where nothing that is killed tidies up after itself."""
    copier = Copier()
    copies = patch.object(document_house, "Copies", lambda _: copier)
    with copies, patch.object(document_pages, "_CHUNK", PIECE):
        async with with_a_vault(folder) as house:
            copier.boundaries = house.boundaries
            await alice_sends_a_file(house, "plan")
            await house.drain()
            document = await document_called(house, "plan.pdf")
            await _release(house, f"!doc grant {document.id} download to Carl")
            with the_dead_delete_nothing(house):
                yield Downloads(house, copier, document.id)


@contextmanager
def the_dead_delete_nothing(house: House) -> Iterator[None]:
    """What was killed leaves its folders, though not its locks on them."""
    really = shutil.rmtree

    def rmtree(path: Any, **how: Any) -> None:
        if not house.boundaries._dead:
            really(path, **how)

    with patch.object(shutil, "rmtree", rmtree):
        yield


async def cut_everywhere(there: Downloads, cut: Cut) -> set[str]:
    """Where it was cut."""
    fell = set[str]()
    for boundary in count():
        name = await there.cut_at(cut, boundary)
        if name is None:
            break
        fell.add(name)
    await there.house.drain()
    await nothing_is_wrong(there.house)
    return fell


async def test_a_copy_that_is_downloaded_is_on_record_before_its_first_byte_whatever_fails(tmp_path: Path) -> None:
    async with downloads(tmp_path) as there:
        fell = await cut_everywhere(there, Cut.KILL)
        assert {MADE, RECORDING, RECORDED, LEAVES} <= fell
        whole = len(there.copier.made[-1])
        assert any(0 < len(browser.got) < whole for browser in there.tries)
        assert RECORDING in await cut_everywhere(there, Cut.DATABASE)


def it_is_put_on_record_when_it_has_left(patched: pytest.MonkeyPatch) -> None:
    handed_out = ServicePapers._handed_out

    @asynccontextmanager
    async def wrong(self: ServicePapers, *of: Any) -> AsyncIterator[Any]:
        async with right(self, *of) as made:
            yield made
            await handed_out(self, *later.pop())

    async def not_yet(self: ServicePapers, *of: Any) -> bool:
        later.append(of)
        return True

    later: list[Any] = []
    right = ServicePapers.download
    patched.setattr(ServicePapers, "download", wrong)
    patched.setattr(ServicePapers, "_handed_out", not_yet)


def nobody_sweeps(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(Workroom, "sweep", lambda _: None)


@pytest.mark.parametrize(
    ("plant", "where", "noticed"),
    [
        (it_is_put_on_record_when_it_has_left, LEAVES, "bytes left that are not on record"),
        (nobody_sweeps, MADE, "plaintext lies open"),
    ],
)
async def test_a_planted_fault_is_noticed(
    plant: Callable[[pytest.MonkeyPatch], None],
    where: str,
    noticed: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    async with downloads(tmp_path) as there:
        assert await there.cut_at(Cut.KILL, FAR) is None
        plant(monkeypatch)
        assert await there.cut_at(Cut.KILL, FAR) is None
        with pytest.raises(Broken, match=noticed):
            await there.cut_at(Cut.KILL, 1, only=where)

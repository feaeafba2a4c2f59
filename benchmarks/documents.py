"""How fast pages are shown: out of the vault, confined, and with a watermark, beside the bare libraries."""

from __future__ import annotations

import asyncio
import io
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pikepdf
import pypdfium2

from appservice.crypto.sealing import Sealer
from appservice.documents.pipeline.examine import Pipeline
from appservice.documents.pipeline.outcome import Clean
from appservice.documents.pipeline.pages import Page, Pages, Watermark
from appservice.documents.pipeline.workshop import Workshop
from appservice.documents.shelf import Folder
from appservice.documents.vault import Vault
from appservice.storage.database import SqlDatabase
from benchmarks.results import Benchmark, Measure, at_least, at_most
from policies.case import Case, CaseId
from policies.documents.document import Kept
from policies.documents.files import Kind

PAGES: Final = 20
WIDTH: Final = 1240
"""Points: A4 at 150 dpi."""
CASE: Final = CaseId("1001")
MOST_BYTES: Final = 2 * 10**9
"""Of a document: what is measured here are larger ones, too."""
VIEWERS: Final = 2
"""Who look at pages at the same time; the library draws one after another."""
_REWRITE: Final = "import sys, pikepdf; pikepdf.open(sys.argv[1]).save(sys.argv[2])"
_DRAW: Final = """
import sys, pypdfium2
page = pypdfium2.PdfDocument(sys.argv[2])[0]
page.render(scale=1240 / page.get_width()).to_pil().save(sys.argv[2] + ".jpg", quality=80)
"""
_LINE: Final = b"(%d. The parties agree that what is said here is said in confidence, and that nothing of it) Tj T*\n"


@dataclass(frozen=True, slots=True)
class House:
    """What a page goes through on its way."""

    database: SqlDatabase
    vault: Vault
    pipeline: Pipeline
    pages: Pages

    async def upload(self, data: bytes) -> Kept:
        """Take a document that is at hand."""
        async with self.vault.workroom.room() as folder:
            source = folder / "document"
            source.write_bytes(data)
            return await self.keep(source)

    async def keep(self, source: Path) -> Kept:
        """Examine a document, and keep what came and what was made of it; the latter."""
        clean = await self.pipeline.examine(source)
        if not isinstance(clean, Clean):
            raise TypeError("a harmless document was not taken")
        original, kept = await self.vault.keep(CASE, source), await self.vault.keep(CASE, clean.path)
        async with self.database.begin() as work:
            await work.vault.keep(original.blob)
            await work.vault.keep(kept.blob)
        return kept

    async def page(self, kept: Kept, number: int) -> Page:
        """Show one page to somebody."""
        async with self.vault.workroom.room() as folder:
            await self.vault.copy_out(CASE, kept, folder / "document")
            mark = Watermark("Somebody", datetime.now(UTC), "K7Q2")
            page = await self.pages.render(folder / "document", Kind.PDF, number, WIDTH, mark)
        if not isinstance(page, Page):
            raise TypeError("a page could not be drawn")
        return page


async def documents(folder: Path, *, quick: bool) -> list[Measure]:
    """Both in turn, so that both meet the same."""
    rounds, data = 3 if quick else 20, _document()
    served, bare, first, tools = [], [], [], []
    source = folder / "source.pdf"
    async with house(folder, Workshop()) as at:
        await asyncio.to_thread(source.write_bytes, data)
        kept = await at.upload(data)
        await at.page(kept, 1)
        for _ in range(rounds):
            bare.append(await _timed_bare(data))
            began = time.perf_counter()
            for number in range(0, PAGES, VIEWERS):
                await asyncio.gather(*(at.page(kept, number + viewer) for viewer in range(1, VIEWERS + 1)))
            served.append(time.perf_counter() - began)
            tools.append(await _timed_tools(source, folder / "made.pdf"))
            began = time.perf_counter()
            await at.page(await at.upload(data), 1)
            first.append(time.perf_counter() - began)
    ours, theirs = PAGES / min(served), PAGES / min(bare)
    until, needed = 1000 * min(first), 1000 * min(tools)
    return [
        at_least(
            "document_pages",
            ours / theirs,
            0.6,
            f"{ours:.0f} ÷ {theirs:.0f} pages/s, {VIEWERS} viewers, {WIDTH} points wide",
        ),
        at_most("document_first_page", until / needed, 1.5, f"{until:.0f} ÷ {needed:.0f} ms from upload to first page"),
    ]


BENCHMARK: Final = Benchmark("documents", documents)


@asynccontextmanager
async def house(folder: Path, workshop: Workshop) -> AsyncIterator[House]:
    """A vault in that folder, and who reads documents for it; the workshop is closed in the end."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    database = SqlDatabase(f"sqlite:///{folder / 'mediatrix.db'}", Sealer((bytes(range(32)),)))
    await database.open()
    async with database.begin() as work:
        await work.cases.save(Case(CASE, "Smith and Jones"))
    async with aclosing(workshop):
        vault = Vault(folder / "vault", database, Folder(folder / "vault" / "blobs"))
        yield House(database, vault, Pipeline(workshop, None, most_bytes=MOST_BYTES), Pages(workshop))
    await database.close()


async def _timed_bare(data: bytes) -> float:
    began = time.perf_counter()
    await asyncio.to_thread(lambda: [_drawn(data, number) for number in range(PAGES)])
    return time.perf_counter() - began


async def _timed_tools(source: Path, made: Path) -> float:
    """A program that writes the document anew, and then one that draws its first page."""
    began = time.perf_counter()
    for program in (_REWRITE, _DRAW):
        tool = await asyncio.create_subprocess_exec(sys.executable, "-I", "-c", program, str(source), str(made))
        if await tool.wait() != 0:
            raise RuntimeError("a bare tool failed")
    return time.perf_counter() - began


def _drawn(data: bytes, index: int) -> bytes:
    """A page, by the library alone."""
    image = io.BytesIO()
    with pypdfium2.PdfDocument(data) as document:
        page = document[index]
        page.render(scale=WIDTH / page.get_width(), rev_byteorder=True).to_pil().save(image, "JPEG", quality=80)
    return image.getvalue()


def _document() -> bytes:
    """Twenty pages full of words."""
    made = io.BytesIO()
    with pikepdf.new() as document:
        font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
        for number in range(PAGES):
            document.add_blank_page(page_size=(595, 842))
            words = b"".join(_LINE % line for line in range(number * 60, number * 60 + 60))
            document.pages[number].Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F=font))
            document.pages[number].Contents = document.make_stream(b"BT /F 10 Tf 50 790 Td 12 TL\n" + words + b"ET")
        document.save(made)
    return made.getvalue()

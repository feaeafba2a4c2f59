"""How much more memory a document of 1,000 MB takes than one of 10: handed in, examined, kept, taken out, shown.

Each goes the whole way in a process of its own, `python -m benchmarks.largefile FOLDER`, which serves one request: the
form with the file, as a browser sends it. Meanwhile the most memory that it, and that its confined children ever had
is looked up. The limits on what a file may cost are raised for it, for both.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web
from PIL import Image

from appservice.documents.pipeline.limits import MEGABYTE, Allowance
from appservice.documents.pipeline.workshop import Workshop
from benchmarks.documents import MOST_BYTES, house
from benchmarks.programs import running
from benchmarks.results import Benchmark, Measure, at_most
from benchmarks.watch import Peaks
from bridges.portal.handing import put_down
from bridges.portal.ids import form_mark
from bridges.portal.papers import Handed
from sandbox.ports import LOOPBACK, free_port

SMALL, LARGE, LESS = 10, 1_000, 200
"""Megabytes; the last instead of the second where it has to be quick."""
BAR: Final = 1.1
_ALLOWANCE: Final = Allowance(cpu_seconds=300, wall_seconds=600, result=MOST_BYTES)
_SESSION: Final = "a session"
_SIDE: Final = 1_000
"""Points of the picture on each page: a scan, of about a megabyte."""


async def largefile(folder: Path, *, quick: bool) -> list[Measure]:
    """The small one, and then the large one."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    large = LESS if quick else LARGE
    peaks = [await _peak(folder / str(size), size) for size in (SMALL, large)]
    few, many = (sum(parts) for parts in peaks)
    parts = ", ".join(f"{service:.0f} + {child:.0f}" for service, child in peaks)
    made_of = f"{many:.0f} ÷ {few:.0f} MB with {large} and {SMALL} MB (service + confined child: {parts})"
    return [at_most("document_memory", many / few, BAR, made_of)]


BENCHMARK: Final = Benchmark("largefile", largefile)


async def _peak(folder: Path, size: int) -> tuple[float, float]:
    """MB at the most, of the process that takes a document of so many MB, and of its largest child."""
    document, port = folder.with_suffix(".pdf"), free_port()
    await asyncio.to_thread(_write, document, size)
    try:
        async with running("benchmarks.largefile", str(folder), str(port)) as server:
            peaks = Peaks(server.pid)
            looking = asyncio.create_task(peaks.watch())
            await _hand_in(document, f"http://{LOOPBACK}:{port}/")
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking
    finally:
        document.unlink()
    return peaks.own, peaks.of_child


async def _hand_in(document: Path, url: str) -> None:
    form = aiohttp.FormData({"mark": form_mark(_SESSION), "place": "caucus", "nonce": "once"})
    with document.open("rb") as file:
        form.add_field("file", file, filename="scans.pdf", content_type="application/pdf")
        patience = aiohttp.ClientTimeout(total=900)
        async with aiohttp.ClientSession(timeout=patience) as http, http.post(url, data=form) as answer:
            if answer.status != 200:
                raise RuntimeError("a document was not taken")


async def _serve(folder: Path, port: int) -> None:
    async with house(folder, Workshop(_ALLOWANCE)) as at:

        async def hand_in(request: web.Request) -> web.Response:
            async with at.vault.workroom.room() as room:
                handed = await put_down(request, _SESSION, room / "handed-in", MOST_BYTES)
                if not isinstance(handed, Handed):
                    raise TypeError("the form was not taken")
                kept = await at.keep(room / "handed-in")
            await at.page(kept, 1)
            return web.Response()

        app = web.Application()
        app.router.add_post("/", hand_in)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, port).start()
        print("ready", flush=True)
        await asyncio.Event().wait()


def _write(document: Path, size: int) -> None:
    """Scans, one a page, until it is so large (ISO 32000-1, 7.5)."""
    with document.open("wb") as file:
        places = list[int]()
        pages = list[int]()
        file.write(b"%PDF-1.7\n")
        for number, body in _objects(_scan(), size * MEGABYTE, pages):
            places.append(file.tell())
            file.write(b"%d 0 obj\n" % number + body + b"\nendobj\n")
        start = file.tell()
        file.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1))
        file.writelines(b"%010d 00000 n \n" % place for place in places)
        file.write(b"trailer <</Size %d /Root %d 0 R>>\nstartxref\n" % (len(places) + 1, len(places)))
        file.write(b"%d\n%%%%EOF\n" % start)


def _objects(scan: bytes, most: int, pages: list[int]) -> Iterator[tuple[int, bytes]]:
    """Each object of it, numbered from 1: three a page, then the tree of pages, then the root."""
    count = max(1, most // len(scan))
    tree = 3 * count + 1
    for first in range(1, tree, 3):
        head = b"<</Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB /BitsPerComponent 8"
        head = head % (_SIDE, _SIDE) + b" /Filter /DCTDecode /Length %d>>\nstream\n" % len(scan)
        yield first, head + scan + b"\nendstream"
        paint = b"595 0 0 842 0 0 cm /I Do"
        yield first + 1, b"<</Length %d>>\nstream\n" % len(paint) + paint + b"\nendstream"
        page = b"<</Type /Page /Parent %d 0 R /MediaBox [0 0 595 842] /Contents %d 0 R" % (tree, first + 1)
        yield first + 2, page + b" /Resources <</XObject <</I %d 0 R>>>>>>" % first
        pages.append(first + 2)
    kids = b" ".join(b"%d 0 R" % page for page in pages)
    yield tree, b"<</Type /Pages /Count %d /Kids [%s]>>" % (count, kids)
    yield tree + 1, b"<</Type /Catalog /Pages %d 0 R>>" % tree


def _scan() -> bytes:
    """A picture that can't be made smaller: noise."""
    made = io.BytesIO()
    Image.frombytes("RGB", (_SIDE, _SIDE), os.urandom(3 * _SIDE * _SIDE)).save(made, "JPEG", quality=80)
    return made.getvalue()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))

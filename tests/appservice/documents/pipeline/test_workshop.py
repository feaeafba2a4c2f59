"""The confined process, really started: what it can't do, and that one file's end is not the next one's."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from appservice.documents.pipeline.examine import Pipeline
from appservice.documents.pipeline.kinds.made import Reason
from appservice.documents.pipeline.limits import MEGABYTE, SIDE, Allowance
from appservice.documents.pipeline.outcome import Clean, Examined
from appservice.documents.pipeline.pages import Page, Pages, Unrendered, Watermark
from appservice.documents.pipeline.workshop import Workshop
from policies.documents.files import Kind
from policies.documents.filing import Refused, Waits
from policies.words.phrase import verbatim
from tests.appservice.documents.pipeline import makers

MARK = Watermark("Bea", datetime(2026, 11, 22, 9, tzinfo=UTC), "K7Q2")
ALL = {
    Kind.PDF: makers.pdf(2),
    Kind.JPEG: makers.picture(Kind.JPEG, exif=makers.place()),
    Kind.PNG: makers.picture(Kind.PNG),
    Kind.GIF: makers.picture(Kind.GIF),
    Kind.WEBP: makers.picture(Kind.WEBP),
    Kind.TEXT: "Grüße".encode("cp1252"),
    Kind.DOCX: makers.docx(),
    Kind.ODT: makers.odt(),
}


@pytest.fixture
async def workshop() -> AsyncIterator[Workshop]:
    """With little memory and room."""
    async with aclosing(Workshop(Allowance(memory=150 * MEGABYTE, result=MEGABYTE))) as shop:
        yield shop


class Desk:
    """Where files are put down to be examined."""

    def __init__(self, folder: Path, workshop: Workshop) -> None:
        self.folder, self.pages = folder, Pages(workshop)
        self.pipeline = Pipeline(workshop, None, most_bytes=5 * MEGABYTE)

    async def examine(self, data: bytes) -> Examined:
        """One file, which has a place of its own."""
        source = self.folder / f"{len(list(self.folder.iterdir()))}"
        source.write_bytes(data)
        return await self.pipeline.examine(source)


@pytest.fixture
def desk(tmp_path: Path, workshop: Workshop) -> Desk:
    """A folder, and the pipeline."""
    return Desk(tmp_path, workshop)


def laughing() -> bytes:
    """A PDF whose one page draws a form that draws ten that draw ten: a billion in the end."""

    def nest(document: pikepdf.Pdf) -> None:
        form = document.make_stream(
            b"0 0 9 9 re f " * 10, {"/Type": pikepdf.Name.XObject, "/Subtype": pikepdf.Name.Form}
        )
        form.BBox = [0, 0, 600, 900]
        for _ in range(9):
            inner = pikepdf.Dictionary(XObject=pikepdf.Dictionary(X=form))
            form = document.make_stream(b"/X Do " * 10, {"/Type": pikepdf.Name.XObject, "/Subtype": pikepdf.Name.Form})
            form.BBox, form.Resources = [0, 0, 600, 900], inner
        document.pages[0].Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(X=form))
        document.pages[0].Contents = document.make_stream(b"/X Do")

    return makers.pdf(1, nest)


async def test_every_kind_is_made_harmless_in_a_process_that_can_open_nothing(desk: Desk) -> None:
    for kind, data in ALL.items():
        examined = await desk.examine(data)
        assert isinstance(examined, Clean), kind
        assert examined.kind is kind
        assert examined.path.parent == desk.folder
        assert examined.path.stat().st_mode & 0o077 == 0
        if kind.has_pages:
            page = await desk.pages.render(examined.path, kind, 1, 400, MARK)
            assert isinstance(page, Page), kind
            assert Image.open(io.BytesIO(page.jpeg)).size == (page.width, page.height)


async def test_a_renderer_that_is_killed_by_its_limit_says_so_and_the_next_page_is_drawn(tmp_path: Path) -> None:
    bad, good = tmp_path / "bad", tmp_path / "good"
    bad.write_bytes(laughing())
    good.write_bytes(ALL[Kind.PDF])
    async with aclosing(Workshop(Allowance(cpu_seconds=1))) as strict:
        pages = Pages(strict)
        killed, drawn = await asyncio.gather(
            pages.render(bad, Kind.PDF, 1, 800, MARK), pages.render(good, Kind.PDF, 1, 800, MARK)
        )
        assert isinstance(killed, Unrendered)
        assert isinstance(drawn, Page)
        assert isinstance(await pages.render(good, Kind.PDF, 2, 800, MARK), Page)


async def test_a_renderer_that_takes_too_long_by_the_clock_is_killed(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(laughing())
    async with aclosing(Workshop(Allowance(cpu_seconds=1000, wall_seconds=0.3))) as slow:
        assert isinstance(await Pages(slow).render(tmp_path / "bad", Kind.PDF, 1, 800, MARK), Unrendered)


async def test_what_needs_more_memory_or_room_than_it_may_is_refused_and_the_next_file_is_not(desk: Desk) -> None:
    large = makers.picture(Kind.PNG, (7_900, 8_000))
    noise = io.BytesIO()
    Image.effect_noise((1_500, 1_500), 90).save(noise, "PNG")
    for data in (large, noise.getvalue()):
        assert await desk.examine(data) == Refused(Reason.TOO_MUCH.value)
    assert isinstance(await desk.examine(ALL[Kind.PNG]), Clean)


async def test_what_could_do_harm_is_told_from_what_is_no_document(desk: Desk) -> None:
    for data, harmful in ((makers.docx(main=makers.MACRO_MAIN), True), (b"MZ" + bytes(60), True), (b"OggS", False)):
        examined = await desk.examine(data)
        assert isinstance(examined, Refused)
        assert examined.harmful is harmful


async def test_nothing_is_left_of_a_file_that_was_refused(desk: Desk) -> None:
    assert isinstance(await desk.examine(makers.docx(main=makers.MACRO_MAIN)), Refused)
    assert [file.name for file in desk.folder.iterdir()] == ["0"]


async def test_a_file_that_says_it_is_large_is_refused_unread(desk: Desk) -> None:
    huge = desk.folder / "huge"
    with huge.open("wb") as file:
        file.truncate(1_000 * MEGABYTE)
    assert await desk.pipeline.examine(huge) == Refused(verbatim("A file has at most 5 MB."))


async def test_when_the_process_is_gone_it_is_started_anew(desk: Desk, workshop: Workshop) -> None:
    assert isinstance(await desk.examine(ALL[Kind.PDF]), Clean)
    nursery = workshop._nursery
    assert nursery
    nursery.process.kill()
    await nursery.process.wait()
    assert isinstance(await desk.examine(ALL[Kind.PDF]), Clean)
    assert workshop._nursery is not nursery


async def test_without_the_process_a_file_stays_closed_and_is_not_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    assert isinstance(await desk.examine(ALL[Kind.PDF]), Waits)
    (desk.folder / "a").write_bytes(ALL[Kind.PDF])
    assert isinstance(await desk.pages.render(desk.folder / "a", Kind.PDF, 1, 800, MARK), Unrendered)
    monkeypatch.undo()
    assert isinstance(await desk.examine(ALL[Kind.PDF]), Clean)


async def test_the_process_knows_nothing_of_ours_and_ends_with_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIATRIX_MASTER_KEY", "a secret of ours")
    async with aclosing(Workshop()) as shop:
        nursery = await shop._staffed()
        assert nursery
        about = Path(f"/proc/{nursery.process.pid}")
        with suppress(PermissionError):  # then nobody but root can look into it
            assert about.joinpath("environ").read_bytes() == b""
        assert b"secret" not in about.joinpath("cmdline").read_bytes()
    assert nursery.process.returncode is not None


async def test_a_page_of_any_size_makes_an_image_of_bounded_size(desk: Desk) -> None:
    for size in ((595, 842), (14_400_000, 14_400_000), (100_000, 1), (1, 100_000), (0.001, 0.001)):

        def box(document: pikepdf.Pdf, size: tuple[float, float] = size) -> None:
            document.pages[0].MediaBox = [0, 0, *size]

        examined = await desk.examine(makers.pdf(1, box))
        assert isinstance(examined, Clean)
        page = await desk.pages.render(examined.path, Kind.PDF, 1, 100_000, MARK)
        assert isinstance(page, Page), size
        assert max(page.width, page.height) <= SIDE + 1


async def test_who_looks_is_on_every_part_of_the_page_on_any_ground(desk: Desk) -> None:
    for ground in ("white", "black", (128, 128, 128)):
        data = io.BytesIO()
        Image.new("RGB", (900, 1200), ground).save(data, "PNG")
        source = desk.folder / "ground"
        source.write_bytes(data.getvalue())
        page = await desk.pages.render(source, Kind.PNG, 1, 900, MARK)
        assert isinstance(page, Page)
        image = Image.open(io.BytesIO(page.jpeg)).convert("L")
        for left in range(0, image.width - 300, 150):
            for top in range(0, image.height - 300, 150):
                low, high = image.crop((left, top, left + 300, top + 300)).getextrema()
                assert isinstance(high, int | float)
                assert isinstance(low, int | float)
                assert high - low > 25, (ground, left, top)


async def test_two_people_get_two_images(desk: Desk) -> None:
    (desk.folder / "a").write_bytes(ALL[Kind.PDF])
    ours = await desk.pages.render(desk.folder / "a", Kind.PDF, 1, 500, MARK)
    theirs = await desk.pages.render(desk.folder / "a", Kind.PDF, 1, 500, Watermark("Ann", MARK.at, "K7Q2"))
    assert isinstance(ours, Page)
    assert isinstance(theirs, Page)
    assert ours.jpeg != theirs.jpeg


CONFINED = """
import errno, os, socket, sys
from appservice.documents.pipeline import confine
confine.become_nobody()
if not confine.cut_off():
    print("the kernel does not let us leave the network"); sys.exit()
if os.fork():
    os.wait(); sys.exit()
def fails(what, *wanted):
    try: what()
    except wanted: return
    print("did not fail:", what)
assert socket.socket().connect_ex(("127.0.0.1", 80)) == errno.ENETUNREACH
assert os.getpid() == 1
before = socket.socket(socket.AF_UNIX)
confine.give_up_privileges()
confine.limit(memory=50_000_000, cpu_seconds=5, file_bytes=1000, descriptors=before.fileno() + 1)
fails(lambda: open("/dev/null"), OSError)
fails(lambda: socket.socket(socket.AF_UNIX), OSError)
fails(os.fork, OSError)
fails(lambda: bytes(200_000_000), MemoryError)
print("confined")
"""


def test_a_confined_process_has_no_network_no_files_no_children_and_no_more_memory() -> None:
    done = subprocess.run([sys.executable, "-c", CONFINED], capture_output=True, text=True, check=True, timeout=60)
    if "the kernel" in done.stdout:
        pytest.skip("this kernel lets nobody make a user namespace")
    assert done.stdout == "confined\n"

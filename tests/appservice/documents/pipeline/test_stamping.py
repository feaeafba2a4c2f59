"""A copy for one recipient, made in the confined process: whose it is stands on each page, and inside."""

import io
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

import pikepdf
import pypdfium2
import pytest
from PIL import Image, ImageChops

from appservice.documents.pipeline.copies import Copies, NotMade
from appservice.documents.pipeline.limits import MEGABYTE, Allowance
from appservice.documents.pipeline.workshop import Workshop
from policies.documents.files import Kind
from policies.documents.recipient import MARKED, Stamp
from tests.appservice.documents.pipeline import makers

STAMP = Stamp("Carl", datetime(2026, 1, 5, 10, tzinfo=UTC), "K7Q2ABXY")


@pytest.fixture
async def copies() -> AsyncIterator[Copies]:
    async with aclosing(Workshop(Allowance(memory=150 * MEGABYTE, result=MEGABYTE))) as shop:
        yield Copies(shop)


async def copied(copies: Copies, folder: Path, kind: Kind, data: bytes, stamp: Stamp = STAMP) -> bytes | NotMade:
    source, into = folder / "source", folder / f"copy {token_hex(4)}"
    source.write_bytes(data)
    failed = await copies.copy(source, into, kind, stamp)
    return failed or into.read_bytes()


def drawn(data: bytes, page: int) -> Image.Image:
    with pypdfium2.PdfDocument(data) as document:
        shown: Image.Image = document[page].render(scale=1).to_pil().convert("L")
        return shown


async def test_each_page_of_a_pdf_says_whose_copy_it_is(copies: Copies, tmp_path: Path) -> None:
    def turned(document: pikepdf.Pdf) -> None:
        document.pages[1].Rotate = 90

    plain = makers.pdf(2, turned)
    copy = await copied(copies, tmp_path, Kind.PDF, plain)
    assert isinstance(copy, bytes)
    with pikepdf.open(io.BytesIO(copy)) as document:
        assert str(document.docinfo["/Copy"]) == STAMP.mark
        assert STAMP.person not in str(document.docinfo)
    for page in range(2):
        changed = ImageChops.difference(drawn(plain, page), drawn(copy, page))
        assert changed.point(lambda much: 255 if much > 30 else 0).getbbox()
    words = [pypdfium2.PdfDocument(data)[0].get_textpage().get_text_range() for data in (plain, copy)]
    assert words[0] == words[1]


@pytest.mark.parametrize("kind", sorted(MARKED - {Kind.PDF}))
async def test_a_picture_says_whose_copy_it_is(copies: Copies, tmp_path: Path, kind: Kind) -> None:
    made = io.BytesIO()
    Image.new("RGB", (600, 400), "green").save(made, kind.name)
    copy = await copied(copies, tmp_path, kind, made.getvalue())
    assert isinstance(copy, bytes)
    picture = Image.open(io.BytesIO(copy), formats=[kind.name])
    assert picture.size == (600, 400)
    assert picture.getexif()[0x010E] == STAMP.mark
    assert picture.convert("RGB").crop((300, 380, 600, 400)).getcolors(9) is None


async def test_each_frame_of_a_moving_picture_is_marked(copies: Copies, tmp_path: Path) -> None:
    made, frames = io.BytesIO(), [Image.new("RGB", (600, 400), colour) for colour in ("green", "red", "blue")]
    frames[0].save(made, "WEBP", save_all=True, append_images=frames[1:], duration=70)
    copy = await copied(copies, tmp_path, Kind.WEBP, made.getvalue())
    assert isinstance(copy, bytes)
    moving = Image.open(io.BytesIO(copy))
    assert getattr(moving, "n_frames", 1) == 3
    for frame in range(3):
        moving.seek(frame)
        assert moving.convert("RGB").crop((300, 380, 600, 400)).getcolors(9) is None


async def test_two_peoples_copies_are_two_and_a_name_in_any_script_is_drawn(copies: Copies, tmp_path: Path) -> None:
    others = [Stamp("Bea Łoś 李", STAMP.at, "AAAA2222"), Stamp("Carl", STAMP.at, "BBBB3333"), STAMP]
    made = {await copied(copies, tmp_path, Kind.PDF, makers.pdf(1), stamp) for stamp in others}
    assert len(made) == 3
    assert all(isinstance(copy, bytes) for copy in made)


async def test_what_can_carry_no_mark_or_is_broken_makes_no_copy(copies: Copies, tmp_path: Path) -> None:
    assert await copied(copies, tmp_path, Kind.TEXT, b"words") == NotMade(now=False)
    assert await copied(copies, tmp_path, Kind.PDF, b"%PDF-1.4 broken") == NotMade(now=False)
    assert isinstance(await copied(copies, tmp_path, Kind.PDF, makers.pdf(1)), bytes)

"""A redacted version has nothing behind its black places, nor anywhere else, and says so only after a look."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from appservice.documents.pipeline import covering, limits
from appservice.documents.pipeline.covering import Order, cover
from appservice.documents.pipeline.kinds.made import Reason, Unacceptable
from appservice.documents.pipeline.redact import Covered, Covering
from appservice.documents.pipeline.workshop import Workshop
from policies.documents.document import Area
from policies.documents.files import Kind
from policies.documents.filing import Refused
from tests.appservice.documents.pipeline import makers

SECRET = b"Alice Smith owes 300,000"


def written(pages: int = 2, rotate: int = 0) -> bytes:
    """The secret on each page, and in each place of a PDF where something can be left over."""

    def change(document: pikepdf.Pdf) -> None:
        for page in document.pages:
            page.Contents = document.make_stream(b"BT /AA 14 Tf 72 700 Td (" + SECRET + b") Tj ET")
            page.Rotate = rotate
            note = pikepdf.Dictionary(
                Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Text, Rect=[0, 0, 9, 9], Contents=SECRET.decode()
            )
            page.Annots = [document.make_indirect(note)]
        document.Root.PageLabels = pikepdf.Dictionary(Nums=[0, pikepdf.Dictionary(P=SECRET.decode())])
        document.docinfo["/Title"] = SECRET.decode()
        with document.open_outline() as outline:
            outline.root.append(pikepdf.OutlineItem(SECRET.decode(), 0))

    return makers.pdf(pages, change)


def covered(data: bytes, *areas: tuple[int, int, int, int, int], words: tuple[str, ...] = ()) -> tuple[bytes, Any]:
    made = io.BytesIO()
    said = cover(io.BytesIO(data), made, Order(Kind.PDF, areas, words))
    return made.getvalue(), said


def everything_in(data: bytes) -> bytes:
    """All that any reader could take out of it: each object and each stream, unpacked."""
    with pikepdf.open(io.BytesIO(data)) as document:
        parts = [repr(document.trailer), *(repr(one) for one in document.objects)]
        streams = [one.read_raw_bytes() for one in document.objects if isinstance(one, pikepdf.Stream)]
    return b"\n".join([*(part.encode() for part in parts), *streams, data])


def texts(data: bytes) -> list[str]:
    with pypdfium2.PdfDocument(data) as document:
        return [page.get_textpage().get_text_range() for page in document]


def seen(data: bytes, page: int = 0) -> Image.Image:
    with pypdfium2.PdfDocument(data) as document:
        shown: Image.Image = document[page].render(scale=1).to_pil().convert("L")
        return shown


def range_of(picture: Image.Image) -> tuple[float, float]:
    darkest, brightest = picture.getextrema()
    assert isinstance(darkest, int | float)
    assert isinstance(brightest, int | float)
    return darkest, brightest


def test_nothing_of_the_original_is_left_to_take_out_and_the_rest_is_still_to_be_read() -> None:
    source = written()
    assert SECRET in everything_in(source)
    assert SECRET.decode() in texts(source)[0]
    made, said = covered(source, words=("alice smith",))
    assert (said.pages, said.places, said.on) == (2, 2, (1, 2))
    assert texts(made) == ["", ""]
    for word in SECRET.split():
        assert word not in everything_in(made)
    assert range_of(seen(made)) == (0, 255)
    # What was not marked is there: "owes" stands to the right of the black place.
    assert range_of(seen(made).crop((150, 130, 400, 150)))[0] < 128


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_words_are_black_whichever_way_a_page_is_turned(rotate: int) -> None:
    plain, _ = covered(written(1, rotate), (1, 0, 0, 1, 1))
    made, _ = covered(written(1, rotate), words=(SECRET.decode(),))
    ink = ImageOps.invert(seen(plain).point(lambda light: 255 if light > 100 else 0))
    ImageDraw.Draw(ink).rectangle((0, 0, 4, 4), fill=0)
    assert ink.getbbox()
    left = Image.new("L", ink.size, 0)
    left.paste(seen(made), mask=ink)
    assert range_of(left)[1] < 100


@settings(max_examples=15)
@given(
    page=st.integers(1, 2),
    left=st.integers(0, 900),
    top=st.integers(0, 900),
    wide=st.integers(20, 1000),
    high=st.integers(20, 1000),
)
def test_every_place_is_black_and_no_other(page: int, left: int, top: int, wide: int, high: int) -> None:
    right, bottom = min(left + wide, 1000), min(top + high, 1000)
    made, said = covered(makers.pdf(2), (page, left, top, right, bottom))
    assert (said.places, said.on) == (1, (page,))
    picture = seen(made, page - 1)
    across, down = picture.width / 1000, picture.height / 1000
    inner = picture.crop((int(left * across) + 3, int(top * down) + 3, int(right * across) - 3, int(bottom * down) - 3))
    assert range_of(inner)[1] <= 40
    if left > 30:
        assert range_of(picture.crop((0, 0, int(left * across) - 6, picture.height)))[1] > 200


@pytest.mark.parametrize(
    ("areas", "words", "reason"),
    [
        (((3, 0, 0, 10, 10),), (), Reason.NO_SUCH_PAGE),
        ((), ("Robert",), Reason.NO_SUCH_WORDS),
        ((), ("Alice Smith", "Robert"), Reason.NO_SUCH_WORDS),
    ],
)
def test_what_is_not_there_is_said_and_nothing_is_made(areas: Any, words: tuple[str, ...], reason: Reason) -> None:
    with pytest.raises(Unacceptable) as why:
        covered(written(), *areas, words=words)
    assert why.value.reason is reason


def test_a_long_document_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "COVERED_PAGES", 1)
    with pytest.raises(Unacceptable) as why:
        covered(written(2), (1, 0, 0, 9, 9))
    assert why.value.reason is Reason.LONG_TO_COVER


def test_a_result_that_is_not_as_it_should_be_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as fault:
        fault.setattr(ImageDraw.ImageDraw, "rectangle", lambda *_, **__: None)
        with pytest.raises(Unacceptable) as why:
            covered(written(), words=("Alice",))
        assert why.value.reason is Reason.NOT_COVERED
    add = covering._add

    def with_text(made: pikepdf.Pdf, picture: Image.Image, size: tuple[float, float]) -> None:
        add(made, picture, size)
        with pikepdf.open(io.BytesIO(written(1))) as source:
            page = made.pages[-1]
            page.Resources.Font = made.copy_foreign(source.make_indirect(source.pages[0].Resources.Font))
            page.contents_add(b"BT /AA 14 Tf 72 700 Td (left over) Tj ET")

    monkeypatch.setattr(covering, "_add", with_text)
    with pytest.raises(Unacceptable) as why:
        covered(written(), words=("Alice",))
    assert why.value.reason is Reason.NOT_COVERED


def test_a_picture_is_redacted_too() -> None:
    made = io.BytesIO()
    picture = makers.picture(Kind.JPEG, (400, 300), exif=makers.place())
    cover(io.BytesIO(picture), made, Order(Kind.JPEG, ((1, 0, 0, 500, 1000),), ()))
    assert range_of(seen(made.getvalue()).crop((5, 5, 80, 130)))[1] <= 40
    assert b"Exif" not in made.getvalue()


@pytest.fixture
async def redactor() -> AsyncIterator[Covering]:
    async with aclosing(Workshop()) as workshop:
        yield Covering(workshop)


async def test_in_the_confined_process_it_is_made_or_refused_in_words(redactor: Covering, tmp_path: Path) -> None:
    source = tmp_path / "plain"
    source.write_bytes(written())
    made = await redactor.redact(source, Kind.PDF, [Area(1, 0, 0, 1000, 100)], ["Alice Smith"])
    assert isinstance(made, Covered)
    assert (made.pages, made.places, made.on) == (2, 3, (1, 2))
    assert texts(made.path.read_bytes()) == ["", ""]
    source = tmp_path / "other"
    source.write_bytes(written())
    assert await redactor.redact(source, Kind.PDF, [], ["Robert"]) == Refused(Reason.NO_SUCH_WORDS.value)
    source = tmp_path / "broken"
    source.write_bytes(b"%PDF-1.7 nothing")
    assert isinstance(await redactor.redact(source, Kind.PDF, [], ["Robert"]), Refused)

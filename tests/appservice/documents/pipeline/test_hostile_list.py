"""The files that somebody means harm by, each by name: a clear answer, nothing of it left, and the next one is taken.

Malware through a real clamd: `tests/malware`. What each is built like: `test_refused`.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from appservice.documents.pipeline.examine import Pipeline
from appservice.documents.pipeline.kinds.made import KEEPABLE, Change, Reason
from appservice.documents.pipeline.limits import MEGABYTE, Allowance
from appservice.documents.pipeline.outcome import Clean
from appservice.documents.pipeline.workshop import Workshop
from policies.documents.files import Kind, file_name
from policies.documents.filing import Refused
from policies.words.phrase import verbatim
from tests.appservice.documents.pipeline import makers
from tests.appservice.documents.pipeline.test_workshop import laughing

_TOO_LARGE = "A file has at most 5 MB."


def with_box(document: pikepdf.Pdf) -> None:
    """A page of 200 kilometres."""
    document.pages[0].MediaBox = [0, 0, 567_000_000, 567_000_000]


REFUSED: dict[str, tuple[bytes, str]] = {
    "a polyglot of PDF and ZIP": (makers.pdf() + makers.packed({"a.txt": "words"}), Reason.TWO_IN_ONE.value),
    "a polyglot of GIF and PDF": (b"GIF89a" + makers.pdf(), Reason.TWO_IN_ONE.value),
    "a zip bomb": (makers.packed({f"{n}.txt": bytes(MEGABYTE) for n in range(50)}), Reason.PACKED.value),
    "an encrypted PDF": (
        makers.pdf(1, None, encryption=pikepdf.Encryption(user="open", owner="own")),
        Reason.ENCRYPTED.value,
    ),
    "a macro document renamed to .docx": (makers.docx({"word/vbaProject.bin": b"a program"}), Reason.MACROS.value),
    "SVG with script": (
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>fetch('//x')</script></svg>",
        Reason.WEB_PAGE.value,
    ),
    "a picture that fills the memory": (makers.png_header(60_000, 60_000), Reason.PIXELS.value),
}


@pytest.fixture
async def shop() -> AsyncIterator[Workshop]:
    async with aclosing(Workshop(Allowance(cpu_seconds=2, memory=150 * MEGABYTE, result=MEGABYTE))) as made:
        yield made


@pytest.fixture
def put(tmp_path: Path) -> Callable[[bytes], Path]:
    """Put a file down, in a place of its own."""

    def down(data: bytes) -> Path:
        source = tmp_path / str(len(list(tmp_path.iterdir())))
        source.write_bytes(data)
        return source

    return down


async def test_each_gets_a_clear_answer_and_the_next_file_is_taken(
    shop: Workshop, put: Callable[[bytes], Path], tmp_path: Path
) -> None:
    pipeline = Pipeline(shop, None, most_bytes=5 * MEGABYTE)
    for what, (data, why) in REFUSED.items():
        examined = await pipeline.examine(put(data))
        assert isinstance(examined, Refused), what
        assert examined.why == why, what
        # What only a trick needs can't even be let out by a mediator.
        assert examined.keepable is (Reason(why) in KEEPABLE), what
        taken = await pipeline.examine(put(makers.pdf(1)))
        assert isinstance(taken, Clean), what
        taken.path.unlink()
    assert not await asyncio.to_thread(lambda: list(tmp_path.glob("*.clean")))


async def test_a_gigabyte_is_refused_by_its_size_and_the_next_file_is_taken(shop: Workshop, tmp_path: Path) -> None:
    pipeline = Pipeline(shop, None, most_bytes=5 * MEGABYTE)
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1_000 * MEGABYTE)
    assert await pipeline.examine(tmp_path / "huge") == Refused(verbatim(_TOO_LARGE))
    (tmp_path / "next").write_bytes(makers.pdf(1))
    assert isinstance(await pipeline.examine(tmp_path / "next"), Clean)


async def test_where_a_picture_was_taken_and_what_a_huge_page_wants_are_not_passed_on(
    shop: Workshop, put: Callable[[bytes], Path]
) -> None:
    pipeline = Pipeline(shop, None, most_bytes=5 * MEGABYTE)
    taken = await pipeline.examine(put(makers.picture(Kind.JPEG, exif=makers.place())))
    assert isinstance(taken, Clean)
    assert Change.PLACE.value in taken.changes
    assert not Image.open(io.BytesIO(taken.path.read_bytes())).getexif()
    for data in (makers.pdf(1, with_box), laughing()):
        # Kept, for their owner may want them; whoever draws them is bounded (`test_workshop`).
        assert isinstance(await pipeline.examine(put(data)), Clean)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd.pdf", "C:\\Windows\\evil.pdf", "in\u202efdp.exe", "a\r\nSet-Cookie: x.pdf", "\x00.pdf"]
)
def test_a_name_with_a_path_a_turn_or_a_control_character_is_a_plain_one(name: str) -> None:
    shown = file_name(name, Kind.PDF)
    assert shown.endswith(".pdf")
    assert shown.isprintable()
    assert not set(shown) & set("/\\\u202e\r\n\0:")

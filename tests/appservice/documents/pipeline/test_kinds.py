"""What is made of harmless files, and what of theirs is left. In this process, which the real thing never does."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pikepdf
import pytest
from PIL import Image

from appservice.documents.pipeline import orders, tasks
from appservice.documents.pipeline.kinds.made import Change, Reason
from policies.documents.files import Kind
from tests.appservice.documents.pipeline import makers


def examined(data: bytes) -> tuple[dict[str, Any], bytes]:
    """What is said of a file, and the harmless version of it."""
    made = io.BytesIO()
    return tasks.run({"task": orders.SANITISE}, io.BytesIO(data), made), made.getvalue()


def cleaned(data: bytes) -> tuple[Kind, set[Change], bytes]:
    """Of a file that is taken: its kind, what was changed, and the harmless version."""
    said, made = examined(data)
    return Kind(said["kind"]), {Change[name] for name in said["changes"]}, made


def refusal(data: bytes) -> Reason:
    """Why a file is not taken. What was half made must not be looked at."""
    said, _ = examined(data)
    return Reason[said["refused"]]


def test_a_plain_pdf_keeps_its_pages_and_its_words_under_any_name_of_a_font() -> None:
    said, made = examined(makers.pdf(3))
    assert said["pages"] == 3
    with pikepdf.open(io.BytesIO(made)) as document:
        assert "/AA" in document.pages[0].Resources.Font
        assert b"(page 1)" in document.pages[0].Contents.read_bytes()


def hostile(document: pikepdf.Pdf) -> None:
    """All that acts by itself, in the places where it is known to stand."""
    launch = pikepdf.Dictionary(S=pikepdf.Name.Launch, F=pikepdf.String("cmd.exe"))
    script = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS=pikepdf.String("app.alert(1)"))
    spy = pikepdf.Dictionary(S=pikepdf.Name.URI, URI=pikepdf.String("file:///etc/passwd"))
    link = pikepdf.Dictionary(S=pikepdf.Name.URI, URI=pikepdf.String("https://example.org/"))
    page = document.pages[0]
    page.AA = pikepdf.Dictionary(O=launch)
    page.Annots = document.make_indirect(
        pikepdf.Array(
            [
                pikepdf.Dictionary(Subtype=pikepdf.Name.Link, A=script, Rect=[0, 0, 9, 9]),
                pikepdf.Dictionary(Subtype=pikepdf.Name.Link, A=spy, Rect=[0, 0, 9, 9]),
                document.make_indirect(pikepdf.Dictionary(Subtype=pikepdf.Name.Link, A=link, Rect=[0, 0, 9, 9])),
                pikepdf.Dictionary(Subtype=pikepdf.Name.FileAttachment, Rect=[0, 0, 9, 9]),
            ]
        )
    )
    document.Root.OpenAction = script
    document.Root.Next = document.make_indirect(pikepdf.Array([launch]))
    document.Root.Metadata = document.make_stream(b"<x:xmpmeta>Alice</x:xmpmeta>")
    document.attachments["tool.exe"] = b"MZ an embedded program"
    document.docinfo["/Author"] = "Alice Example"


def test_a_pdf_loses_what_acts_what_is_hidden_in_it_and_who_wrote_it() -> None:
    kind, changes, made = cleaned(makers.pdf(2, hostile, object_stream_mode=pikepdf.ObjectStreamMode.disable))
    assert (kind, changes) == (Kind.PDF, {Change.ACTS, Change.FILES, Change.WROTE})
    with pikepdf.open(io.BytesIO(made)) as document:
        flat = io.BytesIO()
        document.save(flat, object_stream_mode=pikepdf.ObjectStreamMode.disable, qdf=True)
        assert [str(link.A.URI) for link in document.pages[0].Annots if "/URI" in link.get("/A", {})] == [
            "https://example.org/"
        ]
    for trace in (b"Launch", b"JavaScript", b"alert", b"cmd.exe", b"passwd", b"program", b"Alice", b"EmbeddedFile"):
        assert trace not in flat.getvalue()


def test_the_same_pdf_without_the_trick_shows_that_the_traces_would_be_found() -> None:
    flat = makers.pdf(1, hostile, object_stream_mode=pikepdf.ObjectStreamMode.disable, compress_streams=False)
    for trace in (b"Launch", b"JavaScript", b"alert", b"cmd.exe", b"passwd", b"program", b"Alice", b"EmbeddedFile"):
        assert trace in flat


def test_a_signed_pdf_is_said_to_be_one() -> None:
    def signed(document: pikepdf.Pdf) -> None:
        field = pikepdf.Dictionary(FT=pikepdf.Name.Sig, V=pikepdf.Dictionary(Type=pikepdf.Name.Sig))
        document.Root.AcroForm = pikepdf.Dictionary(Fields=[field])

    assert Change.SIGNED in cleaned(makers.pdf(1, signed))[1]


@pytest.mark.parametrize("kind", [Kind.JPEG, Kind.PNG, Kind.WEBP])
def test_a_picture_loses_where_and_by_whom_it_was_taken_and_stands_upright(kind: Kind) -> None:
    data = makers.picture(kind, exif=makers.place())
    assert b"Alice" in data
    found, changes, made = cleaned(data)
    assert (found, changes) == (kind, {Change.PLACE})
    picture = Image.open(io.BytesIO(made))
    assert b"Alice" not in made
    assert not dict(picture.getexif())
    assert picture.size == (30, 40)


def test_a_picture_loses_its_comment_and_what_is_written_behind_it() -> None:
    data = makers.picture(Kind.JPEG, comment=b"from Alice") + b"<script>alert(1)</script>"
    made = cleaned(data)[2]
    assert b"Alice" not in made
    assert b"script" not in made


def test_an_animation_keeps_its_frames() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    data = io.BytesIO()
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:], duration=200, comment=b"from Alice")
    kind, _, made = cleaned(data.getvalue())
    assert (kind, getattr(Image.open(io.BytesIO(made)), "n_frames", 1)) == (Kind.GIF, 3)
    assert b"Alice" not in made


def test_a_picture_in_the_colours_of_a_printer_is_shown_in_those_of_a_screen() -> None:
    data = io.BytesIO()
    Image.new("CMYK", (8, 8)).save(data, "JPEG")
    assert Image.open(io.BytesIO(cleaned(data.getvalue())[2])).mode == "RGB"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_words_are_words_in_any_usual_encoding(encoding: str) -> None:
    kind, changes, made = cleaned("Grüße, 5 € für Bea\n".encode(encoding))
    assert (kind, changes, made.decode()) == (Kind.TEXT, set(), "Grüße, 5 € für Bea\n")


def test_words_lose_what_turns_them_around() -> None:
    assert cleaned("pay \u202e001\u202c now".encode())[1:] == ({Change.INVISIBLE}, b"pay 001 now")


def parts(made: bytes) -> dict[str, str]:
    """What is packed in a document."""
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_a_word_document_loses_who_wrote_it_and_where_its_template_lies() -> None:
    links = makers.relation("hyperlink", "https://example.org/")
    data = makers.docx(
        {
            "word/_rels/settings.xml.rels": makers.docx_relations(
                makers.relation("attachedTemplate", r"C:\Users\Alice\x.dotm")
            )
        },
        relations=links,
        words="<w:p><w:ins/></w:p>",
    )
    kind, changes, made = cleaned(data)
    assert (kind, changes) == (Kind.DOCX, {Change.WROTE, Change.TRACKED})
    whole = parts(made)
    assert next(iter(whole)) == "[Content_Types].xml"
    assert "docProps/thumbnail.jpeg" not in whole
    assert "https://example.org/" in whole["word/_rels/document.xml.rels"]
    assert "zoom" in whole["word/settings.xml"]
    for trace in ("Alice", "thumbnail", "attachedTemplate"):
        assert not any(trace in part for part in whole.values())


def test_a_spreadsheet_keeps_its_sheets_and_forgets_its_printer() -> None:
    sheet = '<worksheet xmlns="s" xmlns:r="r"><sheetData/><pageSetup orientation="portrait" r:id="p"/></worksheet>'
    data = makers.docx(
        {"xl/worksheets/sheet1.xml": sheet, "xl/printerSettings/printerSettings1.bin": b"Alice's printer"},
        main=f"{Kind.XLSX.mimetype}.main+xml",
    )
    kind, _, made = cleaned(data)
    whole = parts(made)
    assert kind is Kind.XLSX
    assert "r:id" not in whole["xl/worksheets/sheet1.xml"]
    assert "portrait" in whole["xl/worksheets/sheet1.xml"]
    assert "xl/printerSettings/printerSettings1.bin" not in whole


def test_an_open_document_loses_who_wrote_it_and_on_which_printer() -> None:
    kind, changes, made = cleaned(makers.odt(content='<text:a xlink:href="https://example.org/"/><office:annotation/>'))
    assert (kind, changes) == (Kind.ODT, {Change.WROTE, Change.TRACKED})
    whole = parts(made)
    assert next(iter(whole)) == "mimetype"
    assert made[30:38] == b"mimetype"  # where everyone looks for it, unpacked
    for trace in ("Alice", "thumbnail"):
        assert not any(trace in part for part in whole.values())


def test_what_was_made_is_taken_again_and_stays_as_it_is() -> None:
    for data in (makers.pdf(), makers.docx(), makers.odt(), makers.picture(Kind.PNG)):
        kind, _, once = cleaned(data)
        again, changes, twice = cleaned(once)
        assert again is kind
        assert changes <= {Change.WROTE}
        assert len(twice) == len(once)

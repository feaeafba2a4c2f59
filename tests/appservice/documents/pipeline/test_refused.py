"""Hostile files: each gets its own clear answer, and nothing of it is kept."""

from __future__ import annotations

import io
import struct
import zipfile

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.documents.pipeline import limits, orders, tasks
from appservice.documents.pipeline.kinds.made import Reason
from policies.documents.files import Kind
from tests.appservice.documents.pipeline import makers
from tests.appservice.documents.pipeline.test_kinds import examined, refusal

DOCTYPE = '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'
ENCRYPTED = makers.pdf(1, None, encryption=pikepdf.Encryption(user="open", owner="own"))
OWNED = makers.pdf(1, None, encryption=pikepdf.Encryption(user="", owner="own"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"MZ\x90\x00" + bytes(60), Reason.PROGRAM),
        (b"\x7fELF" + bytes(60), Reason.PROGRAM),
        (b"#!/bin/sh\nrm -rf /\n", Reason.PROGRAM),
        (b"Rar!\x1a\x07\x00", Reason.PACKED),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), Reason.OLD_OFFICE),
        (b"{\\rtf1 words}", Reason.RTF),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", Reason.WEB_PAGE),
        (b"\xef\xbb\xbf  <?xml version='1.0'?><svg/>", Reason.WEB_PAGE),
        (b"<!DOCTYPE html><p>Hello", Reason.WEB_PAGE),
        (b"GIF is a form of picture <script>alert(1)</script>", Reason.WEB_PAGE),
        (b"MIME-Version: 1.0\nContent-Type: multipart/related\n", Reason.WEB_PAGE),
        (bytes(4) + b"ftypheic" + bytes(99), Reason.MOVING),
        (b"OggS" + bytes(99), Reason.MOVING),
        (b"II*\x00" + bytes(99), Reason.OTHER_PICTURE),
        (bytes(range(256)) * 9, Reason.UNKNOWN),
        (b"a" * (limits.TEXT + 1), Reason.LONG_TEXT),
    ],
    ids=lambda value: value.name if isinstance(value, Reason) else None,
)
def test_what_is_none_of_our_kinds_is_refused_with_its_reason(data: bytes, reason: Reason) -> None:
    assert refusal(data) is reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (ENCRYPTED, Reason.ENCRYPTED),
        (OWNED, Reason.ENCRYPTED),
        (makers.pdf() + makers.packed({"a.txt": "words"}), Reason.TWO_IN_ONE),
        (makers.pdf() + b"\nMZ a program", Reason.AFTER),
        (makers.pdf() + b" " * 4096 + b"<script>", Reason.CUT_OFF),
        (makers.pdf()[:-200], Reason.CUT_OFF),
        (b"GIF89a" + makers.pdf(), Reason.TWO_IN_ONE),
        (b"some words\n" + makers.pdf(), Reason.BEFORE),
        (b"%PDF-1.7\nnothing at all\n%%EOF", Reason.DAMAGED),
    ],
    ids=["encrypted", "owned", "zip", "appended", "far", "cut", "gif", "before", "nothing"],
)
def test_a_pdf_that_is_locked_or_more_than_a_pdf_is_refused(data: bytes, reason: Reason) -> None:
    assert refusal(data) is reason


def test_a_pdf_without_pages_is_refused() -> None:
    assert refusal(makers.pdf(0)) is Reason.PAGES


def test_a_picture_that_would_fill_the_memory_is_refused_before_it_is_unpacked() -> None:
    assert refusal(makers.png_header(60_000, 60_000)) is Reason.PIXELS
    assert refusal(makers.png_header(9_000, 9_000)) is Reason.PIXELS


def test_a_picture_that_is_an_archive_as_well_is_refused() -> None:
    assert refusal(makers.picture(Kind.JPEG) + makers.packed({"a.txt": "words"})) is Reason.TWO_IN_ONE


def test_a_picture_that_is_cut_off_is_refused() -> None:
    assert refusal(makers.picture(Kind.PNG, (300, 300))[:60]) in {Reason.DAMAGED, Reason.TOO_MUCH}
    assert refusal(b"\xff\xd8\xff\xe0 no picture") is Reason.DAMAGED


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (makers.docx(main=makers.MACRO_MAIN), Reason.MACROS),
        (makers.docx({"word/vbaProject.bin": b"a program"}), Reason.MACROS),
        (makers.docx({"word/VBAPROJECT.BIN": b"a program"}), Reason.MACROS),
        (makers.docx({"word/activeX/activeX1.xml": "<a/>"}), Reason.MACROS),
        (makers.docx(relations=makers.relation("vbaProject", "harmless.xml", external=False)), Reason.MACROS),
        (makers.docx({"word/embeddings/sheet.xlsx": b"a file"}), Reason.HAS_FILES),
        (makers.docx(relations=makers.relation("aFChunk", "page.html", external=False)), Reason.HAS_FILES),
        (makers.docx(relations=makers.relation("image", "https://example.org/seen.png")), Reason.HAS_FILES),
        (makers.docx(relations=makers.relation("oleObject", "https://example.org/x")), Reason.HAS_FILES),
        (makers.docx(words='<w:p><w:fldSimple w:instr="DDEAUTO c:\\cmd.exe"/></w:p>'), Reason.HAS_FILES),
        (makers.docx(words="<w:instrText>DDE</w:instrText><w:instrText>AUTO cmd</w:instrText>"), Reason.HAS_FILES),
        (makers.docx({"word/evil.xml": DOCTYPE}), Reason.TRICK),
        (makers.docx({"word/evil.xml": DOCTYPE.encode("utf-16")}), Reason.TRICK),
        (makers.docx({"word/_rels/evil.xml.rels": DOCTYPE}), Reason.TRICK),
        (makers.docx({"word/broken.xml": "<a>"}), Reason.DAMAGED),
        (makers.docx({"../../etc/cron.d/x": b"words"}), Reason.TRICK),
        (makers.docx({"word\\document.xml": b"words"}), Reason.TRICK),
        (makers.docx({"WORD/document.xml": b"words"}), Reason.TRICK),
        (makers.docx() + b"something", Reason.TRICK),
        (makers.docx(main="application/zip"), Reason.PACKED),
        (makers.packed({"a.txt": "words"}), Reason.PACKED),
        (makers.docx({"mimetype": Kind.ODT.mimetype.encode()}), Reason.TWO_IN_ONE),
        (makers.odt({"Basic/Standard/Module1.xml": "<a/>"}), Reason.MACROS),
        (makers.odt({"Scripts/python/evil.py": b"import os"}), Reason.MACROS),
        (makers.odt(content="<office:event-listener/>"), Reason.MACROS),
        (makers.odt({"Object 1/content.xml": "<a/>"}), Reason.HAS_FILES),
        (makers.odt(content='<draw:image xlink:href="https://example.org/seen.png"/>'), Reason.HAS_FILES),
        (makers.odt(content='<draw:image xlink:href="../../../etc/passwd"/>'), Reason.HAS_FILES),
        (makers.odt(manifest="<m:encryption-data/>"), Reason.ENCRYPTED),
        (makers.odt({"extra.xml": DOCTYPE}), Reason.TRICK),
    ],
)
def test_a_document_that_can_run_fetch_or_hide_something_is_refused(data: bytes, reason: Reason) -> None:
    assert refusal(data) is reason


def test_a_document_that_is_far_larger_than_its_file_is_refused_unopened() -> None:
    bomb = makers.docx({"word/media/a.dat": bytes(limits.SMALL_PART)})
    assert refusal(_declared(bomb, limits.UNPACKED)) is Reason.TOO_MUCH


def test_parts_that_lie_over_one_another_are_refused() -> None:
    """Fifield's bomb: one part unpacked a thousand times."""
    data = makers.packed({"[Content_Types].xml": "x" * 999, "a": "y" * 999, "b": "z" * 999})
    entries = [at for at in range(len(data)) if data[at : at + 4] == b"PK\x01\x02"]
    offset = entries[2] + 42
    overlapped = data[:offset] + struct.pack("<I", 10) + data[offset + 4 :]
    assert refusal(overlapped) is Reason.TRICK


def test_an_encrypted_archive_is_said_to_have_a_password() -> None:
    data = bytearray(makers.docx())
    for at in range(len(data) - 4):
        if data[at : at + 4] == b"PK\x01\x02":
            data[at + 8] |= 1
    assert refusal(bytes(data)) is Reason.ENCRYPTED


def _declared(archive: bytes, size: int) -> bytes:
    """The archive, saying that its last part has that size when unpacked."""
    at = archive.rindex(b"PK\x01\x02") + 24
    return archive[:at] + struct.pack("<I", size) + archive[at + 4 :]


@given(st.binary(max_size=300), st.sampled_from([makers.pdf(), makers.docx(), makers.odt(), makers.picture(Kind.PNG)]))
def test_whatever_is_written_into_a_file_there_is_an_answer_and_nothing_of_the_rest_is_trusted(
    junk: bytes, file: bytes
) -> None:
    for data in (file[:100] + junk + file[100 + len(junk) :], junk + file, file + junk):
        said, made = examined(data)
        assert ("refused" in said) != ("kind" in said)
        if "kind" in said and Kind(said["kind"]) in {Kind.DOCX, Kind.ODT}:
            assert zipfile.ZipFile(io.BytesIO(made)).testzip() is None


@pytest.mark.parametrize("page", [0, 2, -1])
def test_a_page_that_there_is_not_is_not_drawn(page: int) -> None:
    task = {"task": orders.DRAW, "kind": "pdf", "page": page, "width": 300, "lines": ("a",)}
    assert tasks.run(task, io.BytesIO(makers.pdf()), io.BytesIO()) == {"refused": Reason.NO_SUCH_PAGE.name}

"""Each task done once, on small samples of our own: a confined child can open nothing, so all must be there."""

from __future__ import annotations

import codecs
import io
import zipfile
from typing import Final

import pikepdf
from PIL import Image

from appservice.documents.pipeline import orders, packed, tasks
from policies.documents.files import Kind

_ENCODINGS: Final = ("ascii", "cp437", "cp1252", "latin-1", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")
_LINES: Final = ("Somebody", "then", "here")


def warm_up() -> None:
    """Load whatever the libraries load when they first need it."""
    for encoding in _ENCODINGS:
        codecs.lookup(encoding)
    for kind, sample in _samples():
        for data in (sample, sample[: len(sample) // 2]):
            cleaned = io.BytesIO()
            tasks.run({"task": orders.SANITISE}, io.BytesIO(data), cleaned)
            if kind.has_pages:
                order = {"task": orders.DRAW, "kind": kind.value, "page": 1, "width": 200, "lines": _LINES}
                tasks.run(order, cleaned, io.BytesIO())
                wish = {"task": orders.COVER, "kind": kind.value, "areas": [(1, 0, 0, 500, 500)], "words": ()}
                tasks.run(wish, cleaned, io.BytesIO())
                stamp = {"task": orders.STAMP, "kind": kind.value, "line": " ".join(_LINES), "mark": "K7Q2AB"}
                tasks.run(stamp, cleaned, io.BytesIO())


def _samples() -> list[tuple[Kind, bytes]]:
    pictures = [(kind, _picture(kind)) for kind in (Kind.JPEG, Kind.PNG, Kind.GIF, Kind.WEBP)]
    offices = [(kind, _office(kind)) for kind in (Kind.DOCX, Kind.ODT)]
    return [(Kind.PDF, _pdf()), (Kind.TEXT, b"words"), *pictures, *offices]


def _pdf() -> bytes:
    made = io.BytesIO()
    with pikepdf.new() as document:
        document.add_blank_page(page_size=(200, 200))
        font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
        document.pages[0].Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F=font))
        document.pages[0].Contents = document.make_stream(b"BT /F 12 Tf 9 9 Td (words) Tj ET")
        document.save(made)
    return made.getvalue()


def _picture(kind: Kind) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (8, 8), "white").save(made, kind.name, exif=Image.Exif())
    return made.getvalue()


def _office(kind: Kind) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        if kind is Kind.ODT:
            archive.writestr(packed.MIMETYPE, kind.mimetype)
            archive.writestr("content.xml", "<document/>", zipfile.ZIP_DEFLATED)
        else:
            main = next(main for main, of in packed.MAIN_PARTS.items() if of is kind)
            archive.writestr(packed.CONTENT_TYPES, f'<Types><Override PartName="/a.xml" ContentType="{main}"/></Types>')
            archive.writestr("word/document.xml", "<document/>", zipfile.ZIP_DEFLATED)
    return made.getvalue()

"""Files to examine: harmless ones, and the tricks that are played with them. Made here, none kept."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Final

import pikepdf
from PIL import Image

from policies.documents.files import Kind

_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_WORD: Final = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_MAIN: Final = f"{Kind.DOCX.mimetype}.main+xml"
MACRO_MAIN: Final = "application/vnd.ms-word.document.macroEnabled.main+xml"
Parts = Mapping[str, str | bytes]


def pdf(pages: int = 1, change: Callable[[pikepdf.Pdf], None] | None = None, **save: object) -> bytes:
    """A PDF with a line of text on each page, changed as wanted before it is saved."""
    made = io.BytesIO()
    with pikepdf.new() as document:
        for number in range(pages):
            document.add_blank_page(page_size=(595, 842))
            font = pikepdf.Dictionary(
                Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
            )
            page = document.pages[number]
            page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(AA=font))
            page.Contents = document.make_stream(b"BT /AA 40 Tf 50 700 Td (page %d) Tj ET" % (number + 1))
        if change:
            change(document)
        document.save(made, **save)  # type: ignore[arg-type]
    return made.getvalue()


def picture(kind: Kind, size: tuple[int, int] = (40, 30), **save: object) -> bytes:
    """A picture, saved with these notes."""
    made = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(made, kind.name, **save)
    return made.getvalue()


def place() -> Image.Exif:
    """Notes of a camera: a name, a place, and that the picture lies on its side."""
    notes = Image.Exif()
    notes[0x013B] = "Alice Example"
    notes[0x0112] = 6
    notes.get_ifd(0x8825).update({1: "N", 2: (51.0, 30.0, 26.0), 3: "W", 4: (0.0, 7.0, 39.0)})
    return notes


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is that large, and has next to nothing in it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def packed(parts: Parts) -> bytes:
    """Parts in an archive, in their order; `mimetype` unpacked."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data, zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED)
    return made.getvalue()


def docx(more: Parts | None = None, *, main: str = _MAIN, relations: str = "", words: str = "<w:p/>") -> bytes:
    """A Word document, with further parts and further relations of its main part."""
    relation = f'<Relationship Id="r1" Type="{_OFFICE}/officeDocument" Target="word/document.xml"/>'
    return packed(
        {
            "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Override PartName="/word/document.xml" '
            f'ContentType="{main}"/><Override PartName="/docProps/thumbnail.jpeg" ContentType="image/jpeg"/></Types>',
            "_rels/.rels": docx_relations(relation),
            "word/document.xml": f"<w:document {_WORD}><w:body>{words}</w:body></w:document>",
            "word/_rels/document.xml.rels": docx_relations(relations),
            "word/settings.xml": f'<w:settings {_WORD} xmlns:r="{_OFFICE}"><w:attachedTemplate r:id="t"/><w:zoom/>'
            "</w:settings>",
            "docProps/core.xml": '<cp:coreProperties xmlns:cp="x" xmlns:dc="y"><dc:creator>Alice</dc:creator>'
            "</cp:coreProperties>",
            "docProps/thumbnail.jpeg": b"a small picture of the first page",
            **(more or {}),
        }
    )


def docx_relations(relations: str) -> str:
    """The part that lists relations."""
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{relations}</Relationships>'


def relation(role: str, target: str, *, external: bool = True) -> str:
    """One relation of a part."""
    mode = ' TargetMode="External"' if external else ""
    return f'<Relationship Id="t" Type="{_OFFICE}/{role}" Target="{target}"{mode}/>'


def odt(more: Parts | None = None, *, content: str = "", manifest: str = "") -> bytes:
    """A text document of OpenDocument, with further parts."""
    spaces = 'xmlns:office="o" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:text="t" xmlns:draw="d" xmlns:m="m"'
    return packed(
        {
            "mimetype": Kind.ODT.mimetype,
            "content.xml": f"<office:document-content {spaces}><office:scripts/>{content}</office:document-content>",
            "meta.xml": f"<office:document-meta {spaces}><office:author>Alice</office:author></office:document-meta>",
            "settings.xml": '<c:s xmlns:c="c"><c:config-item c:name="PrinterName">Alice’s</c:config-item></c:s>',
            "Thumbnails/thumbnail.png": b"a small picture of the first page",
            "META-INF/manifest.xml": '<m:manifest xmlns:m="m"><m:file-entry m:full-path="Thumbnails/thumbnail.png"/>'
            f'<m:file-entry m:full-path="content.xml">{manifest}</m:file-entry></m:manifest>',
            **(more or {}),
        }
    )

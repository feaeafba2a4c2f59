"""The XML parts of packed documents: without a document type, so that nothing can be expanded or fetched."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from typing import Final
from xml.parsers import expat

from lxml import etree

from appservice.documents.pipeline.kinds.made import Reason, Unacceptable

OnStart = Callable[[str, Mapping[str, str]], None]
OnText = Callable[[str, str], None]
_SEPARATOR: Final = " "
_CHUNK: Final = 1 << 16
_PARSER: Final = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def is_xml(name: str) -> bool:
    """Whether a part is XML, by the name that the document itself gives it."""
    return name.lower().endswith((".xml", ".rels", ".vml", ".rdf"))


def walk(archive: zipfile.ZipFile, name: str, on_start: OnStart, on_text: OnText | None = None) -> None:
    """Read a part to its end, piece by piece. `on_start` gets each element ("namespace local") and its attributes;
    `on_text` the words, and in which element they stand. Raises Unacceptable."""
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    within: list[str] = []

    def start(element: str, attributes: dict[str, str]) -> None:
        within.append(element)
        on_start(element, attributes)

    def end(_: str) -> None:
        within.pop()

    def text(words: str) -> None:
        if on_text:
            on_text(within[-1], words)

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, _refuse_doctype
    try:
        with archive.open(name) as part:
            while chunk := part.read(_CHUNK):
                parser.Parse(chunk)
        parser.Parse(b"", True)
    except expat.ExpatError:
        raise Unacceptable(Reason.DAMAGED) from None


def tree(data: bytes) -> etree._Element:
    """A small part as a tree. Raises Unacceptable."""
    try:
        root = etree.fromstring(data, _PARSER)
    except etree.XMLSyntaxError:
        raise Unacceptable(Reason.DAMAGED) from None
    if root.getroottree().docinfo.doctype:
        raise Unacceptable(Reason.TRICK)
    return root


def written(root: etree._Element) -> bytes:
    """A tree as a part."""
    made: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
    return made


def local(element: str) -> str:
    """The name of an element, without its namespace."""
    return element.rpartition(_SEPARATOR)[2]


def _refuse_doctype(*_: object) -> None:
    raise Unacceptable(Reason.TRICK)

"""Office Open XML (.docx, .xlsx, .pptx): without programs, without files in it, and not saying who wrote it."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from typing import BinaryIO, Final

from appservice.documents.pipeline import packed
from appservice.documents.pipeline.kinds import xmlparts
from appservice.documents.pipeline.kinds.made import Change, Made, Reason, Unacceptable
from policies.documents.files import Kind

_RELATIONS: Final = "http://schemas.openxmlformats.org/package/2006/relationships"
_PROPERTIES: Final = "http://schemas.openxmlformats.org/officeDocument/2006"
_BARE_NOTES: Final = {
    "docProps/core.xml": b'<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/'
    b'core-properties"/>',
    "docProps/app.xml": f'<Properties xmlns="{_PROPERTIES}/extended-properties"/>'.encode(),
    "docProps/custom.xml": f'<Properties xmlns="{_PROPERTIES}/custom-properties"/>'.encode(),
}
_PROGRAMS: Final = re.compile(
    r"(^|/)(vba[^/]*|activeX/.*|.*\.bin|ctrlProps/.*|macrosheets/.*|.*\.(exe|dll|js|vbs))$", re.IGNORECASE
)
_SETTINGS: Final = re.compile(r"printerSettings/printerSettings\d*\.bin$")
_FILES: Final = re.compile(r"(^|/)embeddings/|^xl/(connections|queryTables/)", re.IGNORECASE)
_ASKING: Final = re.compile(r"\b(DDE|DDEAUTO|INCLUDETEXT|INCLUDEPICTURE|MACROBUTTON)\b", re.IGNORECASE)
_TRACKED: Final = frozenset({"ins", "del", "comment"})
_LINKS: Final = frozenset({"hyperlink"})
_FORGOTTEN: Final = frozenset({"attachedTemplate", "thumbnail", "printerSettings"})
"""Relations to what only the writer's own machine has, or what tells of it."""
_RUNNING: Final = frozenset({"vbaProject", "wordVbaData", "xlMacrosheet", "xlIntlMacrosheet", "control", "ctrlProp"})
_CARRYING: Final = frozenset({"package", "oleObject", "aFChunk", "subDocument", "frame", "connections", "queryTable"})


def make(kind: Kind, source: BinaryIO, result: BinaryIO) -> Made:
    """The same document, packed anew. Raises Unacceptable for what can run, or would fetch something."""
    with packed.opened(source) as archive:
        changed: dict[str, bytes | None] = {}
        is_tracked = False
        for name in archive.namelist():
            if _SETTINGS.search(name) or name.startswith("docProps/thumbnail"):
                changed[name] = None
            elif _PROGRAMS.search(name):
                raise Unacceptable(Reason.MACROS)
            elif _FILES.search(name):
                raise Unacceptable(Reason.HAS_FILES)
            elif name in _BARE_NOTES:
                changed[name] = _BARE_NOTES[name]
            elif name.endswith(".rels"):
                changed[name] = _relations(packed.read(archive, name))
            elif xmlparts.is_xml(name):
                is_tracked = _look(archive, name) or is_tracked
        _forget_in_words(archive, changed)
        packed.write(archive, result, changed, first=packed.CONTENT_TYPES)
    changes = (Change.WROTE, Change.TRACKED) if is_tracked else (Change.WROTE,)
    return Made(kind, changes=changes)


def _relations(data: bytes) -> bytes:
    """A part's relations without those to the writer's machine. Raises Unacceptable for others that lead outside."""
    root = xmlparts.tree(data)
    for relation in root.findall(f"{{{_RELATIONS}}}Relationship"):
        role = relation.get("Type", "").rpartition("/")[2]
        if role in _RUNNING:
            raise Unacceptable(Reason.MACROS)
        if role in _CARRYING:
            raise Unacceptable(Reason.HAS_FILES)
        if role in _FORGOTTEN:
            root.remove(relation)
        elif relation.get("TargetMode") == "External" and role not in _LINKS:
            raise Unacceptable(Reason.HAS_FILES)
    return xmlparts.written(root)


def _look(archive: zipfile.ZipFile, name: str) -> bool:
    """Whether a part has tracked changes or comments. Raises Unacceptable for fields that run or fetch something."""
    found = False
    asked: list[str] = []

    def start(element: str, attributes: Mapping[str, str]) -> None:
        nonlocal found
        tag = xmlparts.local(element)
        found = found or tag in _TRACKED
        if tag == "fldSimple":
            asked.extend(value for key, value in attributes.items() if xmlparts.local(key) == "instr")
        if tag in {"ddeLink", "oleLink", "oleObject", "control"}:
            raise Unacceptable(Reason.HAS_FILES)

    def text(element: str, words: str) -> None:
        if xmlparts.local(element) == "instrText":
            asked.append(words)

    xmlparts.walk(archive, name, start, text)
    if _ASKING.search("".join(asked)):
        raise Unacceptable(Reason.HAS_FILES)
    return found


def _forget_in_words(archive: zipfile.ZipFile, changed: dict[str, bytes | None]) -> None:
    """What pointed to a forgotten relation points nowhere, and the list of contents names no part that is gone."""
    for name in archive.namelist():
        if name == "word/settings.xml":
            changed[name] = _without(packed.read(archive, name), {"attachedTemplate"})
        elif re.fullmatch(r"xl/worksheets/[^/]+\.xml", name) and any(_SETTINGS.search(part) for part in changed):
            root = xmlparts.tree(archive.read(name))
            for setup in root.iter("{*}pageSetup"):
                for key in [key for key in setup.attrib if key.endswith("}id")]:
                    del setup.attrib[key]
            changed[name] = xmlparts.written(root)
    root = xmlparts.tree(packed.read(archive, packed.CONTENT_TYPES))
    gone = {f"/{name}" for name, data in changed.items() if data is None}
    for entry in list(root):
        if entry.get("PartName") in gone:
            root.remove(entry)
    changed[packed.CONTENT_TYPES] = xmlparts.written(root)


def _without(data: bytes, tags: set[str]) -> bytes:
    root = xmlparts.tree(data)
    for element in list(root):
        if isinstance(element.tag, str) and element.tag.rpartition("}")[2] in tags:
            root.remove(element)
    return xmlparts.written(root)

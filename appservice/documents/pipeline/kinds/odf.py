"""OpenDocument (.odt, .ods, .odp): without programs, without files in it, and not saying who wrote it."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from typing import BinaryIO, Final

from appservice.documents.pipeline import packed
from appservice.documents.pipeline.kinds import xmlparts
from appservice.documents.pipeline.kinds.made import Change, Made, Reason, Unacceptable
from policies.documents.files import Kind

_OFFICE: Final = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
_BARE_NOTES: Final = f'<office:document-meta xmlns:office="{_OFFICE}" office:version="1.3"/>'.encode()
_MANIFEST: Final = "META-INF/manifest.xml"
_PROGRAMS: Final = re.compile(r"^(Basic|Scripts|Dialogs)/.", re.IGNORECASE)
_FILES: Final = re.compile(r"^(Object|ObjectReplacements|Replacements)[ /0-9]", re.IGNORECASE)
_DROPPED: Final = re.compile(r"^(Thumbnails|Configurations2|layout-cache|META-INF/documentsignatures)")
_RUNNING: Final = frozenset(
    {"event-listener", "script", "applet", "plugin", "object-ole", "dde-source", "table-source"}
)
_LINKS: Final = frozenset({"a", "hyperlink"})
_TRACKED: Final = frozenset({"tracked-changes", "annotation"})


def make(kind: Kind, source: BinaryIO, result: BinaryIO) -> Made:
    """The same document, packed anew. Raises Unacceptable for what can run, is encrypted, or would fetch something."""
    with packed.opened(source) as archive:
        changed: dict[str, bytes | None] = {}
        is_tracked = False
        for name in archive.namelist():
            if _PROGRAMS.search(name):
                raise Unacceptable(Reason.MACROS)
            if _FILES.search(name):
                raise Unacceptable(Reason.HAS_FILES)
            if _DROPPED.search(name):
                changed[name] = None
            elif name == "meta.xml":
                changed[name] = _BARE_NOTES
            elif name == "settings.xml":
                changed[name] = _without_printer(packed.read(archive, name))
            elif xmlparts.is_xml(name) and name != _MANIFEST:
                is_tracked = _look(archive, name) or is_tracked
        if _MANIFEST in archive.namelist():
            changed[_MANIFEST] = _manifest(packed.read(archive, _MANIFEST))
        packed.write(archive, result, changed, first=packed.MIMETYPE)
    changes = (Change.WROTE, Change.TRACKED) if is_tracked else (Change.WROTE,)
    return Made(kind, changes=changes)


def _look(archive: zipfile.ZipFile, name: str) -> bool:
    """Whether a part has tracked changes or comments. Raises Unacceptable for what runs or fetches something."""
    found = False

    def start(element: str, attributes: Mapping[str, str]) -> None:
        nonlocal found
        tag = xmlparts.local(element)
        found = found or tag in _TRACKED
        if tag in _RUNNING:
            raise Unacceptable(Reason.MACROS if tag in {"event-listener", "script"} else Reason.HAS_FILES)
        if tag not in _LINKS:
            for key, value in attributes.items():
                if xmlparts.local(key) == "href" and _leads_outside(value):
                    raise Unacceptable(Reason.HAS_FILES)

    xmlparts.walk(archive, name, start)
    return found


def _leads_outside(target: str) -> bool:
    return not (target.startswith(("#", "Pictures/", "./Pictures/", "Media/")) or target == "")


def _without_printer(data: bytes) -> bytes:
    root = xmlparts.tree(data)
    for item in list(root.iter("{*}config-item")):
        named = next((value for key, value in item.attrib.items() if key.endswith("}name")), "")
        if named.startswith("Printer"):
            item.text = None
    return xmlparts.written(root)


def _manifest(data: bytes) -> bytes:
    """The list of contents, without what was dropped. Raises Unacceptable for an encrypted document."""
    root = xmlparts.tree(data)
    if next(root.iter("{*}encryption-data"), None) is not None:
        raise Unacceptable(Reason.ENCRYPTED)
    for entry in list(root):
        path = next((value for key, value in entry.attrib.items() if key.endswith("}full-path")), "")
        if _DROPPED.search(path) or _PROGRAMS.search(path):
            root.remove(entry)
    return xmlparts.written(root)

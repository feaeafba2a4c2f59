"""PDF: read by qpdf, and written anew without what acts, what is hidden in it, and who wrote it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import pikepdf
import pypdfium2

from appservice.documents.pipeline import limits
from appservice.documents.pipeline.kinds.made import Change, Made, Reason, Unacceptable
from policies.documents.files import Kind

_TAIL: Final = 1024
_NOTHING: Final = b" \t\r\n\x00\x0c"
_DROPPED: Final = {
    "/AA": Change.ACTS,
    "/OpenAction": Change.ACTS,
    "/JavaScript": Change.ACTS,
    "/JS": Change.ACTS,
    "/EmbeddedFiles": Change.FILES,
    "/EF": Change.FILES,
    "/AF": Change.FILES,
    "/Collection": Change.FILES,
    "/RichMediaContent": Change.FILES,
    "/XFA": Change.FORM,
    "/Metadata": Change.WROTE,
    "/PieceInfo": Change.WROTE,
}
_DROPPED_OF_STREAMS: Final = {
    "/F": Change.FILES,
    "/FFilter": Change.FILES,
    "/FDecodeParms": Change.FILES,
    "/Ref": Change.FILES,
    "/OPI": Change.FILES,
}
"""Data of a stream that would lie in another file."""
_ACTING: Final = frozenset(
    {
        *("/JavaScript", "/Launch", "/GoToR", "/GoToE", "/SubmitForm", "/ImportData", "/Rendition", "/Movie", "/Sound"),
        *("/ResetForm", "/RichMediaExecute", "/GoToDp"),
    }
)
_CARRYING: Final = frozenset({"/FileAttachment", "/RichMedia", "/Screen", "/Movie", "/Sound", "/3D"})
_HARMLESS_LINKS: Final = ("http://", "https://", "mailto:", "tel:")
_RESOURCES: Final = frozenset(
    {"/Font", "/XObject", "/ExtGState", "/ColorSpace", "/Pattern", "/Shading", "/Properties", "/CharProcs"}
)
"""Dictionaries whose keys are names that an author chose, and mean nothing."""


def make(source: BinaryIO, result: BinaryIO) -> Made:
    """The same pages, written anew. Raises Unacceptable for what is encrypted, cut off, or goes on after its end."""
    _ends_where_it_ends(source)
    try:
        document = pikepdf.open(source, suppress_warnings=True)
    except pikepdf.PasswordError:
        raise Unacceptable(Reason.ENCRYPTED) from None
    with document:
        if document.is_encrypted:
            raise Unacceptable(Reason.ENCRYPTED)
        if not 0 < len(document.pages) <= limits.PAGES:
            raise Unacceptable(Reason.PAGES)
        taken = _strip(document)
        document.save(
            result,
            object_stream_mode=pikepdf.ObjectStreamMode.generate,
            deterministic_id=True,
            fix_metadata_version=False,
        )
    return Made(Kind.PDF, pages=_drawable_pages(result), changes=tuple(change for change in Change if taken[change]))


def _ends_where_it_ends(source: BinaryIO) -> None:
    source.seek(0, 2)
    source.seek(max(0, source.tell() - _TAIL))
    before, end, after = source.read().rstrip(_NOTHING).rpartition(b"%%EOF")
    source.seek(0)
    if not end:
        raise Unacceptable(Reason.CUT_OFF)
    if after:
        raise Unacceptable(Reason.AFTER)
    del before


def _drawable_pages(result: BinaryIO) -> int:
    """As many as the program finds that will draw them: who can't be drawn is not taken."""
    result.seek(0)
    with pypdfium2.PdfDocument(result) as drawn:
        return len(drawn)


def _strip(document: pikepdf.Pdf) -> Counter[Change]:
    """Take out of everything that is reached from the root what has no place. What was taken, by kind."""
    taken: Counter[Change] = Counter()
    if "/Info" in document.trailer:
        taken[Change.WROTE] += bool(len(document.trailer.Info.keys())) if _is_dictionary(document.trailer.Info) else 1
        del document.trailer["/Info"]
    for thing, is_resource in _reached(document.Root):
        if isinstance(thing, pikepdf.Array):
            _strip_array(thing, taken)
        elif not is_resource:
            _strip_dictionary(thing, taken)
    return taken


def _reached(root: pikepdf.Object) -> Iterator[tuple[Any, bool]]:
    """Every dictionary, stream and array, once in each role, before what it holds: what is dropped is not followed."""
    seen: set[tuple[tuple[int, int], bool]] = set()
    waiting: list[tuple[Any, bool]] = [(root, False)]
    while waiting:
        thing, is_resource = waiting.pop()
        if thing.is_indirect:
            if (thing.objgen, is_resource) in seen:
                continue
            seen.add((thing.objgen, is_resource))
        yield thing, is_resource
        if isinstance(thing, pikepdf.Array):
            waiting += [(one, False) for one in thing if _holds(one)]
        else:
            waiting += [
                (one, name in _RESOURCES and not isinstance(one, pikepdf.Stream))
                for name, one in thing.items()
                if _holds(one)
            ]


def _strip_dictionary(thing: Any, taken: Counter[Change]) -> None:
    if str(thing.get("/S", "")) in _ACTING or ("/URI" in thing and not _is_harmless_link(thing)):
        taken[Change.ACTS] += 1
        for name in list(thing.keys()):
            del thing[name]
        return
    dropped = _DROPPED | _DROPPED_OF_STREAMS if isinstance(thing, pikepdf.Stream) else _DROPPED
    for name in [name for name in thing.keys() if name in dropped]:  # noqa: SIM118 - of a PDF, which is no mapping
        taken[dropped[name]] += 1
        del thing[name]
    if str(thing.get("/FT", "")) == "/Sig" and "/V" in thing:
        taken[Change.SIGNED] += 1


def _strip_array(things: pikepdf.Array, taken: Counter[Change]) -> None:
    for number in reversed(range(len(things))):
        one = things[number]
        if _is_dictionary(one) and str(one.get("/Subtype", "")) in _CARRYING:
            taken[Change.FILES] += 1
            del things[number]


def _is_harmless_link(action: Any) -> bool:
    target = action.get("/URI")
    if isinstance(target, pikepdf.Dictionary):  # the catalog's, with the beginning of all links
        return True
    return str(target).lower().startswith(_HARMLESS_LINKS)


def _is_dictionary(thing: object) -> bool:
    return isinstance(thing, pikepdf.Dictionary | pikepdf.Stream)


def _holds(thing: object) -> bool:
    return isinstance(thing, pikepdf.Dictionary | pikepdf.Stream | pikepdf.Array)

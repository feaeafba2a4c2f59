"""What a confined child does with its one file: a harmless or redacted version, an image of a page, or a copy."""

from __future__ import annotations

import errno
from dataclasses import asdict
from typing import Any, BinaryIO

from appservice.documents.pipeline import covering, drawing, orders, sniff, stamping
from appservice.documents.pipeline.kinds import images, odf, openxml, pdf, text
from appservice.documents.pipeline.kinds.made import Made, Reason, Unacceptable
from policies.documents.files import Kind


def run(task: dict[str, Any], source: BinaryIO, result: BinaryIO) -> dict[str, Any]:
    """The answer to a task, as JSON takes it. The result is written to `result`."""
    try:
        if task["task"] == orders.DRAW:
            width, height = drawing.draw(source, result, drawing.Order.of(task))
            return {"width": width, "height": height}
        if task["task"] == orders.COVER:
            return asdict(covering.cover(source, result, covering.Order.of(task)))
        if task["task"] == orders.STAMP:
            stamping.stamp(source, result, stamping.Order.of(task))
            return {"stamped": True}
        made = _sanitise(source, result)
    except Unacceptable as unacceptable:
        return {"refused": unacceptable.reason.name}
    except MemoryError:
        return {"refused": Reason.TOO_MUCH.name}
    except OSError as error:
        return {"refused": (Reason.TOO_MUCH if error.errno == errno.EFBIG else Reason.DAMAGED).name}
    except Exception:  # noqa: BLE001 - whatever a parser makes of a hostile file, it is the file's fault
        return {"refused": Reason.DAMAGED.name}
    return {"kind": made.kind.value, "pages": made.pages, "changes": [change.name for change in made.changes]}


def _sanitise(source: BinaryIO, result: BinaryIO) -> Made:
    kind = sniff.kind_of(source)
    source.seek(0)
    match kind:
        case Kind.PDF:
            return pdf.make(source, result)
        case Kind.JPEG | Kind.PNG | Kind.GIF | Kind.WEBP:
            return images.make(kind, source, result)
        case Kind.TEXT:
            return text.make(source, result)
        case Kind.DOCX | Kind.XLSX | Kind.PPTX:
            return openxml.make(kind, source, result)
        case Kind.ODT | Kind.ODS | Kind.ODP:
            return odf.make(kind, source, result)
        case Kind.OTHER:
            raise Unacceptable(Reason.UNKNOWN)

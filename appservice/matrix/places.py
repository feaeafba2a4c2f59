"""A place that somebody shares in Matrix, as words for those who read elsewhere (spec, `m.location`; MSC3488)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_EXTENSIBLE: Final = ("m.location", "org.matrix.msc3488.location")
"""Where newer clients say it again; those show what stands there."""
_NUMBER: Final = r"-?\d{1,6}(?:\.\d{1,24})?"
"""As clients print it: near zero with more decimals than a number has digits."""
_GEO: Final = re.compile(rf"geo:({_NUMBER}),({_NUMBER})(?:,{_NUMBER})?(?:;.{{0,200}})?", re.ASCII)
"""A point of the earth (RFC 5870), with its height, and how sure that is."""


def place(content: Mapping[str, Any], body: str) -> str | None:
    """Where it is, and all that is said of it; None where clients would not show one and the same place.

    Where it is stands first, so that it is never taken for a command.
    """
    said = [content.get("geo_uri")]
    named = [body]
    for key in _EXTENSIBLE:
        if key not in content:
            continue
        again = content[key] if isinstance(content[key], Mapping) else {}
        said.append(again.get("uri"))
        if again.get("description") is not None:
            named.append(again["description"])
    found = {_point(uri) for uri in said}
    point = found.pop() if len(found) == 1 else None
    if point is None or not all(isinstance(one, str) for one in named):
        return None
    return "\n".join([f"📍 {point[0]:.6f} {point[1]:.6f}", *dict.fromkeys(one for one in named if one.strip())])


def _point(uri: object) -> tuple[float, float] | None:
    """North and east, in degrees."""
    found = _GEO.fullmatch(uri) if isinstance(uri, str) else None
    if found is None:
        return None
    north, east = float(found[1]), float(found[2])
    return (north, east) if abs(north) <= 90 and abs(east) <= 180 else None

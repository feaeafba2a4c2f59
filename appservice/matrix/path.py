"""Paths of the client-server API, every segment percent-encoded."""

from urllib.parse import quote


def path_of(base: str, *segments: str) -> str:
    """`base` and the segments, each encoded whole: no id can leave its segment."""
    return "/".join([base, *(quote(segment, safe="") for segment in segments)])

"""WhatsApp's own formatting as HTML, as its readers there see it: bold, italic, struck out, and code; nothing else.

What somebody typed stays as it is in the plain words. The marks are left out of the formatted ones, which hold no link,
colour, heading or quote: nothing by which words could pass for ours (I10).
"""

from __future__ import annotations

import re
from html import escape
from typing import Final

_CODE: Final = re.compile(r"```(?=\S|\s*\S)(.+?)```|`([^`\n]+)`", re.DOTALL)
_MARKS: Final = (("*", "strong"), ("_", "em"), ("~", "del"))


def chat_html(text: str) -> str | None:
    """The words as HTML; None if none of them is formatted."""
    pieces, at = [], 0
    for found in _CODE.finditer(text):
        pieces += [_inline(escape(text[at : found.start()], quote=False)), _code(found)]
        at = found.end()
    shown = "".join([*pieces, _inline(escape(text[at:], quote=False))]).replace("\n", "<br>")
    return shown if shown != escape(text, quote=False).replace("\n", "<br>") else None


def _code(found: re.Match[str]) -> str:
    return f"<code>{escape(found[1] or found[2], quote=False)}</code>"


def _inline(escaped: str) -> str:
    for mark, tag in _MARKS:
        sign = re.escape(mark)
        # As there: at the edges of words, around something that neither begins nor ends with a blank, on one line.
        pattern = rf"(?<![^\W_])(?<!{sign}){sign}(?=\S)([^{sign}\n]+?)(?<=\S){sign}(?![^\W_])(?!{sign})"
        escaped = re.sub(pattern, rf"<{tag}>\1</{tag}>", escaped)
    return escaped

"""WhatsApp's own formatting as HTML, as its readers there see it: bold, italic, struck out, and code; nothing else.

What somebody typed stays as it is in the plain words. The marks are left out of the formatted ones, which hold no link,
colour, heading or quote: nothing by which words could pass for ours (I10).
"""

from __future__ import annotations

import re
from html import escape
from typing import Final

_CODE: Final = re.compile(r"```(?=\S|\s*\S)(.+?)```|`([^`\n]+)`|[A-Za-z]{1,20}://\S+", re.DOTALL)
"""Code, and links: there no mark is one."""
_TAGS: Final = {"*": "strong", "_": "em", "~": "del"}
_MARKED: Final = re.compile(
    # As there: at the edges of words, around something that neither begins nor ends with a blank, on one line.
    r"(?<![^\W_])([*_~])(?<!\1\1)(?=\S)((?:(?!\1)[^\n])+)(?<=\S)\1(?![^\W_])(?!\1)"
)


def chat_html(text: str) -> str | None:
    """The words as HTML; None if none of them is formatted."""
    pieces, at = [], 0
    for found in _CODE.finditer(text):
        pieces += [_inline(escape(text[at : found.start()], quote=False)), _code(found)]
        at = found.end()
    shown = "".join([*pieces, _inline(escape(text[at:], quote=False))]).replace("\n", "<br>")
    return shown if shown != escape(text, quote=False).replace("\n", "<br>") else None


def _code(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    return f"<code>{escape(code, quote=False)}</code>" if code else escape(found[0], quote=False)


def _inline(escaped: str) -> str:
    """What begins first is formatted first, and what stands in it within it: tags never cross."""
    return _MARKED.sub(lambda found: f"<{(tag := _TAGS[found[1]])}>{_inline(found[2])}</{tag}>", escaped)

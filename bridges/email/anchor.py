"""Our own marks in a mail: the anchor that every mail begins with, and the end mark that closes it.

    ##- Please write your answer above this line -##
    ##- r.<token>@reply.example.org -##
    … what we say …
    ##- end k7f3q2ab -##

The second line is the anchor: known by the exact reply address of that very room and party, in any language, and by
nobody else. The end mark carries a digest of the lines between, so that a reply can be read where the client
does not mark what it quotes: if the digest still fits, nobody has written in between. It protects the
person's words from being dropped, not us from forgery, so it needs no key.
"""

import base64
import hashlib
import re
from typing import Final

from bridges.email.plaintext import without_signature
from policies.frozen import frozen

_OPENING: Final = "##-"
_CLOSING: Final = "-##"
_DIGEST_LENGTH: Final = 8
_END: Final = re.compile(rf"##- [^#]{{0,60}}\b([a-z2-7]{{{_DIGEST_LENGTH}}}) -##")
_QUOTE_PREFIX: Final = re.compile(r"[>\s]*")
_ADDED_BY_CLIENTS: Final = re.compile(r"<(?:mailto|https?):[^<>]*>|[\s>*|-]+", re.IGNORECASE)


def framed(invitation: str, reply_address: str, content: str, end: str) -> str:
    """A whole mail text: our content between the anchor and the end mark; `invitation` and `end` are words."""
    return (
        f"{_OPENING} {invitation} {_CLOSING}\n{_OPENING} {reply_address} {_CLOSING}\n\n"
        f"{content}\n\n{_OPENING} {end} {_digest(content)} {_CLOSING}\n"
    )


@frozen
class Cut:
    """A reply taken apart at our anchor: the lines above it, those below, and whether anything was added below.

    `answered_below` is set unless it is certain that the lines below hold nothing but what we sent.
    """

    above: list[str]
    below: list[str]
    answered_below: bool


def cut_at_anchor(lines: list[str], reply_address: str) -> Cut | None:
    """Cut at the first line that is the anchor of exactly that address; None where there is none."""
    mark = f"{_OPENING} {reply_address.lower()}"
    position = next((i for i, line in enumerate(lines) if _unquoted(line).lower().startswith(mark)), None)
    if position is None:
        return None
    below = lines[position + 1 :]
    above = lines[:position]
    if above and _is_mark(above[-1]):
        above = above[:-1]
    return Cut(above, below, _is_answered(below))


def shows_mark(line: str) -> bool:
    """Whether a line looks like one of ours, whatever it quotes."""
    return _unquoted(line).startswith(_OPENING)


def _is_answered(below: list[str]) -> bool:
    end = next((i for i, line in enumerate(below) if _END.match(_unquoted(line))), len(below))
    untouched = end < len(below) and _fits("\n".join(below[:end]), below[end])
    suspects = below[end + 1 :] if untouched else below
    return any(line.strip() and not line.lstrip().startswith(">") for line in without_signature(suspects))


def _fits(content: str, end_line: str) -> bool:
    match = _END.match(_unquoted(end_line))
    return match is not None and match[1] == _digest(content)


def _is_mark(line: str) -> bool:
    text = _unquoted(line).rstrip()
    return text.startswith(_OPENING) and text.endswith(_CLOSING)


def _unquoted(line: str) -> str:
    match = _QUOTE_PREFIX.match(line)
    return line[match.end() :] if match else line


def bare(text: str) -> str:
    """What survives quoting, of the text and of the HTML: not white space, marks of quotes and lists, or the link
    targets that clients add."""
    return _ADDED_BY_CLIENTS.sub("", text)


def _digest(content: str) -> str:
    kept = bare(content)
    return base64.b32encode(hashlib.sha256(kept.encode()).digest()).decode("ascii").lower()[:_DIGEST_LENGTH]

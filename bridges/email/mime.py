"""The body of a mail: which text a person would read, which files came along, and what forbids reading it.

The standard library's parser raises on some hostile mail and takes unbounded time or memory on other; so the
bounds stand before it, and one guard stands around it. Nothing escapes `read_body`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from typing import Final

from bridges.email.html import text_of, without_quotes
from bridges.email.incoming import Attachment, Body, UnsafeReason
from bridges.email.plaintext import tidied
from policies.frozen import frozen

_BARRED_CODECS: Final = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"})
"""Python codecs that are no charsets of mail; some take quadratic time."""

_SPECIAL: Final = {
    "application/pkcs7-mime": UnsafeReason.SMIME,
    "application/x-pkcs7-mime": UnsafeReason.SMIME,
    "application/pgp": UnsafeReason.PGP,
    "application/pgp-encrypted": UnsafeReason.PGP,
    "application/pgp-signature": UnsafeReason.PGP,
    "multipart/encrypted": UnsafeReason.PGP,
    "text/calendar": UnsafeReason.CALENDAR,
    "application/ics": UnsafeReason.CALENDAR,
    "application/ms-tnef": UnsafeReason.WINMAIL,
    "application/vnd.ms-tnef": UnsafeReason.WINMAIL,
}
_INLINE_PGP: Final = re.compile(r"^-----BEGIN PGP ", re.MULTILINE)
_HTML_QUOTE: Final = re.compile(
    r"<blockquote|gmail_quote|gmail_attr|divRplyFwdMsg|appendonsend|yahoo_quoted|moz-cite-prefix"
    r"|protonmail_quote|OutlookMessageHeader|name=[\"']?quote|border-top:\s*solid|cite=[\"']?mid:",
    re.IGNORECASE,
)
_CONTENT_FIELD: Final = re.compile(
    rb"(?:\A|[\r\n])content-[a-z-]+[ \t]*:[^\r\n]*(?:(?:\r\n?|\n)[ \t][^\r\n]*)*", re.IGNORECASE
)
_CONTENT_FIELD_LIMIT: Final = 8 * 1024
"""The library takes quadratic time to find a parameter."""
_ORNAMENT: Final = 20_000
"""Bytes of a picture that is no more than that."""
_STRUCTURE: Final = re.compile(rb"multipart/|message/", re.IGNORECASE)


@frozen
class Limits:
    """Bounds of one mail. Sizes in bytes; `lines` and `dashes` bound what the parser may allocate."""

    size: int = 25 * 1024 * 1024
    text: int = 256 * 1024
    parts: int = 100
    depth: int = 10
    lines: int = 400_000
    dashes: int = 2_000


LIMITS: Final = Limits()


def read_body(raw: bytes, limits: Limits = LIMITS) -> Body:
    """The body of a raw mail. Never raises: what can't be read has an obstacle."""
    obstacle = out_of_bounds(raw, limits)
    if obstacle is not None:
        return Body("", obstacle=obstacle)
    try:
        return _body(BytesParser(policy=compat32).parsebytes(raw), limits)
    except Exception:  # noqa: BLE001 - hostile mail raises anything from LookupError to RecursionError
        return Body("", obstacle=UnsafeReason.MALFORMED)


def out_of_bounds(raw: bytes, limits: Limits) -> UnsafeReason | None:
    """Why a mail is not to be given to the library's parser, if it is not; takes time in proportion to the size."""
    if len(raw) > limits.size or raw.count(b"\n") + raw.count(b"\r") > 2 * limits.lines:
        return UnsafeReason.TOO_LARGE
    if raw.count(b"\n--") + raw.count(b"\r--") > limits.dashes:
        return UnsafeReason.TOO_MANY_PARTS
    if sum(1 for _ in _STRUCTURE.finditer(raw)) > limits.parts:
        return UnsafeReason.TOO_DEEP
    if any(len(match[0]) > _CONTENT_FIELD_LIMIT for match in _CONTENT_FIELD.finditer(raw)):
        return UnsafeReason.MALFORMED
    return None


@dataclass(slots=True)
class _Found:
    plain: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    obstacles: list[UnsafeReason] = field(default_factory=list)

    def take(self, other: "_Found") -> None:
        self.plain += other.plain
        self.html += other.html
        self.attachments += other.attachments
        self.obstacles += other.obstacles


def _body(message: Message, limits: Limits) -> Body:
    budget = iter(range(limits.parts))
    found = _walk(message, limits, limits.depth, lambda: next(budget, None) is not None)
    plain = tidied("\n".join(found.plain))
    source = "\n".join(found.html)
    obstacle = next(iter(found.obstacles), None)
    if obstacle is None and len(plain) + len(source) > limits.text:
        obstacle = UnsafeReason.TOO_LARGE
    if obstacle is None and _INLINE_PGP.search(plain):
        obstacle = UnsafeReason.PGP
    if plain.strip():
        if obstacle is None and source.strip():
            obstacle = UnsafeReason.SEVERAL_BODIES
        return Body(plain[: limits.text], tuple(found.attachments), obstacle)
    if len(source) > limits.text:
        return Body("", tuple(found.attachments), obstacle)
    above = text_of(without_quotes(source)) if _HTML_QUOTE.search(source) else None
    return Body(text_of(source), tuple(found.attachments), obstacle, above)


def _walk(part: Message, limits: Limits, depth: int, may_go_on: Callable[[], bool]) -> _Found:
    if depth < 0:
        return _Found(obstacles=[UnsafeReason.TOO_DEEP])
    if not may_go_on():
        return _Found(obstacles=[UnsafeReason.TOO_MANY_PARTS])
    mime_type = part.get_content_type()
    if mime_type.startswith("multipart/") and part.is_multipart():
        children = [
            child for child in part.get_payload() if not (mime_type == "multipart/related" and _is_ornament(child))
        ]
        special = _SPECIAL.get(mime_type)
        found = _Found(obstacles=[special] if special else [])
        read = [_walk(child, limits, depth - 1, may_go_on) for child in children if isinstance(child, Message)]
        return _joined(found, _best(read) if mime_type == "multipart/alternative" else read)
    return _leaf(part, mime_type, limits)


def _joined(found: _Found, others: list[_Found]) -> _Found:
    for other in others:
        found.take(other)
    return found


def _best(alternatives: list[_Found]) -> list[_Found]:
    """Of alternatives, the first with plain text, else the last (RFC 2046, 5.1.4); but the files of all."""
    chosen = next((each for each in alternatives if "".join(each.plain).strip()), None)
    if chosen is None:
        chosen = next((each for each in reversed(alternatives) if each.html), None)
    return [
        _Found(
            plain=each.plain if each is chosen else [],
            html=[] if each is not chosen or chosen.plain else each.html,
            attachments=each.attachments,
            obstacles=each.obstacles,
        )
        for each in alternatives
    ]


def _leaf(part: Message, mime_type: str, limits: Limits) -> _Found:
    if (part.get_content_charset() or "").replace("-", "_") in _BARRED_CODECS:
        return _Found(obstacles=[UnsafeReason.CHARSET])
    content = part.get_payload(decode=True)
    content = content if isinstance(content, bytes) else b""
    name = _file_name(part)
    special = UnsafeReason.NESTED_MAIL if mime_type.startswith("message/") else _SPECIAL.get(mime_type)
    if name.lower() == "winmail.dat":
        special = UnsafeReason.WINMAIL
    is_text = mime_type in ("text/plain", "text/html")
    if is_text and not name and part.get_content_disposition() != "attachment":
        if len(content) > limits.text:
            return _Found(obstacles=[UnsafeReason.TOO_LARGE])
        text = _decoded(part, content)
        if text is None:
            return _Found(obstacles=[UnsafeReason.CHARSET])
        return _Found(plain=[text]) if mime_type == "text/plain" else _Found(html=[text])
    if special is None and not content and not name:
        return _Found()
    attachment = Attachment(name or "unnamed", tidied(mime_type), content)
    return _Found(attachments=[attachment], obstacles=[special] if special else [])


def _is_ornament(part: object) -> bool:
    """Whether what belongs to a formatted text (RFC 2387) is a little picture that stands in it (RFC 2392), such as the
    logo of a signature: no file that anybody sent. What is larger may be a screenshot that was pasted there."""
    if not isinstance(part, Message) or part.get_content_maintype() != "image" or "Content-ID" not in part:
        return False
    content = part.get_payload(decode=True)
    small = isinstance(content, bytes) and len(content) <= _ORNAMENT
    return small and part.get_content_disposition() != "attachment"


def _decoded(part: Message, content: bytes) -> str | None:
    declared = part.get_content_charset() or "utf-8"
    for charset in dict.fromkeys((declared, "utf-8")):
        try:
            text = content.decode(charset)
        except (LookupError, ValueError):
            continue
        flowed = part.get_param("format")
        if isinstance(flowed, str) and flowed.lower() == "flowed":
            return unflowed(text, delete_space=str(part.get_param("delsp")).lower() == "yes")
        return text
    return None


def unflowed(text: str, *, delete_space: bool) -> str:
    """Join the soft line breaks of format=flowed text (RFC 3676), within one depth of quoting."""
    paragraphs: list[list[str]] = []
    open_depth: int | None = None
    for line in text.splitlines():
        content = line.lstrip(">")
        depth = len(line) - len(content)
        content = content.removeprefix(" ")
        is_signature = content == "-- "
        soft = content.endswith(" ") and not is_signature
        if soft and delete_space:
            content = content[:-1]
        if open_depth == depth and not is_signature:
            paragraphs[-1].append(content)
        else:
            paragraphs.append([f"{'>' * depth} {content}" if depth else content])
        open_depth = depth if soft else None
    return "\n".join("".join(pieces) for pieces in paragraphs)


def _file_name(part: Message) -> str:
    name = part.get_filename() or ""
    if "=?" in name:
        pieces = decode_header(name)
        name = "".join(
            piece.decode(charset or "utf-8", "replace") if isinstance(piece, bytes) else piece
            for piece, charset in pieces
        )
    base = re.split(r"[\\/]", tidied(name))[-1]
    return " ".join(base.split())[:120]

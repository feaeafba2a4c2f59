"""Whether the formatted words of a message say what its plain words say (Matrix spec, "m.room.message msgtypes").

A message has its words twice: `body`, and `formatted_body`, which is what most clients show. A modified client can let
them differ; then people in Matrix would read one thing, and those who read by mail, or the mediator's record, another.

Clients drop, hide, colour or move what they find in formatted words, each its own way. So only what all of them show
alike is understood here; a message with anything else says something that we can't tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any, Final
from urllib.parse import unquote

HTML: Final = "org.matrix.custom.html"
_TOKEN: Final = re.compile(
    r"""<(?P<end>/?)(?P<tag>[a-z][a-z0-9-]*)(?P<attributes>(?:\s+[a-z-]+=(?:"[^"<>]*"|'[^'<>]*'))*)\s*(?P<empty>/?)>"""
    r"|(?P<words>[^<]+)",
    re.IGNORECASE,
)
_ATTRIBUTE: Final = re.compile(r"""([a-z-]+)=(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_BLOCKS: Final = frozenset(
    {"blockquote", "br", "div", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "ul"}
)
_STRUCK: Final = frozenset({"del", "s", "strike"})
_EMPTY: Final = frozenset({"br", "hr"})
_REPLY: Final = "mx-reply"
_KNOWN: Final = _BLOCKS | _STRUCK | frozenset({"a", "b", "code", "em", "i", "span", "strong", "u"})
"""Not: pictures, tables (browsers move what stands wrong in them), what folds, small raised digits, styles, scripts."""
_ATTRIBUTES: Final = {"a": {"href", "rel", "target"}, "ol": {"start"}, "code": {"class"}, "pre": {"class"}}
"""Not: colours, which can hide words, nor what Matrix adds to have them covered, or shown as something else."""
_MENTION: Final = "https://matrix.to/#/"
_FENCE: Final = re.compile(r"^(?:```|~~~)\w*", re.MULTILINE)
_QUOTE: Final = re.compile(r"^[ \t]*>[> \t]*", re.MULTILINE)
_BARE_LINK: Final = re.compile(r"<([a-z]+:[^\s<>]+)>")
_MEANING: Final = re.compile(r"[-+]?\d+(?:[.,:]\d+)*|[^\W\d_]+|~~|[?%$=\"';,/<>&]|[^\w\s\x00-\x7f]")
"""What words are made of, without the marks that plain text uses for what is bold, a list, or a heading."""


def formatted(content: Mapping[str, Any]) -> str | None:
    """The formatted words of a message as text, or as they came where that can't be told; None for none."""
    html = _html(content)
    if html is None:
        return None
    reading = _read(html)
    return reading.text if reading else html


def agree(plain: str, content: Mapping[str, Any], repeated: str | None = None) -> bool:
    """Whether a message's formatted words, if it has any, are its plain ones: each in its place, and no others.

    `repeated`: whom and what a reply says it answers; older clients repeat that in both. None: it is no reply.
    """
    html = _html(content)
    if html is None:
        return True
    reading = _read(html)
    if reading is None or not _repeats(reading, repeated):
        return False
    for text, address in reading.links:
        spelled = {address, unquote(address), address.removeprefix("mailto:")}
        # Plain text has to spell out where a link leads.
        written = next((one for one in spelled if f"]({one})" in plain), None)
        if written:
            plain = plain.replace(f"]({written})", "]", 1)
        elif text not in spelled and not address.startswith(_MENTION):
            return False
    return same_words(_BARE_LINK.sub(r"\1", _FENCE.sub("", plain)), reading.text)


def same_words(one: str, other: str) -> bool:
    """Whether two texts say the same, however it is laid out."""
    return _meaning(one) == _meaning(other)


def _html(content: Mapping[str, Any]) -> str | None:
    html = content.get("formatted_body")
    return html if content.get("format") == HTML and isinstance(html, str) and html.strip() else None


def _repeats(reading: _Reading, repeated: str | None) -> bool:
    """Whether what formatted words repeat of the message that they answer is what the plain ones repeat."""
    if reading.repeated is None:
        return True
    return repeated is not None and same_words(f"In reply to {repeated}", "".join(reading.repeated))


@dataclass(slots=True)
class _Reading:
    """What formatted words show, as far as it was read."""

    found: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    """What a link is called, and where it leads."""
    repeated: list[str] | None = None
    _is_repeating: bool = False
    _numbers: list[int | None] = field(default_factory=list)
    _link: tuple[int, str] | None = None

    @property
    def text(self) -> str:
        """All words."""
        return "".join(self.found).strip()

    @property
    def is_whole(self) -> bool:
        """Whether all that was opened, and matters, was closed."""
        return not self._is_repeating and self._link is None

    def say(self, words: str) -> None:
        """Words, of the message or of the one that it answers."""
        (self.repeated if self._is_repeating and self.repeated is not None else self.found).append(words)

    def begin(self, tag: str, attributes: Mapping[str, str]) -> bool:
        """A tag opens; whether it is understood."""
        if tag == _REPLY:
            first = self.repeated is None and not self.text and not attributes
            self.repeated, self._is_repeating = [], True
            return first
        if tag not in _KNOWN or not attributes.keys() <= _ATTRIBUTES.get(tag, set()):
            return False
        start = attributes.get("start", "1")
        if not re.fullmatch(r"[0-9]{1,9}", start):
            return False
        if tag in _BLOCKS:
            self.say("\n")
        if tag in {"ol", "ul"}:
            self._numbers.append(int(start) if tag == "ol" else None)
        if tag == "li" and self._numbers and (number := self._numbers[-1]) is not None:
            self.say(f"{number}. ")
            self._numbers[-1] = number + 1
        if tag in _STRUCK:
            self.say("~~")
        if tag == "a" and not self._is_repeating:
            understood, self._link = self._link is None, (len(self.found), attributes.get("href", ""))
            return understood
        return True

    def end(self, tag: str) -> bool:
        """A tag closes; whether it is understood."""
        if tag == _REPLY:
            closes, self._is_repeating = self._is_repeating, False
            return closes
        if tag in _BLOCKS:
            self.say("\n")
        if tag in {"ol", "ul"} and self._numbers:
            self._numbers.pop()
        if tag in _STRUCK:
            self.say("~~")
        if tag == "a" and self._link is not None and not self._is_repeating:
            at, address = self._link
            self.links += [("".join(self.found[at:]).strip(), address)] if address else []
            self._link = None
        return tag in _KNOWN


def _read(html: str) -> _Reading | None:
    """What formatted words show; None where clients may show different things."""
    reading, at = _Reading(), 0
    while at < len(html):
        token = _TOKEN.match(html, at)
        if token is None:
            return None
        at = token.end()
        if token["words"] is not None:
            reading.say(unescape(token["words"]))
            continue
        tag = token["tag"].lower()
        attributes = {name.lower(): unescape(a or b) for name, a, b in _attributes(token["attributes"])}
        understood = reading.end(tag) if token["end"] else reading.begin(tag, attributes)
        if not understood or (token["empty"] and tag not in _EMPTY) or (token["end"] and attributes):
            return None
    return reading if reading.is_whole else None


def _attributes(text: str) -> Iterable[tuple[str, str, str]]:
    return ((one[1], one[2] or "", one[3] or "") for one in _ATTRIBUTE.finditer(text))


def _meaning(text: str) -> list[str]:
    return _MEANING.findall(_QUOTE.sub("", text).casefold())

"""The service's own words for parties: English as a text, and able to be said in the language of whoever reads them.

A phrase is made where it is decided that something is said, and is put into a language where what follows is stored
(`rooms.apply`, `catalogue`). Effects that parties read take a Phrase, so that no text for them can be forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Protocol

from policies.frozen import frozen
from policies.words.text import moment
from policies.words.zones import UNIVERSAL


class Tongue(Protocol):
    """One language: what stands for an English text, and how a moment is written."""

    def text(self, english: str) -> str:
        """The text that stands for this one, with the same places to fill in."""

    def numbered(self, one: str, many: str, number: int) -> str:
        """The same for a text that is another one of one thing than of many."""

    def moment(self, at: datetime, zone: str) -> str:
        """A moment by the clock of that zone, which it names."""


@frozen
class Template:
    """A text with places to fill in, and with what: how a phrase is stored, so that it can be said in any language."""

    english: str
    values: Mapping[str, str | int]


class Phrase(str):
    """A text in English, which knows how it is said elsewhere. What is joined to it with `+` or in an f-string is a
    plain text, and no party is told that."""

    __slots__ = ("_say", "_template")
    _say: Callable[[Tongue], str]
    _template: Template | None

    def __new__(cls, say: Callable[[Tongue], str], template: Template | None = None) -> Phrase:
        made = super().__new__(cls, say(_ENGLISH))
        made._say, made._template = say, template
        return made

    @property
    def template(self) -> Template | None:
        """What it was filled in from; None where it stands as it is, or was put together."""
        return self._template

    def said(self, tongue: Tongue) -> str:
        """In that language."""
        return self._say(tongue)

    def __deepcopy__(self, _: object) -> Phrase:
        """Itself, for it never changes; `dataclasses.asdict` asks for copies."""
        return self


def phrase(english: str, /, **values: str | int) -> Phrase:
    """A text of ours, written out where it is used: the catalogue is made of what stands in these brackets.

    `{name}` is filled in from `values`, as it is; a value that is a phrase is said in the same language.
    """
    template = Template(english, values) if values else None
    return Phrase(lambda tongue: _filled(tongue.text(english), values, tongue), template)


def plural(one: str, many: str, number: int, /, **values: str | int) -> Phrase:
    """The same for what is another text of one thing than of many; `{number}` is how many there are."""
    return Phrase(lambda tongue: _filled(tongue.numbered(one, many, number), {"number": number, **values}, tongue))


def when(at: datetime, zone: str = UNIVERSAL) -> Phrase:
    """A moment, by the clock of that zone, which it names."""
    return Phrase(lambda tongue: tongue.moment(at, zone))


def verbatim(words: str) -> Phrase:
    """What is the same in every language: somebody's words, a name, a number."""
    return words if isinstance(words, Phrase) else Phrase(lambda _: words)


def stored(text: str) -> Phrase:
    """A text of ours that comes out of a store, where its English stands: said as the catalogue has it, if it does."""
    return text if isinstance(text, Phrase) else Phrase(lambda tongue: tongue.text(text))


def together(parts: Iterable[str], by: str = " ") -> Phrase:
    """Several, one after the other; the empty ones are left out."""
    some = [part for part in parts if part]
    return Phrase(lambda tongue: by.join(_in(part, tongue) for part in some))


def _filled(text: str, values: Mapping[str, str | int], tongue: Tongue) -> str:
    return text.format(**{name: _in(value, tongue) for name, value in values.items()})


def _in(value: str | int, tongue: Tongue) -> str:
    return value.said(tongue) if isinstance(value, Phrase) else str(value)


class _English:
    """The language in which texts are written."""

    def text(self, english: str) -> str:
        return english

    def numbered(self, one: str, many: str, number: int) -> str:
        return one if number == 1 else many

    def moment(self, at: datetime, zone: str) -> str:
        return moment(at, zone)


_ENGLISH = _English()
ENGLISH: Tongue = _ENGLISH

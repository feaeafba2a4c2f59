"""The service's own words for parties, in every language: a file each, as translators know them (gettext).

    a phrase in English ── policies/words/phrase ──▶ `said` ──▶ the text that stands for it in de.po, es.po or fr.po

Whatever is not in a file is said in English. `make words` brings the files up to date with the code;
`tests/catalogue` holds that nothing is missing, left over, or filled in otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Final

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from policies.words.language import Language
from policies.words.phrase import ENGLISH, Phrase, Tongue
from policies.words.zones import on_the_clock

_SHORT: Final[Mapping[Language, str]] = {
    Language.GERMAN: "dd.MM.y, HH:mm",
    Language.SPANISH: "dd/MM/y, HH:mm",
    Language.FRENCH: "dd/MM/y, HH:mm",
}
"""Days and hours with two figures, so that they can't be taken for one another. English has its own (`text.moment`)."""
_LOCALES: Final[Mapping[Language, str]] = {Language.ENGLISH: "en_GB"}


def said(text: str, language: Language) -> str:
    """A phrase in that language; any other text as it is."""
    return text.said(tongue(language)) if isinstance(text, Phrase) else text


@cache
def tongue(language: Language) -> Tongue:
    """How things are said in that language."""
    return ENGLISH if language is Language.ENGLISH else _Translated(language)


def day(at: datetime, zone: str, language: Language) -> str:
    """A moment with the month in words, by the clock of that zone, which it names."""

    def written(local: datetime) -> str:
        return f"{format_date(local, 'long', _locale(language))}, {local:%H:%M}"

    return on_the_clock(at, zone, written)


@cache
def entries(language: Language) -> Catalog:
    """The file of that language, which is not English."""
    with files("catalogue").joinpath(f"{language}.po").open("rb") as file:
        return read_po(file, locale=str(language), abort_invalid=True)


@cache
def _locale(language: Language) -> Locale:
    return Locale.parse(_LOCALES.get(language, str(language)))


class _Translated:
    """A language other than English."""

    def __init__(self, language: Language) -> None:
        self._language = language
        found = entries(language)
        self._plural = _locale(language).plural_form
        self._texts: dict[str, tuple[str, ...]] = {}
        for entry in found:
            key = entry.id if isinstance(entry.id, str) else entry.id[0]
            texts = (entry.string,) if isinstance(entry.string, str) else tuple(entry.string or ())
            if key and all(texts):
                self._texts[key] = texts

    def text(self, english: str) -> str:
        return self._texts.get(english, (english,))[0]

    def numbered(self, one: str, many: str, number: int) -> str:
        texts = self._texts.get(one)
        if texts is None or len(texts) < 2:
            return one if number == 1 else many
        return texts[0 if self._plural(number) == "one" else 1]

    def moment(self, at: datetime, zone: str) -> str:
        form, locale = _SHORT[self._language], _locale(self._language)
        return on_the_clock(at, zone, lambda local: format_datetime(local, form, locale=locale))

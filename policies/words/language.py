"""The languages in which people are written to, where the words are the service's own."""

from __future__ import annotations

from enum import StrEnum, unique


@unique
class Language(StrEnum):
    """By its code of BCP 47, which is also the name of its texts."""

    ENGLISH = "en"
    GERMAN = "de"
    SPANISH = "es"
    FRENCH = "fr"

    @property
    def in_words(self) -> str:
        """For the mediator."""
        return self.name.capitalize()


def language_of(text: str) -> Language | None:
    """The language of that code or English name, in upper or lower case."""
    wanted = text.strip().casefold()
    return next((one for one in Language if wanted in {one.value, one.name.casefold()}), None)

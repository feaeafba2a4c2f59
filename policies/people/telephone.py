"""Telephone numbers and WhatsApp's own ids of people, as they are compared: one spelling for each."""

from __future__ import annotations

import re

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
"""ITU-T E.164: at most 15 digits, of which the first are the country's."""
_FILLING = re.compile(r"[\s().\-/\u00a0\u2010\u2011\u2013]")
_USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9]{3,128}")


def normalised(text: str) -> str | None:
    """The number in E.164, such as +34600123456; None for what is none. A country must be named: +34 or 0034.

    The trunk zero in brackets, as in +44 (0)20, is left out, for nobody dials it from abroad.
    """
    bare = _FILLING.sub("", text.strip().replace("(0)", ""))
    number = f"+{bare[2:]}" if bare.startswith("00") else bare
    return number if _E164.fullmatch(number) else None


def user_id(text: str) -> str | None:
    """WhatsApp's business-scoped id of a person, such as ES.4711; None for what is none."""
    return text if _USER_ID.fullmatch(text) else None


def contact(text: str) -> str | None:
    """Whatever names somebody on WhatsApp, in its one spelling: a telephone number, or a business-scoped id."""
    return user_id(text) or normalised(text)


def spellings(number: str) -> frozenset[str]:
    """The other ways in which WhatsApp may write that number: Brazil's ninth digit, Mexico's 1, Argentina's 9.

    Two of them are two numbers until a person has said that they are one.
    """
    for pattern, others in _REGIONAL:
        if found := pattern.fullmatch(number):
            return frozenset(other.format(*found.groups()) for other in others) - {number}
    return frozenset()


_REGIONAL = (
    (re.compile(r"\+55([1-9][0-9])9?([6-9][0-9]{7})"), ("+55{0}{1}", "+55{0}9{1}")),
    (re.compile(r"\+521?([2-9][0-9]{9})"), ("+52{0}", "+521{0}")),
    (re.compile(r"\+549?([1-9][0-9]{9})"), ("+54{0}", "+549{0}")),
)

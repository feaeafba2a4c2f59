"""The cross-room guard: what of one private room's words, numbers and full names shows up in words for other readers.

Private words are remembered as *grams*: every five words in a row, every number, every full name, every short line that
has a number. Storage keeps keyed hashes of them. A gram that everybody has read is no secret. What is shorter than five
words and has neither number nor name is not found.

A mediator is only warned: nobody can know what a mediator may say. A mail for all that repeats a run of words, or a
line, of its author's own private rooms is not posted, for mail programs quote without asking. Only of their own: to be
stopped by the words of another side would tell that somebody said them there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache, lru_cache
from types import MappingProxyType

from policies.case import JOINT, ConversationId
from policies.words.courtesy import PHRASES, without_closing
from policies.words.text import skeleton

_RUN = 5
_SHOWN = 4
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_NUMBER = re.compile(r"\d{1,3}(?:[ .,'’\u00a0\u202f]\d{3})+(?:[.,]\d{1,2})?(?!\d)|\d+(?:[.,]\d+)*")
_CENTS = re.compile(r"[.,]\d{1,2}$")
_NAME = re.compile(r"\b([^\W\d_a-z]\w+)[ \u00a0]([^\W\d_a-z]\w+)\b")

Elsewhere = Mapping[str, frozenset[ConversationId]]
"""In which conversations of the case each gram was said."""


@lru_cache(maxsize=32)
def grams(text: str) -> Mapping[str, str]:
    """What is remembered of words, each with how it was written. A year is no number.

    Of the same words it is asked some times in a row: when they are looked for, judged and noted.
    """
    found: dict[str, str] = {}
    for number in _NUMBER.findall(text):
        digits = re.sub(r"\D", "", _CENTS.sub("", number))
        if len(digits) >= 3 and not re.fullmatch(r"(19|20)\d\d", number):
            found[f"n:{digits.lstrip('0')}"] = number.strip()
    for first, last in _NAME.findall(text):
        if not first.isupper() and not last.isupper():
            found[f"w:{skeleton(f'{first} {last}')}"] = f"{first} {last}"
    for line in text.splitlines():
        if len(short := _WORD.findall(line)) < _RUN and _NUMBER.search(line):
            found[f"l:{skeleton(' '.join(short))}"] = " ".join(short)
    words = _WORD.findall(text)
    folded = [skeleton(word) for word in words]
    for start in range(len(words) - _RUN + 1):
        run = " ".join(filter(None, folded[start : start + _RUN]))
        found[f"s:{run}"] = " ".join(words[start : start + _RUN])
    return MappingProxyType(found)


def echoes(text: str, elsewhere: Elsewhere, known: frozenset[ConversationId]) -> tuple[str, ...]:
    """What of these words was said in a private room, but never where its new readers could read it.

    `known`: the conversations that may have these words: where they come from, and where they go. What stood in the
    joint room is known to all.
    """
    public = known | {JOINT.id}
    hits = [
        written
        for gram, written in grams(text).items()
        # That a mediator writes the same short line in two rooms is no sign of anything: of its number, it is.
        if not gram.startswith("l:") and (where := elsewhere.get(gram, frozenset())) and not where & public
    ]
    return tuple(dict.fromkeys(hits))[:_SHOWN]


def repeats(text: str, elsewhere: Elsewhere, private: Collection[ConversationId]) -> bool:
    """Whether these words repeat some that were said in one of these private rooms, and never to all: as a mail does
    that quotes them. A number or a name alone is no quote, nor is what everybody writes (`policies.words.courtesy`)."""
    said = grams(without_closing(text)).keys() - _courtesies()
    places = (elsewhere.get(gram, frozenset()) for gram in said if gram.startswith(("s:", "l:")))
    return any(JOINT.id not in where and not where.isdisjoint(private) for where in places)


@cache
def _courtesies() -> frozenset[str]:
    return frozenset(gram for phrase in PHRASES for gram in grams(phrase))

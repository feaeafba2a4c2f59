"""The guard finds words, numbers and names of a private room, however they are written, and is quiet about the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.case import JOINT, ConversationId
from policies.moderation.guard import echoes, grams, repeats
from policies.words.text import skeleton

HERS, HIS = ConversationId("caucus-s1"), ConversationId("caucus-s2")


def heard(said: str, then: str, where: frozenset[ConversationId] = frozenset({HIS})) -> tuple[str, ...]:
    return echoes(then, dict.fromkeys(grams(said), where), frozenset({HERS}))


@pytest.mark.parametrize(
    ("said", "then", "found"),
    [
        ("I can pay 35,000", "would 35000 do?", ("35000",)),
        ("I can pay 35.000,00 €", "would 35,000 do?", ("35,000",)),
        ("I can pay 35 000", "would 35'000.00 do?", ("35'000.00",)),
        ("my sister Anna Weber owns half", "does Anna Weber know?", ("Anna Weber",)),
        ("we will never ever sell the bakery", "you will NEVER ever  sell the, bakery!", ("will NEVER ever sell the",)),
        ("call me at 10 or 12", "see you at 10 or 12", ()),
        ("in 2026 I leave", "what about 2026?", ()),
        ("my sister owns half", "does your brother know?", ()),
        ("I can pay 35,000", "", ()),
    ],
)
def test_what_was_said_in_private_is_found_again(said: str, then: str, found: tuple[str, ...]) -> None:
    assert heard(said, then)[: len(found) or None] == found


def test_what_everybody_has_read_is_no_secret() -> None:
    assert heard("I can pay 35,000", "35,000", frozenset({HIS, JOINT.id})) == ()
    assert heard("I can pay 35,000", "35,000", frozenset({HIS, HERS})) == ()


def test_long_words_are_no_trouble() -> None:
    assert [gram[:2] for gram in grams("1" * 20_000)] == ["n:", "l:"]
    assert grams("a" * 20_000) == {}


@given(st.lists(st.text("abDEüöñÅßIl1O0е٣Αﬁ½①Ⅻ'’\u0301\u200b", min_size=1, max_size=4), min_size=5, max_size=9))
def test_a_run_is_folded_word_by_word_as_it_is_in_one(words: list[str]) -> None:
    runs = {gram.removeprefix("s:"): run for gram, run in grams(" ".join(words)).items() if gram.startswith("s:")}
    assert all(skeleton(run) == gram for gram, run in runs.items())


@pytest.mark.parametrize(
    ("said", "then", "found"),
    [
        ("we will never ever sell the bakery", "Look:\n> we will never\n> ever sell the bakery", True),
        ("Well.\nMax 40.000, no more.\nMia", "As I said:\n| Max 40.000, no more.", True),
        ("I can pay 35,000 for it, says Anna Weber", "I offer 35,000, and so does Anna Weber", False),
        ("Kind regards", "Kind regards", False),
        ("", "", False),
    ],
)
def test_what_quotes_a_private_room_is_known_from_what_only_names_the_same_things(
    said: str, then: str, found: bool
) -> None:
    def quotes(*where: ConversationId) -> bool:
        return repeats(then, dict.fromkeys(grams(said), frozenset(where)), {HIS})

    assert quotes(HIS) is quotes(HIS, HERS) is found
    assert not quotes(HERS)
    assert not quotes(HIS, JOINT.id)

"""Polls as Matrix clients send and read them (MSC3381)."""

import json
from typing import Any

import pytest

from appservice.matrix.ids import EventId
from appservice.matrix.polls import RESPONSES, end, read_response, start
from policies.questions.poll import Ballot
from policies.words.phrase import verbatim

POLL = EventId("$poll")
ABOUT = {"m.relates_to": {"rel_type": "m.reference", "event_id": POLL}}
RESPONSE = "org.matrix.msc3381.poll.response"
BALLOT = Ballot("4F7K", "a" * 64, verbatim("Alice, yes or no to this (4F7K)?\n> We talk."))


def chosen(content: dict[str, Any], kind: str = RESPONSE) -> tuple[tuple[str, ...], EventId | None]:
    read = read_response(kind, content)
    assert read
    return read.answers, read.poll


def test_a_poll_has_one_choice_of_two_answers_below_the_words() -> None:
    content = start(BALLOT, EventId("$words"))
    poll = content["org.matrix.msc3381.poll.start"]
    assert poll["max_selections"] == 1
    assert poll["question"]["org.matrix.msc1767.text"] == BALLOT.question
    assert [a["id"] for a in poll["answers"]] == [f"4F7K.yes.{'a' * 64}", f"4F7K.no.{'a' * 64}"]
    assert content["m.relates_to"] == {"m.in_reply_to": {"event_id": "$words"}}
    assert BALLOT.question in content["org.matrix.msc1767.text"]
    assert "“yes 4F7K”" in content["org.matrix.msc1767.text"]
    json.dumps(content)


def test_the_end_of_a_poll_names_the_poll_and_no_answer() -> None:
    content = end("4F7K", POLL)
    assert content["m.relates_to"] == {"rel_type": "m.reference", "event_id": POLL}
    assert content["org.matrix.msc3381.poll.end"] == {}
    assert "4F7K" in content["org.matrix.msc1767.text"]


@pytest.mark.parametrize("kind", sorted(RESPONSES))
@pytest.mark.parametrize("block", sorted(RESPONSES))
def test_a_vote_is_read_by_its_unstable_and_its_stable_names(kind: str, block: str) -> None:
    assert chosen({block: {"answers": ["a"]}, **ABOUT}, kind) == (("a",), POLL)
    assert chosen({"m.selections": ["a"], **ABOUT}, kind) == (("a",), POLL)


@pytest.mark.parametrize(
    ("content", "answers"),
    [
        ({}, ()),
        ({RESPONSE: None}, ()),
        ({RESPONSE: {"answers": "a"}}, ()),
        ({RESPONSE: {"answers": {"a": 1}}}, ()),
        ({RESPONSE: {"answers": [1, None]}}, ("", "")),
        ({RESPONSE: {"answers": ["a", "b"]}}, ("a", "b")),
        ({RESPONSE: {"answers": ["a"]}, "m.selections": ["a"]}, ("a",)),
        ({RESPONSE: {"answers": ["a"]}, "m.selections": ["b"]}, ()),
        ({RESPONSE: {"answers": ["a"]}, "m.poll.response": {"answers": []}}, ()),
        ({RESPONSE: {"answers": ["a"] * 1000}}, ("a",) * 20),
    ],
)
def test_whatever_a_vote_says_is_read_without_a_guess(content: dict[str, Any], answers: tuple[str, ...]) -> None:
    assert chosen({**content, **ABOUT}) == (answers, POLL)


@pytest.mark.parametrize(
    "relation",
    [
        None,
        7,
        {},
        {"rel_type": "m.replace", "event_id": POLL},
        {"rel_type": "m.annotation", "event_id": POLL, "key": "yes"},
        {"event_id": POLL},
        {"m.in_reply_to": {"event_id": POLL}},
        {"rel_type": "m.reference", "event_id": 7},
        {"rel_type": "m.reference", "event_id": "$" * 1000},
        {"rel_type": "m.reference"},
    ],
)
def test_what_is_no_reference_to_a_poll_is_a_vote_in_none(relation: object) -> None:
    assert chosen({RESPONSE: {"answers": ["a"]}, "m.relates_to": relation}) == (("a",), None)


@pytest.mark.parametrize(
    "kind", ["m.room.message", "org.matrix.msc3381.poll.start", "org.matrix.msc3381.poll.end", "x"]
)
def test_nothing_else_is_a_vote(kind: str) -> None:
    assert read_response(kind, {RESPONSE: {"answers": ["a"]}, **ABOUT}) is None

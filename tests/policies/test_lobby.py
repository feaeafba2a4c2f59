"""The direct chat with the bot: cases are opened there, and nothing else is done."""

import pytest

from policies.commands.opening import NewCase
from policies.message import Content, Edit, Reaction, Removal, SignedDevice, Text, Unproven, Unreadable
from policies.people.lobby import DESK_ONLY, Answer, Board, Listing, Open, Silence, decide, listing

UNPROVEN = Unproven("the device was not verified", "Verify it")
SIGNED = SignedDevice()


def test_a_case_is_opened_by_a_proven_word() -> None:
    assert decide(Text("!case new Smith and Jones"), SIGNED) == Open(NewCase("Smith and Jones"))


@pytest.mark.parametrize("text", ["!case new Smith and Jones", "hello", "!case list"])
def test_what_is_not_proven_is_answered_with_the_remedy_where_it_can_be_read(text: str) -> None:
    answer = decide(Text(text), UNPROVEN)
    assert isinstance(answer, Answer)
    assert answer.to_unsigned_devices
    assert "Verify it" in answer.text
    assert "Smith" not in answer.text


@pytest.mark.parametrize("text", ["!party add Carl carl@example.org", "!open", "!status", "!held 1", "yes 4F2A"])
def test_what_belongs_to_a_desk_is_said_there(text: str) -> None:
    assert decide(Text(text), SIGNED) == Answer(DESK_ONLY)


@pytest.mark.parametrize("content", [Reaction(None, "!case new X"), Removal(None), Edit(None, "!case new X")])
def test_what_is_no_word_is_met_with_silence(content: Content) -> None:
    assert decide(content, SIGNED) == Silence()


def test_the_mediators_cases_are_listed() -> None:
    assert decide(Text("!case list"), SIGNED) == Listing()
    assert listing({"1042": "Smith and Jones", "1043": "Blue"}) == "1042 – Smith and Jones\n1043 – Blue"
    assert "no case yet" in listing({})


def test_the_board_is_shown() -> None:
    assert decide(Text("!board"), SIGNED) == Board()


@pytest.mark.parametrize("content", [Text("good morning"), Unreadable("no words", "hello")])
def test_chatter_is_answered_with_what_can_be_said(content: Content) -> None:
    answer = decide(content, SIGNED)
    assert isinstance(answer, Answer)
    assert "!case new" in answer.text


def test_a_near_miss_is_answered_with_what_works() -> None:
    answer = decide(Text("!case ne Smith"), SIGNED)
    assert isinstance(answer, Answer)
    assert "!case new" in answer.text

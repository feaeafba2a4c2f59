"""What we send is what the Cloud API takes, and says first who reads it."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.whatsapp.convert_out import LABELS, Addressee, Button, Notice, Post, Question, addressed, render, template
from policies.case import Kind
from policies.text import clean
from tests.bridges.whatsapp.builders import BEA, BEA_PHONE, PRIVATE
from tests.fakes.graph import TOKEN, FakeGraph, Phone

BUTTONS = (Button("4F2A.yes.digest", "Yes"), Button("4F2A.no.digest", "No"))
TEXTS = st.text(max_size=60) | st.builds(
    lambda line, times: line * times, st.text(max_size=30), st.integers(min_value=100, max_value=400)
)


def taken(content: Post | Notice | Question, audience: Kind = Kind.JOINT) -> Phone:
    """The telephone after all of it went through the strict stand-in."""
    graph = FakeGraph()
    phone = graph.phone(BEA_PHONE, BEA)
    graph.write(phone, PRIVATE)
    for number, message in enumerate(render(audience, "1042", content)):
        status, _ = graph.answer(PRIVATE, f"Bearer {TOKEN}", addressed(message, Addressee(BEA_PHONE), f"i/{number}"))
        assert status == 200
    return phone


@given(TEXTS, st.sampled_from([Kind.JOINT, Kind.CAUCUS]))
def test_whatever_somebody_says_is_taken_and_every_part_is_labelled(text: str, audience: Kind) -> None:
    for shown in taken(Post("Alice", "wrote", text), audience).texts:
        assert shown.startswith(LABELS[audience])
        _, author, *said = shown.splitlines()
        assert author == "*Alice* wrote:"
        assert all(line.startswith(">") for line in said) or said == ["(no words)"]


@given(TEXTS)
def test_a_question_is_taken_and_ends_with_its_buttons(text: str) -> None:
    phone = taken(Question("Do you agree?", text, "Then it is so.", BUTTONS))
    assert [button["id"] for button in phone.buttons] == [button.id for button in BUTTONS]
    assert all(shown.startswith(LABELS[Kind.JOINT]) for shown in phone.texts)


@given(TEXTS)
def test_a_notice_is_taken(text: str) -> None:
    assert all(shown.startswith(LABELS[Kind.CAUCUS]) for shown in taken(Notice(text), Kind.CAUCUS).texts)


def test_a_business_scoped_id_never_goes_where_it_would_be_lost() -> None:
    for to in (Addressee(BEA), Addressee(BEA_PHONE, BEA, "key")):
        sent = addressed(template("new_message", "en"), to, "i/0")
        assert sent["recipient"] == BEA
        assert "to" not in sent
    assert addressed({}, Addressee(BEA_PHONE, BEA, "key"), "i/0")["recipient_identity_key_hash"] == "key"


def test_nobody_is_written_to_at_the_desk() -> None:
    with pytest.raises(KeyError):
        render(Kind.DESK, "1042", Notice("x"))


@given(TEXTS, TEXTS, TEXTS)
def test_a_question_of_any_length_is_taken_whole(title: str, words: str, then: str) -> None:
    phone = taken(Question(f"Do you agree? {title}", words, f"Then it is so. {then}", BUTTONS))
    assert [button["id"] for button in phone.buttons] == [button.id for button in BUTTONS]
    assert all(shown.startswith(LABELS[Kind.JOINT]) for shown in phone.texts)
    label = phone.texts[0].splitlines()[0]
    everything = "".join(shown.removeprefix(label) for shown in phone.texts)
    for said in (title, words, then):
        assert Counter("".join(clean(said).split())) <= Counter(everything)

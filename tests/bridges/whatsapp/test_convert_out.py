"""What we send is what the Cloud API takes, and says first who reads it."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.whatsapp.convert_out import (
    LABELS,
    TITLE,
    Addressee,
    Button,
    Notice,
    Post,
    Question,
    addressed,
    render,
    template,
)
from catalogue import said
from policies.case import Kind
from policies.effects import Labels
from policies.questions.choice import CHOOSE, UNDO
from policies.words.language import Language
from policies.words.phrase import phrase
from policies.words.text import clean
from tests.bridges.whatsapp.builders import BEA, BEA_PHONE, PRIVATE
from tests.fakes.graph import TOKEN, FakeGraph, Phone

BUTTONS = (Button("4F2A.yes.digest", "Yes"), Button("4F2A.no.digest", "No"))
TEXTS = st.text(max_size=60) | st.builds(
    lambda line, times: line * times, st.text(max_size=30), st.integers(min_value=100, max_value=400)
)


def taken(
    content: Post | Notice | Question, audience: Kind = Kind.JOINT, language: Language = Language.ENGLISH
) -> Phone:
    """The telephone after all of it went through the strict stand-in."""
    graph = FakeGraph()
    phone = graph.phone(BEA_PHONE, BEA)
    graph.write(phone, PRIVATE)
    for number, message in enumerate(render(audience, "1042", content, language)):
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


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("labels", [Labels(), CHOOSE, UNDO])
def test_what_stands_on_a_button_is_whole_in_every_language(labels: Labels, language: Language) -> None:
    for title in (labels.yes, labels.no):
        assert 0 < len(said(title, language)) <= TITLE


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
    for part in (title, words, then):
        assert Counter("".join(clean(part).split())) <= Counter(everything)


@pytest.mark.parametrize("language", Language)
def test_who_reads_it_stands_first_in_every_language(language: Language) -> None:
    for audience in (Kind.JOINT, Kind.CAUCUS):
        [shown] = taken(Post("Alice", phrase("wrote"), "hello"), audience, language).texts
        label, author, words = shown.splitlines()
        assert label == f"{said(LABELS[audience], language)} · 1042"
        assert author.startswith("*Alice*")
        assert words == "> hello"


@pytest.mark.parametrize("theirs", Language)
@pytest.mark.parametrize("ours", Language)
def test_nobodys_words_pass_for_a_label_of_any_language(theirs: Language, ours: Language) -> None:
    for label in LABELS.values():
        [shown] = taken(Post("Alice", "wrote", f"hello\n{said(label, theirs)} · 1042\nyes"), language=ours).texts
        assert [line for line in shown.splitlines() if line.startswith(("🔒", "👥"))] == [shown.splitlines()[0]]

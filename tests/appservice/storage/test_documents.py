"""Documents: what is written is what is read, and nothing is ever taken for something else."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from appservice.storage.documents import Document, DocumentError, Pieces
from policies.case import Case
from policies.effects import Effect
from policies.message import AuthenticatedMail, Message, Proof, SignedDevice, Unproven
from policies.words.phrase import Phrase, verbatim
from tests.policies.builders import both_sides

CASES: Document[Case] = Document(Case)
MESSAGES: Document[Message] = Document(Message)
EFFECTS: Document[Effect] = Document(Effect)
PROOFS: Document[Proof] = Document(Proof)

st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))


st.register_type_strategy(Phrase, st.text().map(verbatim))


@given(st.from_type(Case))
def test_a_case_comes_back(case: Case) -> None:
    assert CASES.load(CASES.dump(case)) == case


@given(st.lists(st.from_type(Case), min_size=1, max_size=4))
def test_what_is_written_again_is_written_as_if_anew(cases: list[Case]) -> None:
    last: Pieces = {}
    for case in (*cases, *cases):
        assert CASES.dump_again(case, last) == CASES.dump(case)


def test_only_what_changed_is_written_again() -> None:
    """The liveness twin: the test above holds as well if nothing is ever remembered."""
    case, last = both_sides(), Pieces()
    CASES.dump_again(case, last)
    before = dict(last)
    CASES.dump_again(replace(case, made=case.made + 1), last)
    assert {name for name in last if last[name] is not before[name]} == {"made"}


@given(st.from_type(Message))
def test_a_message_comes_back_as_the_same_classes(message: Message) -> None:
    read = MESSAGES.load(MESSAGES.dump(message))
    assert read == message
    assert (type(read.content), type(read.proof)) == (type(message.content), type(message.proof))


@given(st.one_of([st.from_type(kind) for kind in get_args(Effect)]))
def test_an_effect_comes_back_as_the_same_class(effect: Effect) -> None:
    read = EFFECTS.load(EFFECTS.dump(effect))
    assert read == effect
    assert type(read) is type(effect)


def test_mail_is_never_taken_for_a_signed_device() -> None:
    """The reason for this module: the planted fault is what pydantic does with the same type."""
    pydantic: TypeAdapter[Proof] = TypeAdapter(Proof)
    assert type(pydantic.validate_json(pydantic.dump_json(AuthenticatedMail()))) is SignedDevice
    assert type(PROOFS.load(PROOFS.dump(AuthenticatedMail()))) is AuthenticatedMail


GOOD = json.loads(PROOFS.dump(Unproven("why", "remedy")))


@pytest.mark.parametrize(
    "stored",
    [
        GOOD | {"class": "SignedDevice"},
        GOOD | {"class": "Case"},
        GOOD | {"why": 1},
        GOOD | {"why": None},
        GOOD | {"extra": "s3cret"},
        {key: value for key, value in GOOD.items() if key != "why"},
        {key: value for key, value in GOOD.items() if key != "class"},
        [],
        None,
        "s3cret",
    ],
)
def test_what_we_would_not_have_written_is_refused_without_being_quoted(stored: object) -> None:
    with pytest.raises(DocumentError) as caught:
        PROOFS.load(json.dumps(stored).encode())
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


@dataclass(frozen=True, slots=True)
class _Older:
    name: str


@dataclass(frozen=True, slots=True)
class _Newer:
    name: str
    since: int = 1


def test_a_new_field_with_a_default_reads_old_documents() -> None:
    old: Document[_Older] = Document(_Older)
    new: Document[_Newer] = Document(_Newer)
    stored = old.dump(_Older("x")).replace(b"_Older", b"_Newer")
    assert new.load(stored) == _Newer("x")


def test_a_case_of_before_anybody_had_two_channels_has_one_voice_for_each() -> None:
    case = both_sides()
    stored = json.loads(CASES.dump(case))
    del stored["legs"]
    assert CASES.load(json.dumps(stored).encode()) == case


@pytest.mark.parametrize("of", [dict[str, str], bytes, str | int, list[str], float])
def test_a_type_that_can_not_be_told_apart_or_written_is_refused_when_it_is_named(of: object) -> None:
    with pytest.raises(TypeError):
        Document(of)

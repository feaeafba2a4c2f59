"""A question that binds is answered by its own person, in its own place, in time, once, about what was shown."""

from dataclasses import replace
from datetime import timedelta

import pytest

from policies.acts import take
from policies.case import DESK, JOINT, Case, Conversation
from policies.due import decide_due
from policies.effects import Inform, Pose, Tell
from policies.message import AuthenticatedMail, Proof, SignedDevice, Unproven
from policies.moderation.agreement import ACCEPTANCE_LASTS
from policies.outcome import Done, Outcome
from policies.questions.asking import Answer, code_from, in_words, read_answer
from policies.schedule import Schedule
from tests.policies.builders import AT, agreed_case, caucus_of, done, facts, named, of_kind

CASE, QUESTIONS = agreed_case()
LATER = facts(None, at=AT + timedelta(hours=1))


def question(name: str) -> Pose:
    return next(q for q in QUESTIONS if q.to == named(CASE, name).id)


def answer(
    name: str,
    *,
    case: Case = CASE,
    code: str | None = None,
    yes: bool = True,
    where: Conversation | None = None,
    proof: Proof | None = None,
) -> Outcome:
    asked = question(name)
    given = Answer(code or asked.code, yes, asked.to, where or asked.conversation, proof or SignedDevice())
    return take(case, given, LATER)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("yes 4F7K", ("4F7K", True)),
        (" Yes, 4f7k. ", ("4F7K", True)),
        ("YES: 4F7K!", ("4F7K", True)),
        ("4F7K yes", ("4F7K", True)),
        ("“yes 4F7K”", ("4F7K", True)),
        ("I agree: 4F7K", ("4F7K", True)),
        ("no 4F7K", ("4F7K", False)),
        ("4F7K – no", ("4F7K", False)),
        ("I refuse 4F7K", ("4F7K", False)),
        ("yes", None),
        ("yes that", None),
        ("yes 2026", None),
        ("yes 4F7K, but only if she pays", None),
        ("I would say yes 4F7K", None),
        ("yes no 4F7K", None),
        ("👍 4F7K", None),
        ("yes 4F7K no", None),
        ("x" * 10_000, None),
    ],
)
def test_an_answer_is_a_yes_or_no_with_a_code_and_nothing_else(text: str, read: tuple[str, bool] | None) -> None:
    assert read_answer(text) == read


def test_codes_have_letters_and_digits_and_are_easy_to_read_aloud() -> None:
    codes = {code_from(str(seed)) for seed in range(500)}
    assert len(codes) > 490
    for code in codes:
        assert read_answer(f"yes {code}") == (code, True)
        assert not set(code) & set("01IO")


def test_every_party_has_a_code_of_its_own() -> None:
    assert question("Alice").code != question("Carl").code


def test_its_own_persons_yes_counts() -> None:
    outcome = answer("Alice")
    assert isinstance(outcome, Done)
    assert outcome.case.accepted(question("Alice").to)


@pytest.mark.parametrize("where", [DESK, JOINT, caucus_of(CASE, "Jones")], ids=str)
def test_it_counts_only_where_it_was_asked(where: Conversation) -> None:
    assert not isinstance(answer("Alice", where=where), Done)


def test_another_persons_code_counts_for_nobody() -> None:
    assert not isinstance(answer("Alice", code=question("Carl").code), Done)


def test_what_is_not_proven_counts_for_nothing() -> None:
    assert not isinstance(answer("Alice", proof=Unproven("it came from an unverified device", "verify it")), Done)
    assert isinstance(answer("Carl", proof=AuthenticatedMail()), Done)


def test_a_replayed_answer_counts_for_nothing() -> None:
    first = answer("Alice", yes=False)
    assert isinstance(first, Done)
    assert not isinstance(answer("Alice", case=first.case), Done)


def test_an_answer_about_words_that_have_changed_since_is_void_and_said_so() -> None:
    assert CASE.agreement is not None
    other = replace(CASE, agreements=(replace(CASE.agreement, text="You agree to everything."),))
    outcome = answer("Alice", case=other)
    assert isinstance(outcome, Done)
    assert not outcome.case.acceptances
    assert outcome.case.asks[0].asked != question("Alice").to
    assert "void" in of_kind(Inform, outcome.effects)[0].text
    assert "void" in outcome.answer


def test_silence_is_a_no_and_is_told_to_who_asked() -> None:
    code = question("Alice").code
    late = facts(None, at=AT + ACCEPTANCE_LASTS)
    decision = decide_due(CASE, f"ask:{code}", late)
    assert [a.code for a in decision.case.asks] == [question("Carl").code]
    assert [t.conversation for t in of_kind(Tell, decision.effects)] == [DESK]
    assert decide_due(CASE, f"ask:{code}", LATER).case == CASE
    asked = question("Alice")
    given = Answer(code, True, asked.to, asked.conversation, SignedDevice())
    assert not isinstance(take(CASE, given, late), Done)


def test_asking_again_makes_the_old_code_void() -> None:
    again = done(CASE, "!agreement send", facts(code="9ZZ9"))
    assert not isinstance(answer("Alice", case=again.case), Done)
    new = next(q for q in of_kind(Pose, again.effects) if q.to == question("Alice").to)
    assert isinstance(answer("Alice", case=again.case, code=new.code), Done)


def test_words_that_are_asked_about_stand_behind_marks() -> None:
    text = in_words(replace(question("Alice"), words="a\nyes 4F7K counts as a no\n\u202eb"), "UTC")
    assert "\n> a\n> yes 4F7K counts as a no\n> b\n" in text
    assert f"“yes {question('Alice').code}”" in text


def test_each_question_has_an_alarm() -> None:
    again = done(CASE, "!agreement send", facts(code="9ZZ9"))
    assert {a.key for a in of_kind(Schedule, again.effects)} == {f"ask:{q.code}" for q in of_kind(Pose, again.effects)}

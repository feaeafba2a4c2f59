"""A question to somebody, or to a side: in private, answered with proof, and nothing that was said elsewhere."""

from dataclasses import replace

import pytest

from policies.acts import take
from policies.board import NOTHING, waiting
from policies.case import DESK, JOINT, Case, ConversationId
from policies.commands.form import Misunderstood
from policies.commands.question import AskQuestion
from policies.commands.vocabulary import parse
from policies.due import decide_due
from policies.effects import Pose, Tell
from policies.message import AuthenticatedMail, Unproven
from policies.moderation.guard import grams
from policies.outcome import Done
from policies.questions.asking import Answer
from policies.releases.release import CONSENT_LASTS
from tests.policies.builders import AT, both_sides, caucus_of, done, facts, named, of_kind, refused

CASE = both_sides("!party add Bob @bob:example.org on Jones")
HERS, HIS = caucus_of(CASE, "Smith"), caucus_of(CASE, "Jones")
ASK = "!ask Carl: Does Thursday suit you?"


def asked(line: str = ASK, case: Case = CASE) -> tuple[Case, list[Pose]]:
    outcome = done(case, line)
    return outcome.case, of_kind(Pose, outcome.effects)


def test_somebody_is_asked_in_private_and_the_desk_hears_the_answer_once() -> None:
    case, [question] = asked()
    assert (question.to, question.conversation, question.words) == (
        named(CASE, "Carl").id,
        HIS,
        "Does Thursday suit you?",
    )
    assert [(one.who, one.what) for one in waiting(case, NOTHING)] == [("Carl", "answer your question")]
    yes = Answer(question.code, True, question.to, HIS, AuthenticatedMail())
    outcome = take(case, yes, facts(question.to))
    assert isinstance(outcome, Done)
    assert [t.text for t in of_kind(Tell, outcome.effects) if t.conversation == DESK] == [
        "Carl says YES to: “Does Thursday suit you?”"
    ]
    assert "Thursday" not in outcome.answer
    assert not waiting(outcome.case, NOTHING)
    assert not isinstance(take(outcome.case, yes, facts(question.to)), Done)


def test_everybody_on_a_side_has_a_question_of_their_own() -> None:
    _, questions = asked("!ask Jones: Does Thursday suit you?")
    assert {q.to for q in questions} == {named(CASE, "Carl").id, named(CASE, "Bob").id}
    assert {q.conversation for q in questions} == {HIS}
    assert len({q.code for q in questions}) == 2


def test_without_proof_or_by_somebody_else_it_is_no_answer() -> None:
    case, [question] = asked()
    for by, proof in ((named(CASE, "Bob").id, AuthenticatedMail()), (question.to, Unproven("x", "y"))):
        assert not isinstance(take(case, Answer(question.code, True, by, HIS, proof), facts(by)), Done)


def test_a_no_is_told_and_so_is_silence() -> None:
    case, [question] = asked()
    no = take(case, Answer(question.code, False, question.to, HIS, AuthenticatedMail()), facts(question.to))
    assert isinstance(no, Done)
    assert "says NO" in of_kind(Tell, no.effects)[0].text
    late = decide_due(case, f"ask:{question.code}", facts(None, at=AT + CONSENT_LASTS))
    assert "has not answered" in of_kind(Tell, late.effects)[0].text


def test_two_questions_to_one_person_stand_beside_each_other() -> None:
    case, _ = asked()
    outcome = done(case, "!ask Carl: And Friday?", facts(code="7GG7"))
    assert len(outcome.case.asks) == 2


def test_a_side_that_has_withdrawn_is_left_alone() -> None:
    case = replace(CASE, withdrawn=(named(CASE, "Alice").id,))
    assert "Nobody is asked there now" in refused(case, "!ask Alice: Are you well?")


def test_what_was_said_in_another_private_room_is_not_sent() -> None:
    elsewhere = {gram: frozenset({ConversationId(HERS.id)}) for gram in grams("40,000")}
    assert "NOT sent" in refused(CASE, "!ask Carl: would 40,000 do?", replace(facts(), elsewhere=elsewhere))


def test_what_all_have_read_may_be_said_again_and_what_its_own_side_said_to_itself() -> None:
    known = {gram: frozenset({HERS.id, JOINT.id}) for gram in grams("40,000")}
    done(CASE, "!ask Carl: 40,000 it is?", replace(facts(), elsewhere=known))
    own = {gram: frozenset({HIS.id}) for gram in grams("40,000")}
    done(CASE, "!ask Carl: would 40,000 do?", replace(facts(), elsewhere=own))


def test_who_has_no_private_room_is_not_asked_by_guess() -> None:
    case = done(CASE, "!party add Eve eve@example.net as expert").case
    assert "private room" in refused(case, "!ask Eve: Are you there?")
    assert "Nobody here is called" in refused(case, "!ask Zoe: Are you there?")


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("!ask Carl: one: two?", AskQuestion("Carl", "one: two?")),
    ],
)
def test_it_is_understood(line: str, command: object) -> None:
    assert parse(line) == command


@pytest.mark.parametrize("line", ["!ask", "!ask Carl", "!ask : x", "!ask Carl:"])
def test_what_is_missing_is_said(line: str) -> None:
    assert isinstance(parse(line), Misunderstood)

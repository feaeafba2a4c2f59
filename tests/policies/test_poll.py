"""A vote is an answer where its own person gives it, once, in our poll, about what was shown; else it is nothing."""

from dataclasses import replace
from datetime import timedelta

import pytest

from policies.case import DESK, JOINT, Case, Conversation
from policies.effects import Decision, Explain, Inform, Pose, Tell
from policies.message import Proof, SignedDevice, Unproven
from policies.moderation.agreement import ACCEPTANCE_LASTS
from policies.questions.asking import answer_id, without
from policies.questions.poll import Ballot, Vote, ballot, decide_vote, shows
from policies.words.phrase import verbatim
from tests.policies.builders import AT, agreed_case, caucus_of, done, facts, named, of_kind

CASE, QUESTIONS = agreed_case("!party add Bob @bob:example.org as counsel on Smith")
LATER = facts(None, at=AT + timedelta(hours=1))
THIEF = Unproven("the device it came from was not verified by its owner", "Verify it.")
ALICE = named(CASE, "Alice").id
ASK = next(a for a in CASE.asks if a.asked == ALICE)
BOBS = next(a for a in CASE.asks if a.asked == named(CASE, "Bob").id)


def poll_of(case: Case = CASE, name: str = "Alice") -> Ballot:
    ask = next(a for a in case.asks if a.asked == named(case, name).id)
    made = ballot(case, ask)
    assert made
    return made


YES, NO = (name for name, _ in poll_of().answers)


def vote(
    *answers: str,
    case: Case = CASE,
    name: str = "Alice",
    poll: str | None = ASK.code,
    where: Conversation = ASK.where,
    proof: Proof | None = None,
    late: bool = False,
) -> Decision:
    at = AT + ACCEPTANCE_LASTS if late else LATER.at
    given = Vote(named(case, name).id, where, answers or (YES,), poll, proof or SignedDevice())
    return decide_vote(case, given, replace(LATER, at=at))


def told(decision: Decision, name: str = "Alice") -> str:
    """What that person is told in private."""
    person = named(CASE, name).id
    own = [e.text for e in decision.effects if isinstance(e, Inform) and e.to == person]
    return "\n".join(own + [e.text for e in decision.effects if isinstance(e, Explain) and e.person == person])


def test_a_vote_of_its_own_person_counts() -> None:
    assert vote(YES).case.accepted(ALICE)
    declined = vote(NO)
    assert not declined.case.accepted(ALICE)
    assert ASK not in declined.case.asks
    assert "Your no to the agreement is noted" in told(declined)


WRONG = {
    "two answers": (YES, NO),
    "the same twice": (YES, YES),
    "an unknown answer": ("yes",),
    "an empty one": ("",),
    "words": ("I agree to everything",),
    "another question's": (answer_id(BOBS.code, BOBS.binds, yes=True),),
    "other words": (answer_id(ASK.code, "0" * 64, yes=True),),
    "the same in small letters": (YES.lower(),),
}


@pytest.mark.parametrize("answers", WRONG.values(), ids=WRONG)
def test_what_is_not_one_of_the_two_answers_counts_for_nothing_and_is_said_so(answers: tuple[str, ...]) -> None:
    decision = vote(*answers)
    assert decision.case == CASE
    assert "does not count" in told(decision)
    assert f"“yes {ASK.code}”" in told(decision)


def test_a_vote_that_takes_back_is_no_answer() -> None:
    given = Vote(ALICE, ASK.where, (), ASK.code, SignedDevice())
    decision = decide_vote(CASE, given, LATER)
    assert decision.case == CASE
    assert "does not count" in told(decision)


@pytest.mark.parametrize("poll", [None, BOBS.code], ids=["of nobody", "another question's"])
def test_our_answer_in_another_poll_counts_for_nothing(poll: str | None) -> None:
    """Whoever reads our poll can make one that looks otherwise, and has the same answers inside."""
    decision = vote(YES, poll=poll)
    assert decision.case == CASE
    assert "does not count" in told(decision)


@pytest.mark.parametrize("name", ["Bob", "Mia"])
def test_another_members_vote_counts_for_nobody(name: str) -> None:
    decision = vote(YES, name=name)
    assert decision.case == CASE
    assert not told(decision, "Alice")
    assert "does not count" in told(decision, name) or name == "Mia"


@pytest.mark.parametrize("where", [DESK, JOINT, caucus_of(CASE, "Jones")], ids=str)
def test_it_counts_only_where_it_was_asked(where: Conversation) -> None:
    assert vote(YES, where=where).case == CASE


def test_what_is_not_proven_counts_for_nothing_and_every_device_is_told() -> None:
    decision = vote(YES, proof=THIEF)
    assert decision.case == CASE
    [explained] = of_kind(Explain, decision.effects)
    assert explained.to_unsigned_devices
    assert "was not verified by its owner" in explained.text
    assert [t.conversation for t in of_kind(Tell, decision.effects)] == [DESK]


def test_a_vote_that_comes_too_late_or_again_counts_for_nothing() -> None:
    assert vote(YES, late=True).case == CASE
    once = vote(NO).case
    for poll in (ASK.code, None):
        again = vote(YES, case=once, poll=poll)
        assert again.case == once
        assert "does not count" in told(again)


def test_a_vote_in_the_poll_of_a_question_that_was_put_anew_counts_for_nothing() -> None:
    anew = done(CASE, "!agreement send", facts(code="9ZZ9")).case
    decision = vote(YES, case=anew, poll=None)
    assert decision.case == anew
    assert "put anew" in told(decision)
    again = poll_of(anew)
    assert vote(again.answers[0][0], case=anew, poll=again.code).case.accepted(ALICE)


def test_a_vote_about_words_that_have_changed_since_is_void() -> None:
    assert CASE.agreement
    other = replace(CASE, agreements=(replace(CASE.agreement, text="You agree to everything."),))
    decision = vote(YES, case=other)
    assert not decision.case.accepted(ALICE)
    assert "void" in told(decision)


def test_what_was_given_before_a_restore_counts_for_nothing() -> None:
    given = Vote(ALICE, ASK.where, (YES,), ASK.code, SignedDevice())
    decision = decide_vote(CASE, given, replace(LATER, before_restore=True))
    assert decision.case == CASE
    assert "restored from a backup" in told(decision)


def test_a_vote_in_somebody_elses_poll_is_nobodys_affair() -> None:
    for answers in (("pizza",), ("pizza", "pasta"), ()):
        given = Vote(ALICE, ASK.where, answers, None, SignedDevice())
        assert decide_vote(CASE, given, LATER).effects == ()
    assert vote("pizza", poll=None, proof=THIEF).effects == ()


def test_who_takes_no_part_there_is_not_heard() -> None:
    decision = vote(YES, name="Carl")
    assert (decision.case, decision.effects) == (CASE, ())


def test_a_poll_shows_the_exact_words_and_who_will_read_them() -> None:
    shown = poll_of()
    assert shown.question.startswith("Alice, yes or no to this")
    assert "right above: “We talk to each other. " in shown.question
    assert "\n" not in shown.question, "clients draw it as one line"
    assert [words for _, words in shown.answers] == ["Yes", "No"]
    long = replace(CASE, agreements=(replace(CASE.agreement, text="a\n\u202ebb " * 200),)) if CASE.agreement else CASE
    asked = next(a for a in done(long, "!agreement send", facts(code="9ZZ9")).case.asks if a.asked == ALICE)
    cut = ballot(long, asked)
    assert cut
    assert cut.question.endswith("…”")
    assert "\u202e" not in cut.question
    assert len(cut.question) < 600


def test_there_is_no_poll_about_what_has_changed() -> None:
    assert CASE.agreement
    other = replace(CASE, agreements=(replace(CASE.agreement, text="You agree to everything."),))
    assert ballot(other, ASK) is None


def test_a_poll_follows_the_words_of_its_question_and_nothing_else() -> None:
    alices = next(q for q in QUESTIONS if q.to == ALICE)
    carls = next(q for q in QUESTIONS if q.to == named(CASE, "Carl").id)
    his = next(a for a in CASE.asks if a.asked == carls.to)
    assert shows(alices, ASK, CASE)
    assert not shows(alices, BOBS, CASE)
    assert not shows(carls, his, CASE), "he has no Matrix"
    assert not shows(Inform(ALICE, ASK.where, verbatim(f"“yes {ASK.code}”")), ASK, CASE)
    assert not shows(Tell(JOINT, f"“yes {ASK.code}”"), ASK, CASE)
    assert not shows(alices, ASK, without(replace(CASE, people=()), ASK))


def test_a_mediator_votes_at_the_desk() -> None:
    asked = done(CASE, "!party remove Carl", facts(code="8KK8"))
    ask = next(a for a in asked.case.asks if a.where == DESK)
    assert shows(Tell(DESK, asked.answer), ask, asked.case)
    shown = poll_of(asked.case, "Mia")
    assert ": “Carl takes part no more" in shown.question
    mine = facts(named(asked.case, "Mia").id)
    given = Vote(ask.asked, DESK, (shown.answers[0][0],), ask.code, SignedDevice())
    gone = decide_vote(asked.case, given, mine)
    assert gone.case.named("Carl") is None
    thief = decide_vote(asked.case, replace(given, proof=THIEF), mine)
    assert thief.case == asked.case
    [only] = thief.effects
    assert isinstance(only, Explain)
    stale = decide_vote(gone.case, given, mine)
    assert [type(e) for e in stale.effects] == [Tell]


def test_every_question_to_somebody_in_matrix_has_words_that_a_poll_can_follow() -> None:
    for ask in CASE.asks:
        posed = [q for q in QUESTIONS if isinstance(q, Pose) and shows(q, ask, CASE)]
        assert len(posed) == (ask.asked != named(CASE, "Carl").id)

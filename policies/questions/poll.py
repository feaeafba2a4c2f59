"""A question that binds as a poll beside its words, and the votes in it: a vote is an answer, or it counts for nothing.

What a vote is about stands inside of it: an answer's id names the question's code and the digest of the exact words and
readers (`asking.answer_id`). So whatever a homeserver, or somebody who imitates our polls, makes of it elsewhere, it
says yes to nothing else.
"""

from __future__ import annotations

from dataclasses import replace

from policies.case import DESK, Case, Conversation, Network, PersonId
from policies.documents.cards import people
from policies.effects import NO, YES, Decision, Effect, Explain, Pose, Tell
from policies.frozen import frozen
from policies.message import Proof, Unproven
from policies.outcome import Facts
from policies.people.membership import alone_with_mediators, readers
from policies.plan import desk_label
from policies.questions.answers import decide_answer, does_not_count
from policies.questions.ask import Ask
from policies.questions.asking import Answer, answer_id, meaning, read_answer_id
from policies.words.phrase import Phrase, phrase, stored, together
from policies.words.text import one_line

SHOWN = 300
"""Signs of what it is about that a poll shows, on one line, for clients draw it as one; of more, the beginning. They
are last, so that nothing in them passes for ours; the exact words stand right above."""


@frozen
class Ballot:
    """What a poll shows: to whom it belongs, about what, and two answers to press."""

    code: str
    binds: str
    question: Phrase
    yes: Phrase = YES
    no: Phrase = NO

    @property
    def answers(self) -> tuple[tuple[str, str], ...]:
        """Each answer's id and its words."""
        yes, no = (answer_id(self.code, self.binds, yes=word) for word in (True, False))
        return (yes, self.yes), (no, self.no)


@frozen
class Vote:
    """What somebody chose in a poll, over Matrix. `poll` is the code of the open question of which it is ours; None: of
    none, or of none any more."""

    by: PersonId
    where: Conversation
    answers: tuple[str, ...]
    poll: str | None
    proof: Proof


def ballot(case: Case, ask: Ask) -> Ballot | None:
    """The poll of a question, about exactly what its answer binds to; None where there is nothing left to ask."""
    bound = meaning(case, ask.act)
    if bound is None or bound.sha256 != ask.binds:
        return None
    name = case.name_of(ask.asked)
    reach = phrase("Who will read it: {names}.", names=people(case, bound.audience)) if bound.audience else ""
    parts = (
        phrase("{name}, yes or no to this ({code})?", name=name, code=ask.code),
        phrase("Only {name}’s first answer counts.", name=name),
        reach,
        phrase(
            "The exact words stand in the message that this poll answers, right above: “{words}”",
            words=one_line(bound.words, SHOWN),
        ),
    )
    return Ballot(ask.code, ask.binds, together(parts))


def shows(effect: Effect, ask: Ask, case: Case) -> bool:
    """Whether this puts the question in words into the Matrix room where it is answered: only then a poll follows."""
    asked = case.person(ask.asked)
    if asked is None or asked.endpoint.network is not Network.MATRIX:
        return False
    match effect:
        case Pose(conversation=where, code=code):
            return (where, code) == (ask.where, ask.code)
        case Tell(where, text):
            return where == ask.where and f"“yes {ask.code}”" in text
        case _:
            return False


def decide_vote(case: Case, vote: Vote, facts: Facts) -> Decision:
    """What follows from a vote. One in a poll that isn't ours is nobody's word, like a reaction."""
    pressed = next((found for one in vote.answers if (found := read_answer_id(one))), None)
    code, voter = vote.poll or (pressed.code if pressed else None), case.person(vote.by)
    if code is None or voter is None or vote.by not in readers(case, vote.where):
        return Decision(case, (), "vote", "in no poll of ours, or of nobody who takes part there")
    if isinstance(vote.proof, Unproven):
        return _unproven(case, vote, code, vote.proof)
    ask = next((a for a in case.asks if a.code == code), None)
    given = Answer(code, False, vote.by, vote.where, vote.proof)
    if ask is None:
        return decide_answer(case, given, facts)
    if vote.poll != code:
        why = phrase("It was not given in the poll that asks it. Write “yes {code}” or “no {code}” instead.", code=code)
        return does_not_count(case, voter, given, why)
    said = {answer_id(code, ask.binds, yes=word): word for word in (True, False)}
    if len(vote.answers) != 1 or vote.answers[0] not in said:
        why = phrase("It was not one of the two answers. Choose one, or write “yes {code}” or “no {code}”.", code=code)
        return does_not_count(case, voter, given, why)
    return decide_answer(case, replace(given, yes=said[vote.answers[0]]), facts)


def _unproven(case: Case, vote: Vote, code: str, proof: Unproven) -> Decision:
    """Whoever voted: the person whose account it was is told in private, on all of their devices."""
    text = phrase(
        "A vote of yours on the question {code} does not count: {why}. {remedy}",
        code=code,
        why=stored(proof.why),
        remedy=stored(proof.remedy),
    )
    own = alone_with_mediators(case, vote.by, vote.where)
    told = tuple(Explain(vote.by, where, text, to_unsigned_devices=True) for where in own)
    who = f"{case.name_of(vote.by)} voted in {desk_label(vote.where, case)}"
    notice = Tell(DESK, f"{who} on the question {code}, and it does not count: {proof.why}.")
    others = () if case.is_staff(vote.by) else (notice,)
    return Decision(case, (*told, *others), "void-answer", proof.why, refused=True)

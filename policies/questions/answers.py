"""What follows from an answer to a question that binds, whatever channel brought it (I4)."""

from __future__ import annotations

from policies.acts import take
from policies.case import DESK, Case, Person
from policies.effects import Decision, Inform, Tell
from policies.message import Message
from policies.outcome import Facts, Refused
from policies.people.colleagues import decide_wrong_code
from policies.people.membership import alone_with_mediators
from policies.plan import desk_label
from policies.questions.asking import Answer
from policies.words.phrase import phrase, stored, together


def decide_answer(case: Case, answer: Answer, facts: Facts) -> Decision:
    """What follows from an answer to a question that binds, whatever channel brought it (I4)."""
    author = case.person(answer.by) if answer.by else None
    if author is None:
        return Decision(case, (), "answer-of-nobody", "whoever answered takes part no more", refused=True)
    if facts.before_restore:
        why = phrase(
            "It was given before I was restored from a backup, and may have counted already. Please ask the mediator."
        )
        return does_not_count(case, author, answer, why)
    outcome = take(case, answer, facts)
    if isinstance(outcome, Refused):
        return does_not_count(case, author, answer, outcome.told)
    return Decision(outcome.case, outcome.in_order, "answer", outcome.answer or "as they were asked")


def does_not_count(case: Case, author: Person, answer: Answer, why: str) -> Decision:
    """The person is told in private, with what would count; the desk learns that an answer went astray."""
    told = tuple(
        Inform(
            author.id,
            own,
            together([phrase("Your answer with the code {code} does not count.", code=answer.code), stored(why)]),
        )
        for own in alone_with_mediators(case, author.id, answer.where)
        if own != DESK
    )
    who = f"{author.name} answered in {desk_label(answer.where, case)}"
    notice = Tell(DESK, f"{who}, and it does not count: {why}")
    return Decision(case, (*told, notice), "void-answer", why, refused=True)


def decide_shown(case: Case, message: Message, code: tuple[str, bool], facts: Facts) -> Decision:
    """What could be the code of an invitation, from the channel that it is to prove."""
    answer = Answer(*code, message.author, message.conversation, message.proof)
    decision = decide_answer(case, answer, facts)
    return decide_wrong_code(case, message.author) if decision.refused else decision

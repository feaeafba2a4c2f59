"""What a command does to a case: the new case and its effects, or a refusal that says what would work."""

from __future__ import annotations

from dataclasses import replace

from policies.answering import answer
from policies.asking import Answer
from policies.case import Case
from policies.commands.agreement import asked_to_accept
from policies.commands.opening import NewCase
from policies.commands.vocabulary import Command
from policies.following import what_follows
from policies.membership import may_join
from policies.outcome import Done, Facts, Outcome, Refused


def perform(case: Case, command: Command, facts: Facts) -> Outcome:
    """Carry out one command in a case, with all that follows for rooms and readers."""
    return _followed(case, command.perform(case, facts), facts)


def take(case: Case, given: Answer, facts: Facts) -> Outcome:
    """Take somebody's answer to a question, with all that follows."""
    return _followed(case, answer(case, given, facts), facts)


def create(case: Case, command: NewCase, facts: Facts) -> Outcome:
    """Fill a new case with the steps of its file. The first step that is refused refuses the whole."""
    if facts.agreement:
        case = replace(case, agreements=(replace(facts.agreement, version=1),))
    done = Done(case, "")
    for step in command.steps:
        outcome = step.perform(done.case, facts)
        if isinstance(outcome, Refused):
            return outcome
        done = Done(outcome.case, done.answer, (*done.effects, *outcome.effects))
    return _followed(case, done, facts)


def _followed(before: Case, outcome: Outcome, facts: Facts) -> Outcome:
    if isinstance(outcome, Refused):
        return outcome
    after = outcome.case
    newcomers = [p for p in after.people if not before.person(p.id) and not may_join(after, p.id)]
    after, asked = asked_to_accept(after, newcomers, facts)
    return replace(outcome, case=after, effects=(*outcome.effects, *what_follows(before, after), *asked))

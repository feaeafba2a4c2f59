"""What a command does to a case: the new case and its effects, or a refusal that says what would work."""

from __future__ import annotations

from dataclasses import replace

from policies.answering import answer
from policies.asking import Answer
from policies.case import Case
from policies.commands.agreement import asked_to_accept
from policies.commands.documents import LabelDocument
from policies.commands.hearing import unheard
from policies.commands.opening import NewCase
from policies.commands.taking_on import OpenFor, begun, chosen_for
from policies.commands.undo import Undo
from policies.commands.vocabulary import Command
from policies.deed import Deed
from policies.deeds import deed_of
from policies.following import what_follows
from policies.joining import awaited, invited
from policies.membership import may_join
from policies.outcome import Done, Facts, Outcome, Refused
from policies.succession import left_alone


def perform(case: Case, command: Command, facts: Facts) -> Outcome:
    """Carry out one command in a case, with all that follows for rooms and readers, if it is heard there."""
    if why := unheard(case, command):
        return why
    outcome = opened_for(case, command, facts) if isinstance(command, OpenFor) else command.perform(case, facts)
    followed = _followed(case, outcome, facts)
    if isinstance(outcome, Refused) or isinstance(followed, Refused):
        return followed
    return replace(followed, case=replace(followed.case, deed=_latest(case, command, outcome, facts)))


def _latest(case: Case, command: Command, outcome: Done, facts: Facts) -> Deed | None:
    """What a mediator did last, after this command. Once its owner has labelled a document, that is its owner's say."""
    if facts.by is None or case.is_staff(facts.by):
        done = deed_of(case, outcome, facts)
        return done or (None if isinstance(command, Undo) else case.deed)
    return None if isinstance(command, LabelDocument) else case.deed


def take(case: Case, given: Answer, facts: Facts) -> Outcome:
    """Take somebody's answer to a question, with all that follows."""
    return _followed(case, answer(case, given, facts), facts)


def create(case: Case, command: NewCase, facts: Facts) -> Outcome:
    """Fill a new case with the steps of its file. The first step that is refused refuses the whole."""
    case = replace(case, rules=facts.rules, zone=facts.zone, language=facts.language)
    if facts.agreement:
        case = replace(case, agreements=(replace(facts.agreement, version=1),))
    done = Done(case, "")
    for step in command.steps:
        outcome = step.perform(done.case, facts)
        if isinstance(outcome, Refused):
            return outcome
        done = Done(outcome.case, done.answer, (*done.effects, *outcome.effects))
    return _followed(case, done, facts)


def opened_for(case: Case, command: OpenFor, facts: Facts) -> Outcome:
    """A case is opened from the triage desk, by whoever said so there, with a stranger as its party: what they wrote
    first goes to their own caucus, and nowhere else."""
    chosen = chosen_for(case, command, facts)
    if isinstance(chosen, Refused):
        return chosen
    opened = create(Case(chosen.number, command.title), NewCase(command.title, chosen.steps), facts)
    return opened if isinstance(opened, Refused) else begun(case, chosen, opened)


def _followed(before: Case, outcome: Outcome, facts: Facts) -> Outcome:
    if isinstance(outcome, Refused):
        return outcome
    after = outcome.case
    newcomers = [p for p in after.people if not before.person(p.id) and not may_join(after, p.id)]
    after, asked = asked_to_accept(after, newcomers, facts)
    after, later = awaited(after, invited(before, after), facts.at)
    later = (*later, *left_alone(before, after, facts.at))
    return replace(outcome, case=after, effects=(*outcome.effects, *what_follows(before, after), *asked, *later))

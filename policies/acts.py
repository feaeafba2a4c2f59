"""What a command does to a case: the new case and its effects, or a refusal that says what would work."""

from __future__ import annotations

from dataclasses import replace

from policies.case import DESK, Case, Network
from policies.commands.opening import NewCase
from policies.commands.vocabulary import Command
from policies.effects import Effect, Introduce, Reconcile, Tell
from policies.membership import conversations, readers
from policies.outcome import Done, Facts, Outcome, Refused
from policies.status import readers_text


def perform(case: Case, command: Command, facts: Facts) -> Outcome:
    """Carry out one command in a case, with all that follows for rooms and readers."""
    outcome = command.perform(case, facts)
    if isinstance(outcome, Refused):
        return outcome
    return replace(outcome, effects=(*outcome.effects, *_what_follows(case, outcome.case)))


def create(case: Case, command: NewCase, facts: Facts) -> Outcome:
    """Fill a new case with the steps of its file. The first step that is refused refuses the whole."""
    done = Done(case, "")
    for step in command.steps:
        outcome = step.perform(done.case, facts)
        if isinstance(outcome, Refused):
            return outcome
        done = Done(outcome.case, done.answer, (*done.effects, *outcome.effects))
    return replace(done, effects=(*done.effects, *_what_follows(case, done.case)))


def _what_follows(before: Case, after: Case) -> tuple[Effect, ...]:
    """Rooms follow the case; readers learn of new ones; bridged newcomers get an address."""
    changed = [c for c in conversations(after) if readers(after, c) != readers(before, c)]
    if not changed and conversations(before) == conversations(after):
        return ()
    return (
        Reconcile(leaving=frozenset(p.endpoint.address for p in before.people if after.person(p.id) is None)),
        *(Tell(c, readers_text(after, c)) for c in changed if c != DESK and c in conversations(before)),
        *(
            Introduce(person, c)
            for c in changed
            for person in sorted(readers(after, c) - readers(before, c))
            if (p := after.person(person)) and p.endpoint.network is not Network.MATRIX
        ),
    )

"""What a command does to a case: the new case and its effects, or a refusal that says what would work."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from policies.case import DESK, Case
from policies.commands import ways
from policies.commands.agreement import asked_to_accept, on_paper
from policies.commands.documents import LabelDocument
from policies.commands.dry import DryRun
from policies.commands.floor import without_idle_turn
from policies.commands.form import Misunderstood
from policies.commands.hearing import unheard
from policies.commands.opening import NewCase
from policies.commands.people import AddPerson
from policies.commands.second import AddChannel
from policies.commands.taking_on import OpenFor, begun, chosen_for
from policies.commands.undo import Undo
from policies.commands.vocabulary import Command, GiveAnswer, parse
from policies.effects import Effect, Tell
from policies.following import what_follows
from policies.message import SignedDevice
from policies.outcome import Done, Facts, Outcome, Refused
from policies.outside import successor_text, with_successor
from policies.people.joining import awaited, invited
from policies.people.membership import may_join
from policies.people.succession import came_to_the_desk, left_alone
from policies.questions.answering import answer
from policies.questions.ask import Ask
from policies.questions.asking import Answer
from policies.showing import Preview
from policies.trial import would_follow
from policies.undoing.deed import Deed
from policies.undoing.deeds import deed_of

NO_CODE: Final = "····"
"""Stands where a code would, in what is only tried out."""


def perform(case: Case, command: Command, facts: Facts) -> Outcome:
    """Carry out one command in a case, with all that follows for rooms and readers, if it is heard there."""
    if why := unheard(case, command):
        return why
    if isinstance(command, DryRun):
        return tried_out(case, command, facts)
    if facts.by and facts.where == DESK:
        case = came_to_the_desk(case, facts.by)
    outcome = opened_for(case, command, facts) if isinstance(command, OpenFor) else command.perform(case, facts)
    followed = _followed(case, outcome, facts)
    if isinstance(outcome, Refused) or isinstance(followed, Refused):
        return followed
    return replace(followed, case=replace(followed.case, deed=_latest(case, command, outcome, facts)))


def tried_out(case: Case, command: DryRun, facts: Facts) -> Outcome:
    """What the desk would see follow, also from a yes to what it would be asked. The case stays as it is."""
    meant = parse(command.line)
    if isinstance(meant, Misunderstood):
        return Refused(meant.problem, f"For example: {meant.example}")
    if isinstance(meant, DryRun | GiveAnswer | NewCase):
        return command.perform(case, facts)
    done = perform(case, meant, facts)
    if isinstance(done, Refused):
        return Refused(f"Tried out, it is refused: {done.problem}", done.remedy)
    asked = next((ask for ask in done.case.asks if ask not in case.asks and _is_here(ask, facts)), None)
    effects, put = done.effects, {ask.code for ask in done.case.asks} - {ask.code for ask in case.asks}
    if asked is not None:
        yes = take(done.case, Answer(asked.code, True, asked.asked, DESK, SignedDevice()), facts)
        if isinstance(yes, Refused):
            return Refused(f"Tried out, the yes to it is refused: {yes.problem}", yes.remedy)
        done, effects = yes, (*effects, *yes.effects)
    # Not as the answer, which goes on record: there may be words in it.
    seen = came_to_the_desk(case, facts.by) if facts.by else case
    told = Tell(DESK, _without(put, _in_words(seen, done, effects, asked=asked is not None)))
    return Done(case, "", (told, *(effect for effect in effects if isinstance(effect, Preview))))


def _is_here(ask: Ask, facts: Facts) -> bool:
    """Whether it would be put to whoever gave the command, at the desk."""
    return (ask.asked, ask.where) == (facts.by, DESK)


def _in_words(case: Case, done: Done, effects: tuple[Effect, ...], *, asked: bool) -> str:
    deed = done.case.deed if not asked and done.case.deed != case.deed else None
    undone = f"It {'could' if deed and deed.final is None else 'could not'} be taken back by !undo."
    answer = [f"It would be answered: {done.answer}"] if done.answer else []
    follows = would_follow(case, done.case, effects)
    said = "Tried out; nothing was done. You would be asked first, and this would follow from your yes."
    begins = said if asked else "Tried out; nothing was done. This would follow at once, without a question."
    changed = [undone] if replace(done.case, deed=case.deed) != case or follows else ["Nothing would change."]
    return "\n".join([begins, *answer, *([follows] if follows else []), *changed])


def _without(codes: Collection[str], text: str) -> str:
    """The same without the codes of questions that were not put: none of them would open anything."""
    return re.sub("|".join(rf"\b{re.escape(code)}\b" for code in codes), NO_CODE, text) if codes else text


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
    case = replace(case, rules=facts.rules, zone=facts.zone, language=facts.language, carried=())
    case = with_successor(case, facts.successor)
    if facts.agreement:
        case = replace(case, agreements=(replace(facts.agreement, version=1),))
    # Nobody comes in of whom the desk was never told.
    text = f"By the service's configuration {successor_text(facts.successor)}."
    done = Done(case, "", (Tell(DESK, text),) if facts.successor else ())
    for step in command.steps:
        outcome = step.perform(done.case, facts)
        if isinstance(outcome, Refused):
            return outcome
        done = Done(outcome.case, done.answer, (*done.effects, *outcome.effects))
    return _followed(case, replace(done, case=_accepted_on_paper(done.case, command)), facts)


def _accepted_on_paper(case: Case, command: NewCase) -> Case:
    """What was accepted on paper holds for all who are in the file, whoever stands first in it."""
    for step in command.steps:
        if isinstance(step, AddPerson | AddChannel) and step.accepted:
            added = step.address if isinstance(step, AddChannel) else step
            person = case.at_address(added.network, added.address)
            case = on_paper(case, person, step.accepted) if person else case
    return case


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
    after = ways.begun(before, after, facts)
    after, idle = without_idle_turn(after)
    newcomers = [p for p in after.people if not before.person(p.id) and not may_join(after, p.id)]
    anew = [p for p in ways.to_show_anew(after) if p not in newcomers]
    after, asked = asked_to_accept(after, [*newcomers, *anew], facts)
    after, more = ways.asked_about_ways(after, ways.to_ask(before, after), facts)
    asked = (*asked, *more, *ways.left_unanswered(before, after))
    after, later = awaited(after, invited(before, after), facts.at)
    later = (*later, *left_alone(before, after, facts.at))
    return replace(outcome, case=after, effects=(*outcome.effects, *idle, *what_follows(before, after), *asked, *later))

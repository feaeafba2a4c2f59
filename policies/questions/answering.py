"""What becomes of a question: its act is performed, it is declined, or its time is up; whoever asked hears of it."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from policies.case import DESK, Case
from policies.commands import agreement, broadcast, second, ways
from policies.commands.correction import moved
from policies.commands.course import ended, has_withdrawn
from policies.commands.handover import taken_over
from policies.commands.intake import written
from policies.commands.notify import reached
from policies.commands.people import taken_off
from policies.commands.session import mended
from policies.commands.switching import switched
from policies.effects import Inform, Tell
from policies.outcome import Done, Facts, Outcome, Refused
from policies.people.colleagues import not_proven, proven
from policies.questions import choice
from policies.questions.ask import (
    Accepting,
    Adopting,
    Ask,
    Broadcasting,
    Carrying,
    Consenting,
    Doubling,
    Ending,
    Leaving,
    Mending,
    Moving,
    Passing,
    Proving,
    Reaching,
    Removing,
    Sharing,
    Switching,
    TakingBack,
    TakingOver,
    Withdrawing,
    Wondering,
    WritingToStranger,
)
from policies.questions.asking import Answer, answered, answered_elsewhere, copies_of, meaning, without
from policies.releases.releasing import closed, consented, not_passed, passed
from policies.words.phrase import Phrase, phrase
from policies.words.text import one_line


def answer(case: Case, given: Answer, facts: Facts) -> Outcome:
    """What an answer does. It is void if what it is about, or who would read it, is not what was shown."""
    found = answered(case, given, facts.at)
    if isinstance(found, Refused):
        return found
    after, ask = found
    bound = meaning(after, ask.act)
    if bound is None or bound.sha256 != ask.binds:
        return _void(after, ask)
    outcome = _agreed(after, ask, given, facts) if given.yes else _declined(after, ask, facts)
    if isinstance(outcome, Refused):
        return outcome
    return replace(outcome, effects=(*outcome.effects, *answered_elsewhere(copies_of(case, ask))))


def lapse(case: Case, ask: Ask, *, before_restore: bool = False) -> Done:  # noqa: C901 (one arm a kind of act)
    """Nobody answered in time. Silence is a no, and is told to who asked. `before_restore`: it was put before the
    service was restored from a backup, and what follows from it may have been done already."""
    case, who = without(case, ask), case.name_of(ask.asked)
    match ask.act:
        case (
            Removing()
            | Mending()
            | Adopting()
            | Withdrawing()
            | Broadcasting()
            | Ending()
            | WritingToStranger()
            | Moving()
            | Switching()
            | Doubling()
            | Leaving()
            | Reaching()
        ):
            return Done(case, "")
        case Accepting():
            text = f"{who} has not answered whether they accept the agreement. !agreement send asks again."
            return Done(case, "", (Tell(DESK, text),))
        case Carrying(carried):
            return ways.silent(case, ask, carried)
        case Wondering(question):
            # Of what was put to two channels of theirs, the last tells it.
            unanswered = Tell(DESK, f"{who} has not answered: “{one_line(question)}”")
            return Done(case, "", () if copies_of(case, ask) else (unanswered,))
        case TakingOver(former):
            told = f"{who} has not answered: {case.name_of(former)} has the case still. !handover asks again."
            return Done(case, "", (Tell(DESK, told),))
        case Consenting(number):
            text = f"{number} is not released: {who} has not answered."
            return Done(closed(case, number), "", (Tell(DESK, text),))
        case Proving(who):
            return not_proven(case, who, "the code did not come within a day")
        case Passing(number):
            return Done(not_passed(case, number), "")
        case Sharing():
            return Done(case, "")
        case TakingBack():
            return choice.not_taken_back(case, ask, ask.act, before_restore=before_restore)
        case _:
            assert_never(ask.act)


def _agreed(case: Case, ask: Ask, given: Answer, facts: Facts) -> Outcome:  # noqa: C901, PLR0912 (one arm a kind of act)
    match ask.act:
        case Removing(who):
            return taken_off(case, who)
        case Reaching():
            return reached(case, ask.act, facts)
        case Proving():
            return proven(case, ask.act, facts)
        case Moving():
            return moved(case, ask.act, facts)
        case Switching():
            return switched(case, ask.act, facts)
        case Doubling():
            return second.doubled(case, ask.act, facts)
        case Leaving():
            return second.ended(case, ask.act, facts)
        case Mending():
            return mended(case)
        case Withdrawing(who):
            leaving = case.living(who)
            return has_withdrawn(case, leaving) if leaving else Done(case, "They take part no more already.")
        case Broadcasting(words):
            return broadcast.sent(case, words, ask.asked)
        case WritingToStranger(to, words):
            return written(case, to, words)
        case Ending(phase):
            return ended(case, phase, facts)
        case Accepting():
            return agreement.accepted(case, ask, given.proof, facts)
        case Carrying(carried):
            return ways.agreed(case, ask, carried, given.proof, facts)
        case Adopting(text, confidentiality):
            return agreement.adopted(case, text, confidentiality, facts)
        case Wondering(question):
            return _told(case, ask, question, "YES", phrase("Your yes is noted, and the mediator knows."))
        case TakingOver():
            return taken_over(case, ask.act)
        case Consenting(number):
            return consented(case, ask, number, given.proof, facts)
        case Passing(number):
            return passed(case, number, facts)
        case Sharing():
            return choice.chosen(case, ask, ask.act, given.proof, facts)
        case TakingBack():
            return choice.taken_back(case, ask, ask.act)
        case _:
            assert_never(ask.act)


def _declined(case: Case, ask: Ask, facts: Facts) -> Outcome:  # noqa: C901 (one arm a kind of act)
    who = case.name_of(ask.asked)
    match ask.act:
        case (
            Removing()
            | Mending()
            | Adopting()
            | Broadcasting()
            | Ending()
            | WritingToStranger()
            | Moving()
            | Switching()
            | Doubling()
            | Leaving()
            | Reaching()
        ):
            return Done(case, "Nothing is done.")
        case Withdrawing():
            own = () if ask.where == DESK else (Inform(ask.asked, ask.where, phrase("You have not withdrawn.")),)
            return Done(case, f"{who} said no: nobody withdraws.", own)
        case Accepting():
            # Not that nothing follows: the networks of their own room may be asked about in the same breath.
            kept = phrase("Your no to the agreement is noted, and the mediator knows. Nothing is implied against you.")
            text = f"{who} does NOT accept the agreement to mediate. Talk to them."
            return Done(case, text, (Inform(ask.asked, ask.where, kept),))
        case Carrying(carried):
            return ways.refused(case, ask, carried, facts)
        case Wondering(question):
            return _told(case, ask, question, "NO", phrase("Your no is noted, and the mediator knows."))
        case TakingOver(former):
            return Done(case, f"{who} does not take the case over; {case.name_of(former)} has it still.")
        case Consenting(number):
            kept = phrase("Your no is noted: {number} stays in this room.", number=number)
            told = Inform(ask.asked, ask.where, kept)
            text = f"{number} is not released: {who} said no."
            return Done(closed(case, number), text, (told,))
        case Proving(who):
            return not_proven(case, who, "the answer was no")
        case Passing(number):
            return Done(not_passed(case, number), f"{number} is not released.")
        case Sharing():
            return Done(case, "", (Inform(ask.asked, ask.where, phrase("It stays private.")),))
        case TakingBack():
            return choice.shown(case, ask, ask.act, facts.at)
        case _:
            assert_never(ask.act)


def _told(case: Case, ask: Ask, question: str, said: str, thanks: Phrase) -> Done:
    """The desk is told the answer with its question; on record is that there was one."""
    told = Tell(DESK, f"{case.name_of(ask.asked)} says {said} to: “{one_line(question)}”")
    noted = Inform(ask.asked, ask.where, thanks)
    return Done(case, f"{case.name_of(ask.asked)} has answered a question.", (told, noted))


def _void(case: Case, ask: Ask) -> Outcome:
    text = phrase("What you answered is not what it was any more, so your answer is void; nothing was done.")
    if isinstance(ask.act, Consenting):
        case = closed(case, ask.act.release)
    if isinstance(ask.act, Passing):
        # What a party submitted goes back to the queue: a preview that came to nothing is not the party's affair.
        case = not_passed(case, ask.act.release)
    told = () if ask.where == DESK else (Inform(ask.asked, ask.where, text),)
    return replace(
        Done(case, f"An answer of {case.name_of(ask.asked)} is void: what was asked has changed since."), effects=told
    )

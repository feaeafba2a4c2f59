"""What follows from it being so late: what was scheduled, and has not been overtaken, happens now."""

from __future__ import annotations

from dataclasses import replace

from policies.case import Case, PersonId
from policies.documents.carrying import Recall
from policies.effects import Decision, PostHeads
from policies.following import what_follows
from policies.moderation.closing import decide_closing
from policies.moderation.course import lapsed
from policies.moderation.floor import ended
from policies.outcome import Facts
from policies.people.joining import decide_step
from policies.people.succession import decide_succession
from policies.questions.answering import lapse
from policies.record import HEADS_RULE
from policies.schedule import Due


def decide_due(case: Case, key: str, facts: Facts) -> Decision:
    """What follows from the time that was scheduled under that key; `facts.at` is not before it.

    What has been decided otherwise meanwhile stays so: each arm looks at the case, never at what was meant then.
    """
    what, _, of = key.partition(":")
    match what:
        case Due.ASK:
            return _ask_expired(case, of, facts)
        case Due.HEADS:
            return Decision(case, (PostHeads(facts.heads_to),), HEADS_RULE, "what was recorded leaves the machine")
        case Due.JOINING:
            return decide_step(case, PersonId(of), facts.at)
        case Due.PAUSE:
            after = lapsed(case, facts.at)
            return Decision(after, what_follows(case, after), "pause-ended", "its time is over")
        case Due.DOCUMENT:
            return _grant_ends(case, of)
        case Due.SUCCESSION:
            return decide_succession(case, facts)
        case Due.FLOOR:
            return _floor_changes(case, facts)
        case Due.CLOSING:
            return decide_closing(case, facts.at, facts.terms)
        case _:
            return Decision(case, (), "overtaken", "nothing waits for that time any more")


def _grant_ends(case: Case, number: str) -> Decision:
    document = case.document(number)
    effects = (Recall(document.id),) if document else ()
    return Decision(case, effects, "grant-ended", "what was posted for somebody who may not have it any more goes")


def _floor_changes(case: Case, facts: Facts) -> Decision:
    after = replace(case, floor=ended(case.floor, facts.at))
    return Decision(after, what_follows(case, after), "floor-ended", "what the mediator had set is over")


def _ask_expired(case: Case, code: str, facts: Facts) -> Decision:
    ask = next((a for a in case.asks if a.code == code and a.expires <= facts.at), None)
    if ask is None:
        return Decision(case, (), "overtaken", "the question was answered, or put anew")
    outcome = lapse(case, ask, before_restore=facts.before_restore)
    # Silence is a no: what waited for a yes is looked at, and goes nowhere.
    follows = (effect for effect in what_follows(case, outcome.case) if effect not in outcome.effects)
    return Decision(outcome.case, (*outcome.effects, *follows), "ask-expired", "its time is up")

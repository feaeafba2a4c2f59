"""A question of the mediator to somebody, or to all of a side, that they answer by yes or no (M11).

It is refused when it repeats what was said in a private room (`moderation.guard`): a command is written in haste, and
what went out by mail can't be called back.
"""

from __future__ import annotations

from policies.case import Case, Conversation, ConversationId, Person
from policies.commands.form import Form
from policies.effects import Effect, Pose
from policies.frozen import frozen
from policies.moderation.course import resting
from policies.moderation.guard import echoes
from policies.outcome import Done, Facts, Outcome, Refused, no_such_person
from policies.people.membership import caucuses_of
from policies.questions.ask import Wondering
from policies.questions.asking import put
from policies.releases.release import CONSENT_LASTS
from policies.words.phrase import phrase
from policies.words.text import clean, skeleton


@frozen
class AskQuestion:
    """Somebody, or everybody on a side, is asked something that they answer by yes or no."""

    who: str
    question: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Each in private, over their own channel, with a code of their own; the board shows who has not answered."""
        asked = _asked(case, self.who)
        if isinstance(asked, Refused):
            return asked
        repeated = _repeated(self.question, facts, frozenset(where.id for _, where in asked))
        if repeated:
            return repeated
        question, effects = clean(self.question).strip(), list[Effect]()
        for person, where in asked:
            case, ask, alarm = put(case, Wondering(question), person.id, where, facts, lasts=CONSENT_LASTS)
            title = phrase("{name}, the mediator asks you:", name=person.name)
            then = phrase("Your answer goes to the mediator alone; nothing else follows from it.")
            effects += [
                Pose(person.id, where, ask.code, title, question, then, ask.expires, of_the_case=True),
                alarm,
            ]
        names = ", ".join(dict.fromkeys(person.name for person, _ in asked))
        return Done(case, f"{names}: asked, each in private. The board shows who has not answered.", tuple(effects))


def _asked(case: Case, who: str) -> tuple[tuple[Person, Conversation], ...] | Refused:
    """Who is meant, each with the private room in which they are asked."""
    named = case.called(who)
    side = next((s for s in case.sides if skeleton(s.name) == skeleton(who)), None)
    if not named and side is None:
        return no_such_person(case, who)
    on_side = {r.person for r in case.participations if side and r.side == side.id}
    people = list(named) or [p for p in case.people if p.id in on_side]
    found = tuple((p, own[0]) for p in people if len(own := caucuses_of(case, p.id)) == 1)
    if not found or len(found) < len(people):
        return Refused(f"Not everybody meant by {who} has one private room of their own", "Ask them in person")
    resting_now = next((why for _, where in found if (why := resting(case, where))), None)
    return Refused(f"Nobody is asked there now: {resting_now}", "Telephone them") if resting_now else found


def _repeated(words: str, facts: Facts, known: frozenset[ConversationId]) -> Refused | None:
    found = echoes(words, facts.elsewhere, known)
    if not found:
        return None
    shown = ", ".join(f"“{one}”" for one in found)
    return Refused(
        f"NOT sent: this also stands in a private room that not all whom you ask can read: {shown}",
        "Say it otherwise; or, if it may be said, write it in the room itself",
    )


def _ask(words: list[str]) -> AskQuestion | str:
    who, colon, question = " ".join(words).partition(":")
    if not colon or not who.strip() or not question.strip():
        return "It needs a name, a colon, and a question"
    return AskQuestion(who.strip(), question.strip())


FORMS: tuple[Form[AskQuestion], ...] = (
    Form(
        "ask",
        "!ask NAME: QUESTION",
        "asks somebody, or all of a side, in private, what they answer by yes or no; the board shows who has not",
        "!ask Carl: Does Thursday at ten suit you?",
        _ask,
    ),
)

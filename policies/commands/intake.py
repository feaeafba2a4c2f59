"""The triage desk: who wrote that takes part in no case, and what a mediator does about them (R13)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from policies.case import DESK, Case
from policies.commands.form import Form
from policies.commands.strangers import NUMBER, TRIAGE_ONLY, found_in, having, split
from policies.commands.taking_on import OPENING, OpenFor
from policies.effects import Tell, WriteToStranger
from policies.frozen import frozen
from policies.outcome import Done, Facts, Outcome, Refused
from policies.people.intake import declining, line_of, objection
from policies.people.stranger import Stands, Stranger, StrangerId
from policies.questions.ask import WritingToStranger
from policies.questions.asking import put
from policies.showing import ShowReferrals
from policies.words.text import clean, marked, name_problem, one_line

WORDS_MOST = 2_000
"""Characters of an answer: one message on every network."""
REFERRER_MOST = 60
LISTED = 40
_ONE = "!intake S1"


@frozen
class ShowIntake:
    """Who waits, or all that is known of one stranger."""

    stranger: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing."""
        if self.stranger:
            found = found_in(case, self.stranger)
            return found if isinstance(found, Refused) else Done(case, "", (Tell(DESK, _card(case, found)),))
        waiting = [s for s in case.triage.strangers if s.stands is Stands.WAITING] if case.triage else []
        lines = [line_of(s, case.zone) for s in waiting[:LISTED]]
        more = [f"and {len(waiting) - LISTED} more"] if len(waiting) > LISTED else []
        away = case.triage.turned_away if case.triage else 0
        full = [f"{away} messages were turned away when too many waited."] if away else []
        return Done(case, "", (Tell(DESK, "\n".join([*(lines or ["Nobody waits."]), *more, *full])),))


@frozen
class ReferredBy:
    """Who sent a stranger to us."""

    stranger: str
    referrer: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Noted, for the report."""
        found = found_in(case, self.stranger)
        if isinstance(found, Refused):
            return found
        referrer = one_line(self.referrer, REFERRER_MOST)
        if wrong := name_problem(referrer):
            return Refused(f"That can't be noted: {wrong}", "For example: !intake refer S1: Citizens' advice")
        changed = having(case, replace(found, referrer=referrer))
        return Done(changed, f"Noted who sent {found.id}. !intake report shows what became of whom they sent.")


@frozen
class Decline:
    """A stranger is told, courteously, that nothing comes of it."""

    stranger: str
    words: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Told where that may be; their words are still shown should they write again."""
        found = found_in(case, self.stranger)
        if isinstance(found, Refused):
            return found
        if found.stands is not Stands.WAITING:
            return Refused(f"{found.id} does not wait: {found.stands}", f"!intake {found.id} shows them")
        after = having(case, replace(found, stands=Stands.DECLINED))
        if why := objection(found):
            return Done(after, f"{found.id} is declined, and is told nothing: {why}.")
        text = clean(self.words).strip() if self.words else declining(facts.organisation, facts.telephone)
        if len(text) > WORDS_MOST:
            return _too_long()
        return Done(after, f"{found.id} is declined, and is told so.", (WriteToStranger(found.id, text),))


@frozen
class Block:
    """Nothing of a stranger is shown any more, and nothing is sent there."""

    stranger: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """At once; what is on its way to them is stopped, too."""
        found = found_in(case, self.stranger)
        if isinstance(found, Refused):
            return found
        after = having(case, replace(found, stands=Stands.BLOCKED))
        return Done(after, f"{found.id} is blocked: what they write is counted, and not shown.")


@frozen
class AnswerStranger:
    """A mediator's words to a stranger."""

    stranger: str
    words: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Sent at once, for it names whom it is for."""
        found = found_in(case, self.stranger)
        words = clean(self.words).strip()
        wrong = found if isinstance(found, Refused) else _unsendable(found, words)
        if isinstance(found, Refused) or wrong:
            return wrong or TRIAGE_ONLY
        return written(case, found.id, words)


@frozen
class ReportReferrals:
    """What became of whom each referrer sent."""

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing, and shows no words and no address."""
        return Done(case, "", (ShowReferrals(),))


IntakeCommand = ShowIntake | OpenFor | ReferredBy | Decline | Block | AnswerStranger | ReportReferrals


def answered_by_reply(case: Case, words: str, facts: Facts) -> Outcome | None:
    """A reply, at the triage desk, to what a stranger wrote: whoever replied is shown what would go where, and asked,
    for colleagues talk by replies, too. None: it is no such reply."""
    quoted = case.triage.get(facts.quoted.author) if case.triage and facts.quoted else None
    if quoted is None or facts.by is None:
        return None
    text = clean(words).strip()
    if wrong := _unsendable(quoted, text):
        return wrong
    asked, ask, alarm = put(case, WritingToStranger(quoted.id, text), facts.by, DESK, facts)
    shown = [
        f"To {quoted.id}, who takes part in no case, at {quoted.writer.name}:",
        *marked(text),
        f"Say “yes {ask.code}” within 15 minutes, and it is sent. What is for your colleagues alone is not sent.",
    ]
    return Done(asked, "", (Tell(DESK, "\n".join(shown)), alarm))


def written(case: Case, to: StrangerId, words: str) -> Outcome:
    """A mediator's words go to a stranger."""
    found = found_in(case, to)
    wrong = found if isinstance(found, Refused) else _unsendable(found, words)
    return wrong or Done(case, f"It goes to {to}.", (WriteToStranger(to, words),))


def _unsendable(stranger: Stranger, words: str) -> Refused | None:
    if why := objection(stranger):
        return Refused(f"Nothing can be sent to {stranger.id}: {why}", "Telephone them")
    if not words:
        return Refused("There are no words to send", "For example: !intake answer S1: When may we telephone you?")
    return _too_long() if len(words) > WORDS_MOST else None


def _too_long() -> Refused:
    return Refused(f"That is more than {WORDS_MOST} characters", "Send it in two, or telephone them")


def _card(case: Case, stranger: Stranger) -> str:
    number = stranger.id
    return "\n".join(
        [
            line_of(stranger, case.zone),
            f"!intake answer {number}: WORDS – writes to them; a reply to what they wrote does, too, after your yes",
            f"!intake open {number} NAME: TITLE – a case, with them as a party whom you call NAME",
            f"!intake refer {number}: WHO – who sent them",
            f"!intake decline {number} [: WORDS] – tells them that nothing comes of it",
            f"!intake block {number} – nothing of theirs is shown any more",
        ]
    )


def _show(words: list[str]) -> ShowIntake | str:
    if not words:
        return ShowIntake()
    return ShowIntake(words[0].upper()) if len(words) == 1 and NUMBER.fullmatch(words[0]) else "Say one number"


def _worded(make: Callable[[str, str], IntakeCommand]) -> Callable[[list[str]], IntakeCommand | str]:
    def read(words: list[str]) -> IntakeCommand | str:
        found = split(words)
        if isinstance(found, str):
            return found
        number, head, tail = found
        return make(number, tail) if tail and not head else "The words stand behind a colon"

    return read


def _decline(words: list[str]) -> Decline | str:
    found = split(words)
    if isinstance(found, str):
        return found
    number, head, tail = found
    return "Words of your own stand behind a colon" if head or tail == "" else Decline(number, tail)


def _block(words: list[str]) -> Block | str:
    found = split(words)
    return found if isinstance(found, str) else Block(found[0]) if len(words) == 1 else "Say one number"


FORMS: tuple[Form[IntakeCommand], ...] = (
    Form(
        "intake",
        "!intake [S1]",
        "who wrote and takes part in no case, or one of them",
        _ONE,
        _show,
        desk=False,
        triage=True,
    ),
    OPENING,
    Form(
        "intake answer",
        "!intake answer S1: WORDS",
        "writes to them, over the network on which they wrote",
        "!intake answer S1: When may we telephone you?",
        _worded(AnswerStranger),
        desk=False,
        triage=True,
    ),
    Form(
        "intake refer",
        "!intake refer S1: WHO",
        "notes who sent them",
        "!intake refer S1: Citizens' advice",
        _worded(ReferredBy),
        desk=False,
        triage=True,
    ),
    Form(
        "intake decline",
        "!intake decline S1 [: WORDS]",
        "tells them, courteously, that nothing comes of it",
        "!intake decline S1",
        _decline,
        desk=False,
        triage=True,
    ),
    Form(
        "intake block",
        "!intake block S1",
        "nothing of theirs is shown any more, and nothing is sent there",
        "!intake block S1",
        _block,
        desk=False,
        triage=True,
    ),
    Form(
        "intake report",
        "!intake report",
        "what became of whom each referrer sent: how many, and nothing else",
        "!intake report",
        lambda _: ReportReferrals(),
        desk=False,
        triage=True,
    ),
)

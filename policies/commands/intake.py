"""The triage desk: who wrote that takes part in no case, and what a mediator does about them (R13)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from policies.ask import WritingToStranger
from policies.asking import put
from policies.case import DESK, Case, CaseId, Consent, Network, Role, Seen
from policies.commands.channels import ConfirmIdentity, ShowIdentity
from policies.commands.form import Form
from policies.commands.hold import HoldCommand
from policies.commands.people import AddPerson
from policies.commands.session import Repair
from policies.commands.waiting import ShowDead, ShowHeads, ShowLog
from policies.effects import Begun, Decision, Heard, Post, Tell, WriteToStranger
from policies.intake import declining, line_of, objection
from policies.membership import caucuses_of
from policies.message import Message, MessageId, Text, Unreadable
from policies.outcome import Done, Facts, Outcome, Refused
from policies.showing import ShowReferrals
from policies.stranger import Stands, Stranger, StrangerId
from policies.text import clean, marked, moment, name_problem, one_line

if TYPE_CHECKING:
    from policies.commands.vocabulary import Command

WORDS_MOST = 2_000
"""Characters of an answer: one message on every network."""
REFERRER_MOST = 60
LISTED = 40
TRIAGE_ONLY = Refused("That is said at the triage desk", "!help lists what is said here")
NOT_AT_TRIAGE = Refused("That is said at a case's desk", "!help lists what is said at the triage desk")
_NUMBER = re.compile(r"[sS][0-9]{1,9}")
_ONE = "!intake S1"


@dataclass(frozen=True, slots=True)
class ShowIntake:
    """Who waits, or all that is known of one stranger."""

    stranger: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing."""
        if self.stranger:
            found = _found(case, self.stranger)
            return found if isinstance(found, Refused) else Done(case, "", (Tell(DESK, _card(case, found)),))
        waiting = [s for s in case.triage.strangers if s.stands is Stands.WAITING] if case.triage else []
        lines = [line_of(s, case.zone) for s in waiting[:LISTED]]
        more = [f"and {len(waiting) - LISTED} more"] if len(waiting) > LISTED else []
        away = case.triage.turned_away if case.triage else 0
        full = [f"{away} messages were turned away when too many waited."] if away else []
        return Done(case, "", (Tell(DESK, "\n".join([*(lines or ["Nobody waits."]), *more, *full])),))


@dataclass(frozen=True, slots=True)
class OpenFor:
    """A case for a stranger, who is its party under the name that the mediator gives."""

    stranger: str
    name: str
    title: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Not within the triage desk: `acts.opened_for` does it."""
        return TRIAGE_ONLY


@dataclass(frozen=True, slots=True)
class ReferredBy:
    """Who sent a stranger to us."""

    stranger: str
    referrer: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Noted, for the report."""
        found = _found(case, self.stranger)
        if isinstance(found, Refused):
            return found
        referrer = one_line(self.referrer, REFERRER_MOST)
        if wrong := name_problem(referrer):
            return Refused(f"That can't be noted: {wrong}", "For example: !intake refer S1: Citizens' advice")
        changed = _with(case, replace(found, referrer=referrer))
        return Done(changed, f"Noted who sent {found.id}. !intake report shows what became of whom they sent.")


@dataclass(frozen=True, slots=True)
class Decline:
    """A stranger is told, courteously, that nothing comes of it."""

    stranger: str
    words: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Told where that may be; their words are still shown should they write again."""
        found = _found(case, self.stranger)
        if isinstance(found, Refused):
            return found
        if found.stands is not Stands.WAITING:
            return Refused(f"{found.id} does not wait: {found.stands}", f"!intake {found.id} shows them")
        after = _with(case, replace(found, stands=Stands.DECLINED))
        if why := objection(found):
            return Done(after, f"{found.id} is declined, and is told nothing: {why}.")
        text = clean(self.words).strip() if self.words else declining(facts.organisation, facts.telephone)
        if len(text) > WORDS_MOST:
            return _too_long()
        return Done(after, f"{found.id} is declined, and is told so.", (WriteToStranger(found.id, text),))


@dataclass(frozen=True, slots=True)
class Block:
    """Nothing of a stranger is shown any more, and nothing is sent there."""

    stranger: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """At once; what is on its way to them is stopped, too."""
        found = _found(case, self.stranger)
        if isinstance(found, Refused):
            return found
        after = _with(case, replace(found, stands=Stands.BLOCKED))
        return Done(after, f"{found.id} is blocked: what they write is counted, and not shown.")


@dataclass(frozen=True, slots=True)
class AnswerStranger:
    """A mediator's words to a stranger."""

    stranger: str
    words: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Sent at once, for it names whom it is for."""
        found = _found(case, self.stranger)
        words = clean(self.words).strip()
        wrong = found if isinstance(found, Refused) else _unsendable(found, words)
        if isinstance(found, Refused) or wrong:
            return wrong or TRIAGE_ONLY
        return written(case, found.id, words)


@dataclass(frozen=True, slots=True)
class ReportReferrals:
    """What became of whom each referrer sent."""

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing, and shows no words and no address."""
        return Done(case, "", (ShowReferrals(),))


IntakeCommand = ShowIntake | OpenFor | ReferredBy | Decline | Block | AnswerStranger | ReportReferrals
EVERYWHERE = (HoldCommand, Repair, ShowDead, ShowLog, ShowHeads, ShowIdentity, ConfirmIdentity)


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
    found = _found(case, to)
    wrong = found if isinstance(found, Refused) else _unsendable(found, words)
    return wrong or Done(case, f"It goes to {to}.", (WriteToStranger(to, words),))


@dataclass(frozen=True, slots=True)
class Chosen:
    """A stranger for whom a case is to be opened, and what it begins with."""

    stranger: Stranger
    number: CaseId
    name: str
    steps: tuple[Command, ...]
    first: Message


def chosen_for(case: Case, command: OpenFor, facts: Facts) -> Chosen | Refused:
    """What the case begins with: the mediator who said so, and the stranger, with their consent on record."""
    found, mediator = _found(case, command.stranger), case.person(facts.by) if facts.by else None
    if isinstance(found, Refused):
        return found
    if mediator is None or facts.fresh is None:
        return Refused("Nobody is there to be its mediator", "Say it at the triage desk")
    if found.writer.doubt:
        return Refused(
            f"Nothing shows that it was they who wrote: {found.writer.doubt}",
            "Ask them by telephone, and open a case by !case new, in the direct chat with me",
        )
    if found.stands is Stands.BLOCKED or facts.first is None:
        return Refused(f"{found.id} is {found.stands}, and nothing of theirs is at hand", "!intake lists who waits")
    if found.stopped:
        return Refused(f"{found.id} wrote STOP", "Telephone them; once they write START, a case can be opened")
    if facts.engaged:
        return Refused(
            f"{found.id} takes part in another case, and nobody could tell which of the two they write to",
            "Remove them there first",
        )
    address = found.writer.phone or found.writer.user or found.writer.name
    agreed = _consent(found, mediator.name, facts) if found.writer.network is Network.WHATSAPP else None
    steps = (
        AddPerson(mediator.name, Network.MATRIX, mediator.endpoint.address, Role.MEDIATOR),
        AddPerson(command.name, found.writer.network, address, consent=agreed),
    )
    return Chosen(found, facts.fresh, command.name, steps, facts.first)


def begun(case: Case, chosen: Chosen, opened: Done) -> Done:
    """The triage desk after the case was opened, and the case, with the stranger's first words where they belong."""
    stranger, party = chosen.stranger, opened.case.named(chosen.name)
    assert party is not None
    writer, (own,) = stranger.writer, caucuses_of(opened.case, party.id)
    seen = Seen(writer.user, writer.phone, writer.key) if writer.network is Network.WHATSAPP else None
    fresh = opened.case.with_person(replace(party, endpoint=replace(party.endpoint, seen=seen)))
    words = _words(chosen.first)
    first = replace(
        chosen.first,
        id=MessageId(f"{chosen.first.id}/{chosen.number}"),
        author=party.id,
        conversation=own,
        content=Text(words),
    )
    posted = (Post(own, party.id, Text(words), first.id),) if words else ()
    why = chosen.first.content.why if isinstance(chosen.first.content, Unreadable) else ""
    note = f" About what they wrote first, mind: {why}." if why else ""
    told = Tell(
        DESK, f"Opened at the triage desk for {stranger.id}, who wrote first on {moment(first.at, case.zone)}.{note}"
    )
    heard = Heard(party.endpoint.id, writer.to, stranger.heard) if writer.network is Network.WHATSAPP else None
    decision = Decision(
        fresh, (*opened.effects, told, *posted), "opened-at-triage", "a mediator opened it for whoever wrote"
    )
    after = _with(case, replace(stranger, stands=Stands.OPENED, case=chosen.number))
    answer = (
        f"Case {chosen.number} is open, with {party.name} as its party. Its desk is “Desk · {chosen.number}”, where you"
        " are invited. What they wrote first stands in their private room; what they write from now on goes there, too."
        " From here nothing is sent to them any more; should an answer of yours not have left yet, give it there."
    )
    return Done(after, answer, begins=Begun(decision, first, heard))


def _consent(stranger: Stranger, mediator: str, facts: Facts) -> Consent:
    return Consent(mediator, facts.at, f"wrote to us of their own accord by WhatsApp on {stranger.since:%Y-%m-%d}")


def _words(message: Message) -> str:
    match message.content:
        case Text(body) | Unreadable(words=body):
            return body
        case _:
            return ""


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


def _found(case: Case, number: str) -> Stranger | Refused:
    found = case.triage.get(number) if case.triage else None
    return found or Refused(f"Nobody here is {one_line(number, 12)}", "!intake lists who waits")


def _with(case: Case, stranger: Stranger) -> Case:
    return replace(case, triage=case.triage.having(stranger)) if case.triage else case


def _split(words: list[str]) -> tuple[str, str, str | None] | str:
    """`S1 HEAD: TAIL`: the number, what stands before a colon, and what stands behind it, if there is one."""
    line = " ".join(words)
    number, _, rest = line.partition(" ")
    if number.endswith(":"):
        number, rest = number[:-1], f": {rest}"
    if not _NUMBER.fullmatch(number):
        return "Whom is it about? Say their number"
    head, colon, tail = rest.partition(":")
    return number.upper(), head.strip(), tail.strip() if colon else None


def _show(words: list[str]) -> ShowIntake | str:
    if not words:
        return ShowIntake()
    return ShowIntake(words[0].upper()) if len(words) == 1 and _NUMBER.fullmatch(words[0]) else "Say one number"


def _open(words: list[str]) -> OpenFor | str:
    found = _split(words)
    if isinstance(found, str):
        return found
    number, name, title = found
    return OpenFor(number, name, title) if name and title else "A name for them and a title for the case are missing"


def _worded(make: Callable[[str, str], IntakeCommand]) -> Callable[[list[str]], IntakeCommand | str]:
    def read(words: list[str]) -> IntakeCommand | str:
        found = _split(words)
        if isinstance(found, str):
            return found
        number, head, tail = found
        return make(number, tail) if tail and not head else "The words stand behind a colon"

    return read


def _decline(words: list[str]) -> Decline | str:
    found = _split(words)
    if isinstance(found, str):
        return found
    number, head, tail = found
    return "Words of your own stand behind a colon" if head or tail == "" else Decline(number, tail)


def _block(words: list[str]) -> Block | str:
    found = _split(words)
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
    Form(
        "intake open",
        "!intake open S1 NAME: TITLE",
        "opens a case with them as a party; what they wrote first goes to their private room alone",
        "!intake open S1 Bea: Smith and Jones",
        _open,
        desk=False,
        triage=True,
    ),
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

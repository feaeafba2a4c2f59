"""All commands: from a line of text to one of them, or to what is wrong with it and an example that works.

A command is a dataclass with `perform`, and a `Form` beside it; both stand in the module of their subject. A new
subject's union and forms are added here, and nowhere else.
"""

from __future__ import annotations

import difflib
import re
from typing import assert_never

from policies.case import DESK, Case, Kind, Sort
from policies.commands import (
    agreement,
    broadcast,
    channels,
    colleagues,
    correction,
    course,
    digest,
    discreet,
    documents,
    dry,
    enclosing,
    floor,
    granting,
    handover,
    hold,
    intake,
    mail,
    notify,
    opening,
    override,
    page,
    people,
    question,
    quiet,
    redacting,
    release,
    report,
    rules,
    second,
    session,
    sides,
    switching,
    undo,
    versioning,
    waiting,
    whatsapp,
    zone,
)
from policies.commands.agreement import AgreementCommand
from policies.commands.broadcast import Broadcast
from policies.commands.channels import ChannelCommand
from policies.commands.colleagues import ColleagueCommand
from policies.commands.correction import CorrectSide
from policies.commands.course import CourseCommand
from policies.commands.digest import DigestCommand
from policies.commands.discreet import DiscreetCommand
from policies.commands.documents import DocumentCommand
from policies.commands.dry import DryRun
from policies.commands.enclosing import EncloseCommand
from policies.commands.floor import FloorCommand
from policies.commands.form import Form, Misunderstood
from policies.commands.granting import GrantCommand
from policies.commands.handover import HandOver
from policies.commands.hold import HoldCommand
from policies.commands.intake import IntakeCommand
from policies.commands.mail import MailCommand
from policies.commands.notify import Notify
from policies.commands.opening import OpeningCommand
from policies.commands.override import KeepLocked
from policies.commands.page import PageCommand
from policies.commands.people import PeopleCommand
from policies.commands.question import AskQuestion
from policies.commands.quiet import QuietCommand
from policies.commands.redacting import RedactDocument
from policies.commands.release import ReleaseCommand
from policies.commands.report import Report
from policies.commands.rules import RulesCommand
from policies.commands.second import SecondCommand
from policies.commands.session import SessionCommand
from policies.commands.sides import SideCommand
from policies.commands.switching import ChangeChannel
from policies.commands.undo import TakeBackPost, Undo
from policies.commands.versioning import JoinVersions
from policies.commands.waiting import WaitingCommand
from policies.commands.whatsapp import WhatsAppCommand
from policies.commands.zone import SetZone
from policies.effects import Inform
from policies.frozen import frozen
from policies.message import SignedDevice
from policies.outcome import Done, Facts, Outcome
from policies.questions.answering import answer
from policies.questions.asking import Answer, read_answer
from policies.words.phrase import phrase, together


@frozen
class Help:
    """What can be said here."""

    topic: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing."""
        if facts.where.kind is Kind.CAUCUS and facts.by:
            there = [form for form in FORMS.values() if form.party]
            lines = [form.line for form in there if form.mediators or case.sort is not Sort.MEDIATORS]
            return Done(
                case, "", (Inform(facts.by, facts.where, together([phrase("Here you can say:"), *lines], by="\n")),)
            )
        return Done(case, help_text(self.topic, at=case.sort))


@frozen
class GiveAnswer:
    """The answer to a question at the desk."""

    code: str
    yes: bool

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """What was asked about is done or not, if the question is open and theirs."""
        # What comes to the desk without proof never becomes a command.
        return answer(case, Answer(self.code, self.yes, facts.by, DESK, SignedDevice()), facts)


Command = (
    OpeningCommand
    | PageCommand
    | PeopleCommand
    | CorrectSide
    | ChangeChannel
    | SecondCommand
    | HandOver
    | SideCommand
    | ChannelCommand
    | AgreementCommand
    | MailCommand
    | Notify
    | QuietCommand
    | DigestCommand
    | DiscreetCommand
    | SetZone
    | ReleaseCommand
    | Report
    | Broadcast
    | SessionCommand
    | CourseCommand
    | FloorCommand
    | RulesCommand
    | GrantCommand
    | EncloseCommand
    | DocumentCommand
    | JoinVersions
    | RedactDocument
    | KeepLocked
    | HoldCommand
    | Undo
    | TakeBackPost
    | WaitingCommand
    | IntakeCommand
    | ColleagueCommand
    | WhatsAppCommand
    | AskQuestion
    | DryRun
    | Help
    | GiveAnswer
)

FORMS: dict[str, Form[Command]] = {
    form.name: form
    for form in (
        *opening.FORMS,
        *page.FORMS,
        *people.FORMS,
        *correction.FORMS,
        *switching.FORMS,
        *second.FORMS,
        *handover.FORMS,
        *sides.FORMS,
        *channels.FORMS,
        *agreement.FORMS,
        *mail.FORMS,
        *notify.FORMS,
        *quiet.FORMS,
        *digest.FORMS,
        *discreet.FORMS,
        *zone.FORMS,
        *release.FORMS,
        *report.FORMS,
        *broadcast.FORMS,
        *session.FORMS,
        *course.FORMS,
        *floor.FORMS,
        *rules.FORMS,
        *documents.FORMS,
        *versioning.FORMS,
        *redacting.FORMS,
        *override.FORMS,
        *granting.FORMS,
        *enclosing.FORMS,
        *hold.FORMS,
        *undo.FORMS,
        *dry.FORMS,
        *waiting.FORMS,
        *intake.FORMS,
        *colleagues.FORMS,
        *whatsapp.FORMS,
        *question.FORMS,
        Form(
            "help",
            "!help [COMMAND]",
            phrase("this list, or one command"),
            "!help party add",
            lambda words: Help(" ".join(words) or None),
            lobby=True,
            triage=True,
            mediators=True,
            party=True,
        ),
    )
}
_COLON = re.compile(r"^([a-z]+):", re.IGNORECASE)
"""“!release: words” is the command and a colon."""
_ALONE = {form.alone: form for form in FORMS.values() if form.alone}


def is_command(text: str) -> bool:
    """Whether a line is meant as a command rather than as words for people."""
    return text.lstrip().startswith("!") or read_answer(text) is not None


def parse(text: str) -> Command | Misunderstood:
    """The command that a line gives."""
    given = read_answer(text)
    if given:
        return GiveAnswer(*given)
    words = _COLON.sub(r"\1 :", text.strip().removeprefix("!")).split()
    for length in (2, 1):
        form = FORMS.get(" ".join(words[:length]).lower()) if len(words) >= length else None
        if form:
            return form.understand(words[length:])
    alone = _ALONE.get(" ".join(words).lower())
    return alone.understand([]) if alone else _near_miss(words)


def heard_in_private(text: str, *, staff: bool) -> Command | Misunderstood | None:
    """The command that words in a private room are, of those that are heard there; None: they are words for people."""
    if not text.lstrip().startswith("!"):
        return None
    words = _COLON.sub(r"\1 :", text.strip().removeprefix("!")).split()
    for length in (2, 1):
        form = FORMS.get(" ".join(words[:length]).lower()) if len(words) >= length else None
        if form and (form.caucus if staff else form.party):
            return form.understand(words[length:])
    return None


def help_text(topic: str | None, *, at: Sort | None) -> str:
    """The answer to `!help`, for the desk of that sort of case; None: for the direct chat."""
    form = FORMS.get((topic or "").lower().removeprefix("!"))
    if form:
        return f"{form.line}. For example: {form.example}"
    shown = [form for form in FORMS.values() if _is_said(form, at)]
    where = "At this desk you can say:" if at else "Here you can say:"
    return "\n".join([where, *(f.line for f in shown)])


def _is_said(form: Form[Command], at: Sort | None) -> bool:
    match at:
        case None:
            return form.lobby
        case Sort.CASE:
            return form.desk
        case Sort.TRIAGE:
            return form.triage
        case Sort.MEDIATORS:
            return form.mediators
        case _:
            assert_never(at)


def _near_miss(words: list[str]) -> Misunderstood:
    said = " ".join(words[:2]).lower()
    names = difflib.get_close_matches(said, FORMS, n=1, cutoff=0.5) or difflib.get_close_matches(
        said.split(" ")[0], FORMS, n=1, cutoff=0.5
    )
    starts = [name for name in FORMS if words and name.split()[0] == words[0].lower()]
    best = next(iter(starts or names), None)
    if best:
        return Misunderstood(
            f"I don't know “!{' '.join(words[:2])}”. It may be meant as {FORMS[best].usage}", FORMS[best].example
        )
    return Misunderstood("I don't know that command. !help lists what I understand", "!help")

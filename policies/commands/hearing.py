"""Which commands are heard where: at a case's desk, at the triage desk, and in the mediators' room with its desk."""

from __future__ import annotations

from typing import assert_never

from policies.case import Case, Sort
from policies.commands.channels import ConfirmIdentity, RecordConsent, ShowIdentity
from policies.commands.colleagues import MEDIATORS_ONLY, ColleagueCommand
from policies.commands.documents import ListDocuments, ShowDocument, ShowHistory
from policies.commands.dry import DryRun
from policies.commands.hold import HoldCommand
from policies.commands.intake import IntakeCommand
from policies.commands.mail import GivePin, InviteAgain, LinksOnly, PauseMail, ResumeMail, ShowHeaders, ShowMails
from policies.commands.quiet import QuietCommand
from policies.commands.session import Repair, ShowStatus
from policies.commands.strangers import TRIAGE_ONLY
from policies.commands.undo import TakeBackPost, Undo
from policies.commands.vocabulary import Command, GiveAnswer, Help
from policies.commands.waiting import ShowDead, ShowHeads, ShowLog
from policies.commands.whatsapp import ShowWhatsApp
from policies.outcome import Refused
from policies.people.membership import is_proven

EVERYWHERE = (
    HoldCommand,
    Repair,
    ShowDead,
    ShowLog,
    ShowHeads,
    ShowIdentity,
    ConfirmIdentity,
    DryRun,
    GiveAnswer,
    Help,
)
"""What is said at a case's desk and wherever else there is a desk."""
Mailed = PauseMail | ResumeMail | InviteAgain | GivePin | LinksOnly | ShowMails | ShowHeaders
"""But not another address: it would be nobody's."""
Read = ListDocuments | ShowDocument | ShowHistory
"""A file that a colleague sends is a document, as everywhere; it goes nowhere from there."""
WITH_COLLEAGUES = (ColleagueCommand, Read, ShowStatus, ShowWhatsApp, QuietCommand, Undo, TakeBackPost)
"""What is said in the mediators' room besides, with what opens a channel: nothing there is about a dispute."""
NOT_AT_TRIAGE = Refused("That is said at a case's desk", "!help lists what is said at the triage desk")
NOT_AMONG_MEDIATORS = Refused("That is said in a case", "!help lists what is said about the mediators' room")


def unheard(case: Case, command: Command) -> Refused | None:
    """Why a command is not heard in that case; None where it is."""
    if isinstance(command, EVERYWHERE):
        return None
    match case.sort:
        case Sort.CASE:
            if isinstance(command, IntakeCommand):
                return TRIAGE_ONLY
            return MEDIATORS_ONLY if isinstance(command, ColleagueCommand) else None
        case Sort.TRIAGE:
            return None if isinstance(command, IntakeCommand) else NOT_AT_TRIAGE
        case Sort.MEDIATORS:
            if isinstance(command, RecordConsent | Mailed):
                return _unproven(case, command)
            return None if isinstance(command, WITH_COLLEAGUES) else NOT_AMONG_MEDIATORS
        case _:
            assert_never(case.sort)


def _unproven(case: Case, command: RecordConsent | Mailed) -> Refused | None:
    """A channel that is nobody's yet is opened by its code, and by nobody's word."""
    person = None if isinstance(command, ShowHeaders) else case.named(command.name)
    if person is None or not person.endpoint.is_bridged or is_proven(case, person.id):
        return None
    return Refused(f"Nothing shows yet that {person.name}'s channel is theirs", "The code of their invitation does")

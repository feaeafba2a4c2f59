"""The course of a case: the joint session, where it stands, and its rooms as they should be."""

from __future__ import annotations

from dataclasses import replace

from policies.case import Case, Phase, Role
from policies.commands.confirming import confirm
from policies.commands.form import Form
from policies.effects import Reconcile
from policies.frozen import frozen
from policies.moderation.floor import floor_text
from policies.outcome import Done, Facts, Outcome, Refused
from policies.questions.ask import Mending
from policies.showing import Preview
from policies.status import status_text


@frozen
class OpenJoint:
    """The joint session begins."""

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Everyone is invited to the joint room."""
        if case.phase not in {Phase.INTAKE, Phase.CONVENED}:
            return Refused("The joint session is open already, or rests", "!status shows where the case stands")
        if not any(p.role is Role.PARTY for p in case.participations):
            return Refused("There is no party yet", "Add one first: !party add Carl carl@example.org")
        return Done(
            replace(case, phase=Phase.IN_SESSION, opened=True),
            "The joint session begins. Everyone is invited to the joint room; what is written there, all read."
            f" {floor_text(case)} !mode changes that.",
        )


@frozen
class ShowStatus:
    """Who is in the case, by what channel, and where it stands."""

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing."""
        return Done(case, status_text(case))


@frozen
class Repair:
    """Say what the rooms' repair would change; a yes then does it."""

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Shows what would change, and asks; the organisation isn't asked."""
        return mended(case) if facts.by is None else confirm(case, Mending(), "!repair", facts, Preview())


def mended(case: Case) -> Outcome:
    """The rooms are brought to the plan, and those who left are invited again."""
    return Done(case, "The rooms are being mended.", (Reconcile(again=True),))


SessionCommand = OpenJoint | ShowStatus | Repair

FORMS: tuple[Form[SessionCommand], ...] = (
    Form(
        "open",
        "!open",
        "the joint session begins: everyone is invited to the joint room",
        "!open",
        lambda _: OpenJoint(),
    ),
    Form(
        "status",
        "!status",
        "who takes part, by what channel, and where the case stands",
        "!status",
        lambda _: ShowStatus(),
        mediators=True,
    ),
    Form(
        "repair",
        "!repair",
        "says what is not as it should be in the rooms, and mends it on your yes",
        "!repair",
        lambda _: Repair(),
        triage=True,
        mediators=True,
    ),
)

"""Which of the names on WhatsApp that an act may be about take part in another case: one name is in one (ADR 24)."""

from __future__ import annotations

from policies.case import Case, Network
from policies.commands.colleagues import AddColleague
from policies.commands.form import Misunderstood
from policies.commands.opening import NewCase
from policies.commands.people import AddPerson
from policies.commands.second import AddChannel
from policies.commands.switching import ChangeChannel
from policies.commands.taking_on import OpenFor
from policies.commands.vocabulary import Command
from policies.commands.whatsapp import ChangeNumber
from policies.questions.ask import Doubling, Switching
from rooms import triage
from rooms.ports import Work


async def engaged(work: Work, case: Case, command: Command | Misunderstood | None = None) -> frozenset[str]:
    """Those of a command; or, of none, of what somebody was asked in that case, and may have agreed to."""
    steps = command.steps if isinstance(command, NewCase) else (command,)
    with_address = ChangeNumber | AddColleague | ChangeChannel | AddChannel
    added = [step.address if isinstance(step, with_address) else step for step in steps]
    added += [AddPerson("", a.act.network, a.act.address) for a in case.asks if isinstance(a.act, Switching | Doubling)]
    names = {name for step in added if isinstance(step, AddPerson) for name in step.on_whatsapp}
    if isinstance(command, OpenFor):
        names |= triage.on_whatsapp(case, command)
    for person in case.people:
        if person.endpoint.doubt:
            names |= {name for name in (person.endpoint.doubt.now.user, person.endpoint.doubt.now.phone) if name}
    found = {name: await work.cases.of_address(Network.WHATSAPP, name) for name in sorted(names)}
    return frozenset(name for name, cases in found.items() if set(cases) - {case.id})

"""What the organisation has by itself, among the cases: the triage desk and the mediators' room, made as configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from policies.case import Case
from policies.people import colleagues, intake
from policies.people.manning import decide_manned
from rooms.apply import Applier
from rooms.house import House
from rooms.ids import UserId
from rooms.outgoing import Codec
from rooms.ports import Work
from rooms.queue import ItemId


async def man_triage(work: Work, codec: Codec, house: House, item: ItemId, at: datetime) -> Case:
    """The triage desk with those mediators who are configured; made, if there was none."""
    new = intake.new_desk(house.language, house.zone)
    return await _man(work, Applier(work, codec, item, at), house, (new, intake.STEPS, house.triage))


async def man_mediators_room(work: Work, codec: Codec, house: House, item: ItemId, at: datetime) -> Case:
    """The mediators' room with those mediators in Matrix who are configured; made, if there was none."""
    new = colleagues.new_room(house.language, house.zone)
    return await _man(work, Applier(work, codec, item, at), house, (new, colleagues.STEPS, house.mediators_room))


async def _man(work: Work, applier: Applier, house: House, what: tuple[Case, str, Mapping[UserId, str]]) -> Case:
    new, steps, mediators = what
    case = await work.cases.load(new.id, lock=True) or await work.cases.begin(new)
    set_up = replace(case, language=house.language, zone=house.zone)
    decision = decide_manned(
        set_up,
        {str(user): name for user, name in mediators.items()},
        is_new=not case.people,
        steps=steps,
        successor=house.successor,
    )
    if decision.case != case:
        await applier.apply(case, decision)
    return decision.case

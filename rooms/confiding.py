"""Telling one person alone: a code, into the room of theirs that nobody else reads (`policies.people.codes`).

It is of use for minutes. So it waits for its room to stand and to be put in order, and for its person to come in, and
for nothing else: where the room or its person is in doubt, nothing is said, and the desk learns it.
"""

from __future__ import annotations

from datetime import datetime

from policies.case import CaseId
from policies.effects import Confide
from policies.message import Text
from policies.networks.delivery import Cancel
from policies.people.codes import may_confide
from policies.plan import code_key
from rooms.carriers import Poster, Posting
from rooms.clearance import until_confirmed
from rooms.homeserver import Homeserver, ReaderFrozen, Trouble
from rooms.mending import not_while_mending
from rooms.outcome import Cancelled, Outcome, Parked, Sent
from rooms.ports import Database, Standing
from rooms.provision import Report, fitness, room_wait_key
from rooms.queue import Item


async def confide(
    database: Database,
    homeserver: Homeserver,
    poster: Poster,
    item: Item,
    case_id: CaseId,
    *,
    told: Confide,
    at: datetime,
) -> tuple[Outcome, Report]:
    """Say it, to nobody but that person's cross-signed devices; `at` is now. Raises Trouble."""
    async with database.begin() as work:
        case = await work.cases.load(case_id)
        record = await work.rooms.get(case_id, code_key(told.to))
        unconfirmed = await work.epochs.unconfirmed(case_id)
    if case is None:
        raise Trouble(f"there is no case {case_id}", transient=False)
    if item.progress is None:
        verdict = may_confide(case, told)
        if isinstance(verdict, Cancel):
            return Cancelled(verdict.why), Report()
        if at >= told.until:
            return _untold("it came too late, or they have not come into their room for codes", case.name_of(told.to))
    if unconfirmed:
        return until_confirmed(case_id), Report()
    wait = Parked(room_wait_key(case_id, code_key(told.to)), "its room does not stand yet", told.until)
    if record is None or record.standing is not Standing.MADE or record.room_id is None:
        return wait, Report()
    fit = await fitness(database, homeserver, case_id, record)
    if isinstance(fit, str):
        await not_while_mending(database, case_id)
        return _untold(f"ALARM: their room for codes is not as it should be: {fit}", case.name_of(told.to))
    if not fit.audience:
        return Parked(wait.key, "whom it is for has not come into the room yet", told.until), Report()
    posting = Posting(record.room_id, homeserver.bot, fit.audience, Text(told.text), is_notice=True)
    try:
        return Sent(await poster.post(item, posting)), Report()
    except ReaderFrozen as frozen:
        return _untold(frozen.why, case.name_of(told.to))


def _untold(why: str, name: str) -> tuple[Cancelled, Report]:
    text = (
        f"The code for {name}'s page was not told: {why}. By a PIN (!page pin {name}) their link opens, too. If they"
        " left their room for codes, their next !page invites them there again; so does !repair."
    )
    return Cancelled(why), Report(tell=(text,))

"""What boards are made of beside the cases themselves, and how they are kept up to date in their desks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from itertools import chain

from policies.board import Backlog, Shown, case_board
from policies.case import CaseId
from rooms.held import waiting
from rooms.ids import EventId, UserId
from rooms.ports import Work
from rooms.queue import Item, ItemId, State, item_id
from rooms.undelivered import undelivered

UPDATED_EVERY = 5
"""Seconds within which all that changes is shown at once."""
_SESSION = "session:"
"""How the wait keys of events begin whose key has not come."""


def board_item(case: CaseId, number: int, slot: int | None = None) -> ItemId:
    """The outbox item that posts a board, or brings it up to date at the end of that slot."""
    return item_id(f"board/{case}/{number}" if slot is None else f"board/{case}/{number}/{slot}")


def slot_of(at: datetime) -> tuple[int, datetime]:
    """The slot in which a moment lies, and its end."""
    slot = int(at.timestamp()) // UPDATED_EVERY
    return slot, datetime.fromtimestamp((slot + 1) * UPDATED_EVERY, UTC)


async def board_of(
    work: Work, case_id: CaseId, number: int, contacts: Mapping[str, str], at: datetime, *, update: bool
) -> tuple[Shown | None, EventId | None]:
    """The board of that number as it is to be posted, and the event in whose place; None: not any more, or not yet."""
    case = await work.cases.load(case_id)
    stands = await work.outbox.get(board_item(case_id, number)) if update else None
    event = EventId(stands.result) if stands and stands.result else None
    if case is None or case.boards != number or (update and event is None):
        return None, None
    return case_board(case, await backlog_of(work, case_id), contacts, at=at), event


async def backlog_of(work: Work, case: CaseId) -> Backlog:
    """What of one case waits."""
    held = await waiting(work, case)
    failed = await undelivered(work, case)
    parked = await work.inbox.in_state((State.PARKED,), case)
    since, windows = held[0].at if held else None, await work.whatsapp.windows(case)
    return Backlog(len(held), since, len(failed), sum(map(_lacks_its_key, parked)), windows)


async def busy(work: Work, user: UserId, most: int) -> tuple[CaseId, ...]:
    """So many of somebody's cases, or somewhat more, as a board of them needs: however many there are besides."""
    theirs = set(await work.cases.of_matrix_user(user))
    held = sorted((since, case) for case, (_, since) in (await work.holds.counts()).items() if case in theirs)
    ended = [item.case for item in await undelivered(work) if item.case in theirs]
    parked = await work.inbox.in_state((State.PARKED,))
    closed = [item.case for item in parked if _lacks_its_key(item) and item.case in theirs]
    some = (*await work.cases.urgent(user, most), *(case for _, case in held[:most]), *ended, *closed)
    return tuple(dict.fromkeys(case for case in some if case))[: 3 * most]


async def backlogs_of(work: Work, cases: Collection[CaseId]) -> Mapping[CaseId, Backlog]:
    """The same of many, asked for together. Of very many undelivered items only the oldest are counted."""
    held = await work.holds.counts()
    failed = Counter(item.case for item in await undelivered(work))
    parked = await work.inbox.in_state((State.PARKED,))
    undecrypted = Counter(item.case for item in parked if _lacks_its_key(item))
    some = set(chain(held, failed, undecrypted))
    found = {case: held.get(case, (0, None)) for case in cases if case in some}
    return {case: Backlog(number, since, failed[case], undecrypted[case]) for case, (number, since) in found.items()}


def _lacks_its_key(item: Item) -> bool:
    return item.wait_key is not None and item.wait_key.startswith(_SESSION)

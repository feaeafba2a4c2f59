"""Whether this database counts: asked of the homeserver at the start, and again and again while the service runs.

    homeserver: epoch, database, mark  ──compare──▶  ours: mark + 1, committed  ──▶  written to the homeserver

What stands there was committed here before, so only a copy, or a database that another was restored after, is behind.
A service whose database is restored elsewhere finds itself behind, and ends.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from appservice.matrix.ids import JsonObject
from appservice.ports import ServiceDatabase
from appservice.upkeep.epoch import ACCOUNT_DATA, Epoch, Stage, compare, written
from rooms.ids import UserId


class AccountData(Protocol):
    """What is needed of the homeserver."""

    async def account_data(self, user: UserId, kind: str) -> JsonObject | None: ...

    async def set_account_data(self, user: UserId, kind: str, content: JsonObject) -> None: ...


async def claim(database: ServiceDatabase, accounts: AccountData, bot: UserId) -> Epoch:
    """Our epoch, which counts, and is written down as such. Raises OlderDatabase, MatrixError, DatabaseUnavailable.

    Homeserver first, database second: another process of ours that claims in between is not behind, nor are we.
    """
    theirs = await accounts.account_data(bot, ACCOUNT_DATA)
    async with database.begin() as work:
        ours = await work.epochs.current()
        epoch = replace(compare(ours, theirs), mark=ours.mark + 1)
        await work.epochs.save(epoch)
    await accounts.set_account_data(bot, ACCOUNT_DATA, written(epoch))
    if epoch.stage is not Stage.RESTORED:
        return epoch
    async with database.begin() as work:
        # As it is by now: another process may have come further.
        now = await work.epochs.current()
        announced = replace(now, stage=Stage.ANNOUNCED) if now.stage is Stage.RESTORED else now
        await work.epochs.save(announced)
    return announced

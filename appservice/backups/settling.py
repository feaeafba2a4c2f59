"""What a restore calls for at the homeserver, done by the service when it starts on the restored database.

before anything is heard …… what the homeserver has for us is fetched: it came before the restore
then ………………………………… every desk is told; every identity gets its new device, and its former ones are deleted
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from appservice.e2ee.encryption import Encryption
from appservice.matrix.homeserver import Homeserver
from appservice.ports import ServiceDatabase
from appservice.upkeep.epoch import Epoch, Stage
from rooms.handle import Handler
from rooms.house import House
from rooms.ids import UserId
from rooms.outgoing import Codec
from rooms.queue import item_id

logger = logging.getLogger(__name__)

_TO_THE_DESK: Final = (
    "This case was restored from a backup of {at:%Y-%m-%d %H:%M} UTC. What happened between then and now I don't know:"
    " who was added or removed, which consents were given, what was held. What was written in these rooms is still in"
    " them.\n"
    "Until you say !repair here, I let nobody in, make no room and send no mail in this case. Before you do:\n"
    "– !status: is everybody there, and nobody else? !party remove NAME for who was taken off since then (or they are"
    " invited again), !party add for who came.\n"
    "– !held and !dead: what was on its way then may have been sent since. I repeat none of it unless you say so.\n"
    "– What was written to me shortly before now I may not have read: ask for it again."
)


class Settling:
    """Does it all, as often as it is interrupted."""

    def __init__(self, database: ServiceDatabase, matrix: Homeserver, encryption: Encryption, bot: UserId) -> None:
        self._database, self._matrix, self._encryption, self._bot = database, matrix, encryption, bot

    async def caught_up(self) -> Epoch:
        """Whatever the homeserver had for us has been stored by now, and may have been acted on before the restore."""
        async with self._database.begin() as work:
            epoch = replace(await work.epochs.current(), doubt_until=datetime.now(UTC))
            await work.epochs.save(epoch)
        return epoch

    async def tell_desks(self, epoch: Epoch, codec: Codec, house: House) -> None:
        """The mediators of every case hear of the restore, once."""
        async with self._database.begin() as work:
            for case in await work.cases.all_ids():
                if await work.epochs.unconfirmed(case) and epoch.backup_at:
                    item = item_id(f"restored/{epoch.name}/{case}")
                    handler = Handler(work, codec, house, item, datetime.now(UTC))
                    await handler.tell_desk(case, _TO_THE_DESK.format(at=epoch.backup_at))

    async def settle(self) -> None:
        """New devices for every identity, and the former ones gone. Raises Trouble, MatrixError."""
        async with self._database.begin() as work:
            unfinished = await work.crypto.unfinished_identities()
        for user in unfinished:
            await self._encryption.finish_identity(UserId(user))
        async with self._database.begin() as work:
            identities = await work.crypto.identities()
            known = {record.room_id for record in await work.rooms.made()}
        for user, device in identities:
            for former in await self._matrix.accounts.devices(UserId(user)) - {device}:
                await self._matrix.accounts.delete_device(UserId(user), former)
        unknown = len(await self._matrix.rooms.joined_rooms(as_user=self._bot) - known)
        if unknown:
            logger.warning("%d rooms of the bot are not in the restored database; nothing is sent there", unknown)
        async with self._database.begin() as work:
            await work.epochs.save(replace(await work.epochs.current(), stage=Stage.SETTLED))
        logger.info("the restore is settled: all former devices are deleted")

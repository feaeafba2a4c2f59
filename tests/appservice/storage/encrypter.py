"""A process that writes as one identity in one room: run several, and see that no index of a ratchet comes twice.

    python -m tests.appservice.storage.encrypter URL TIMES [careless]

It says the session and the index of each event that it has encrypted and committed. A careless one reads the ratchet
without locking its row: the fault that the test must see.
"""

import asyncio
import sys
from typing import Any

from appservice.crypto.ids import RoomId, UserId
from appservice.crypto.machine import OlmMachine
from appservice.crypto.outbound import Audience, Encrypted, Rotation
from appservice.crypto.sealing import Sealer
from appservice.storage.crypto import SqlCryptoStore
from appservice.storage.database import SqlDatabase
from tests.appservice.storage.master import MASTER

BOT = UserId("@_mediatrix_bot:example.org")
NOBODY = Audience(RoomId("!room"), frozenset(), Rotation(messages=40))
"""Nobody reads it: what counts is how the ratchet turns, and that it is replaced now and then."""
SEALER = Sealer([MASTER])


async def write(database: SqlDatabase, times: int) -> list[str]:
    """Encrypt so often; the session and the index of each event."""
    machine = OlmMachine(BOT, SEALER)
    used: list[str] = []
    while len(used) < times:
        async with database.begin() as work:
            result = await machine.encrypt_event(work.crypto, NOBODY, "m.room.message", {}, now_ms=1)
        if isinstance(result, Encrypted):
            used.append(f"{result.session_id}/{result.message_index}")
            continue
        async with database.begin() as work:
            await machine.prepare(work.crypto, NOBODY, now_ms=1)
    return used


async def main(url: str, times: str, *faults: str) -> None:
    """The process."""
    if faults:
        outbound = SqlCryptoStore.outbound

        async def unlocked(self: SqlCryptoStore, user: Any, room: Any, *, lock: bool = False) -> Any:
            return await outbound(self, user, room)

        SqlCryptoStore.outbound = unlocked  # type: ignore[method-assign,assignment]
    database = SqlDatabase(url, SEALER)
    await database.open()
    print(*await write(database, int(times)), sep="\n")  # noqa: T201 (its parent listens)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

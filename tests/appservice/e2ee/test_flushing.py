"""What our devices have to send is sent: one that the homeserver refuses keeps no other's back."""

from typing import cast

import pytest

from appservice.crypto.outbound import Rotation
from appservice.e2ee.encryption import Encryption, Us
from appservice.e2ee.trust import Verifications
from appservice.matrix.homeserver import Homeserver
from rooms.homeserver import Trouble
from rooms.ids import UserId
from tests.appservice.crypto.service import SEALER
from tests.fakes.memory import MemoryDatabase

GONE, OTHER = UserId("@_mediatrix_a:example.org"), UserId("@_mediatrix_b:example.org")


async def test_a_device_that_is_refused_keeps_no_other_from_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[UserId] = []

    async def flush(self: Encryption, user: UserId) -> None:
        flushed.append(user)
        if user == GONE:
            raise Trouble("the homeserver does not know the device", transient=True)

    async def owners(self: object, now_ms: int) -> list[UserId]:
        return [GONE, OTHER]

    monkeypatch.setattr(Encryption, "flush", flush)
    database = MemoryDatabase()
    async with database.begin() as work:
        monkeypatch.setattr(type(work.crypto), "request_owners", owners)
    us = Us(GONE, lambda _: True, Rotation(1, 1), cast("Verifications", None))
    await Encryption(database, cast("Homeserver", None), SEALER, us).flush_all()
    assert flushed == [GONE, OTHER]

"""Two mediators add the same number to two cases at once: one is told why not."""

from dataclasses import replace
from typing import Any

import pytest

from appservice.storage.errors import Conflict
from policies.case import CaseId, Network
from policies.commands.form import Misunderstood
from policies.commands.vocabulary import parse
from rooms.handle import Answer, Handler
from rooms.queue import ItemId
from tests.appservice.whatsapp.house import CODEC, WhatsAppHouse
from tests.bridges.whatsapp.builders import BEA_PHONE
from tests.policies.builders import new_case

OTHER = CaseId("1043")


async def adds(there: WhatsAppHouse) -> Answer:
    """The command, as an item of the inbox is handled: all of it, or nothing."""
    command = parse(f"!party add Bea {BEA_PHONE} on Jones")
    assert not isinstance(command, Misunderstood)
    async with there.database.begin() as work:
        return await Handler(work, CODEC, there.house, ItemId("add"), there.now).command(OTHER, command, there.now)


async def test_who_comes_second_is_refused_though_nobody_was_there_when_it_looked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = await WhatsAppHouse().begin()
    async with there.database.begin() as work:
        await work.cases.save(replace(new_case(), id=OTHER))

    async def nobody(*_: Any) -> frozenset[str]:
        return frozenset()

    with monkeypatch.context() as patch:
        patch.setattr("rooms.handle.engaged", nobody)
        with pytest.raises(Conflict):
            await adds(there)
    assert not there.database.committed.cases[OTHER].at_address(Network.WHATSAPP, BEA_PHONE)
    again = await adds(there)
    assert not again.ok
    assert "another case" in again.text

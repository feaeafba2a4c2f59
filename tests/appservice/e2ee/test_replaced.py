"""A replaced identity: every desk is alarmed once a replacement, and what waited goes on when it is confirmed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from appservice.codec import JsonCodec
from appservice.crypto.devices import take_answer
from appservice.crypto.ids import Ed25519Key, UserId
from appservice.crypto.machine import OlmMachine
from appservice.crypto.requests import Answer, KeysQuery
from appservice.crypto.rows import Pin, StoredMasterKey
from appservice.e2ee.replaced import ReplacedReader, look
from policies.case import CaseId
from policies.commands.channels import ConfirmIdentity
from policies.effects import Explain, Tell
from rooms.handle import Handler
from rooms.house import House
from rooms.lanes import identity_wait_key
from rooms.queue import Item, ItemId, Lane, State
from tests.appservice.crypto.homeserver import FakeHomeserver
from tests.appservice.crypto.people import ALICE, BOT, Person
from tests.appservice.crypto.service import SEALER
from tests.fakes.memory import MemoryDatabase
from tests.policies.builders import ALICE_JOINS, AT, done, new_case

CODEC = JsonCodec()
WAITS = ItemId("waits")
HOUSE = House("example.org", "_mediatrix_", None, {UserId("@mia:example.org"): "Mia"})
READER = ReplacedReader(CODEC, HOUSE)


class Table:
    """Two cases of Alice's, and her keys at the homeserver."""

    def __init__(self) -> None:
        self.database = MemoryDatabase()
        self.homeserver = FakeHomeserver()
        self.alice = Person(self.homeserver, ALICE)
        self.alice.add_device("PHONE")
        self.at_ms = 1_000_000
        self.asked = 0

    async def begin(self) -> None:
        async with self.database.begin() as work:
            case = done(new_case(), ALICE_JOINS).case
            await work.cases.save(case)
            await work.cases.save(replace(case, id=CaseId("1043")))
            await OlmMachine(BOT, SEALER).create(work.crypto, display_name="Bot", now_ms=1)
            await work.crypto.track([ALICE])
        await self.refresh()

    async def refresh(self) -> None:
        """Alice's list is asked for, and comes in."""
        self.at_ms += 1_000
        async with self.database.begin() as work:
            await work.crypto.mark_changed([ALICE])
            query = await OlmMachine(BOT, SEALER).stale_devices(work.crypto)
            assert isinstance(query, KeysQuery)
            answer = Answer(200, self.homeserver._query({ALICE: []}).content)
            replaced = await take_answer(work.crypto, query, answer, self.at_ms)
            await look(work, frozenset(query.generations), replaced, AT)

    async def reset(self) -> None:
        self.alice.reset()
        self.alice.sign_device("PHONE")
        await self.refresh()

    async def told(self) -> list[tuple[CaseId | None, str]]:
        """What follows, by case; once."""
        async with self.database.begin() as work:
            for item in await work.inbox.in_state([State.READY]):
                if item.kind == "identity.replaced":
                    await READER.read(work, item)
            found = []
            for item in await work.outbox.in_state([State.READY]):
                if item.id == WAITS:
                    continue
                effect = CODEC.load(item.body)
                if isinstance(effect, Tell | Explain):
                    found.append((item.case, effect.text))
                    await work.outbox.done(item.id)
            return found

    async def confirm(self, case: str, fingerprint: str) -> tuple[bool, str]:
        self.asked += 1
        async with self.database.begin() as work:
            handler = Handler(work, CODEC, HOUSE, ItemId(f"confirm {self.asked}"), AT)
            answer = await handler.command(CaseId(case), ConfirmIdentity("Alice", fingerprint), datetime.now(UTC))
        return answer.ok, answer.text

    async def present(self) -> Ed25519Key:
        async with self.database.begin() as work:
            [row] = await work.crypto.device_lists([ALICE])
        assert row.master_key is not None
        return row.master_key

    async def park(self) -> None:
        """Something waits in either queue until Alice's identity is confirmed."""
        async with self.database.begin() as work:
            for queue in (work.inbox, work.outbox):
                await queue.put(Item(WAITS, Lane("l"), "x", None, b"", AT))
                await queue.park(WAITS, identity_wait_key(ALICE), None, "waits")

    async def waits(self) -> bool:
        async with self.database.begin() as work:
            items = [await queue.get(WAITS) for queue in (work.inbox, work.outbox)]
        states = {item.state for item in items if item}
        assert len(states) == 1
        return states == {State.PARKED}


@pytest.fixture
async def table() -> Table:
    table = Table()
    await table.begin()
    return table


async def test_every_desk_is_alarmed_once_a_replacement(table: Table) -> None:
    assert await table.told() == []
    await table.reset()
    alarms = await table.told()
    assert {case for case, _ in alarms} == {"1042", "1043"}
    assert all("ALARM" in text for _, text in alarms)
    await table.refresh()
    assert await table.told() == []
    await table.reset()
    assert len(await table.told()) == 2


async def test_an_alarm_that_is_over_before_it_is_read_is_not_told(table: Table) -> None:
    trusted = table.alice.seeds
    await table.reset()
    table.alice.seeds = trusted
    table.alice.publish_identity()
    await table.refresh()
    assert await table.told() == []


async def test_what_waited_goes_on_when_confirmed_and_all_desks_and_she_hear_of_it(table: Table) -> None:
    await table.reset()
    await table.told()
    await table.park()
    assert await table.confirm("1042", (await table.present())[:12]) == (
        True,
        "The new identity of Alice is confirmed, and what waited for it goes on.",
    )
    assert not await table.waits()
    told = await table.told()
    assert [case for case, text in told if "confirmed" in text] == ["1042", "1043"]
    assert [case for case, text in told if "made sure that it is you" in text] == ["1042"]
    async with table.database.begin() as work:
        [row] = await work.crypto.device_lists([ALICE])
    assert (row.pin, row.pinned_key) == (Pin.PINNED, row.master_key)
    assert await table.confirm("1042", await table.present()) == (
        False,
        "There is no new identity to confirm. !identity Alice shows what is known",
    )


async def test_replaced_again_between_preview_and_confirmation_nothing_is_confirmed(table: Table) -> None:
    await table.reset()
    shown = (await table.present())[:12]
    await table.park()
    await table.reset()
    ok, _ = await table.confirm("1042", shown)
    assert not ok
    assert await table.waits()


async def test_the_known_identity_come_back_lets_go_of_what_waited(table: Table) -> None:
    trusted = table.alice.seeds
    await table.reset()
    await table.park()
    await table.refresh()
    assert await table.waits()
    table.alice.seeds = trusted
    table.alice.publish_identity()
    await table.refresh()
    assert not await table.waits()


async def test_since_when_a_key_is_known_and_that_it_was_compared_survives_its_going_and_coming(table: Table) -> None:
    first, seen_ms = await table.present(), table.at_ms
    async with table.database.begin() as work:
        await work.crypto.put_master_key(StoredMasterKey(ALICE, first, 0, table.at_ms))
    trusted = table.alice.seeds
    await table.reset()
    async with table.database.begin() as work:
        known = (await work.identities.known([ALICE]))[ALICE]
    at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=table.at_ms)
    assert (known.trusted, known.replaced, known.since, known.compared) == (first, True, at, None)
    table.alice.seeds = trusted
    table.alice.publish_identity()
    await table.refresh()
    async with table.database.begin() as work:
        known = (await work.identities.known([ALICE]))[ALICE]
    at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=seen_ms)
    assert (known.present, known.replaced, known.since, known.compared) == (first, False, at, at)


async def test_of_people_never_looked_at_nothing_is_known(table: Table) -> None:
    async with table.database.begin() as work:
        assert await work.identities.known([UserId("@mia:example.org")]) == {}

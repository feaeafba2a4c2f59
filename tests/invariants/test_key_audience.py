"""Real keys reach cross-signed devices of readers who have joined, and no other device ever (I4, I9).

The whole service with its real encryption, against the key endpoints of a homeserver in memory; everybody has real
devices, some of which their owners have not signed.
"""

import json
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appservice.casefile import CaseFile
from appservice.e2ee.writing import Writer
from appservice.reading import COMMAND
from policies.case import CaseId
from rooms import deliver
from rooms.provision import Fit
from rooms.queue import Item, ItemId, Lane
from tests.invariants.canaries import canaries_in
from tests.invariants.devices import Clients
from tests.invariants.people import Post, send_mail
from tests.invariants.world import ALICE, BOB, BOT, CARL, DAN, MALLORY, MIA, World, opened

CASE = CaseId("1001")
CONSENT = {"content_by_mail": True, "recorded_by": "Mia", "on": "2026-01-05", "wording": "by telephone"}
FILE = {
    "title": "Smith and Jones",
    "mediators": [MIA],
    "open": True,
    "mode": "open",
    "sides": [
        {"name": "Smith", "people": [{"name": "Alice", "matrix": ALICE}]},
        {
            "name": "Jones",
            "people": [
                {"name": "Carl", "email": CARL, "consent": CONSENT},
                {"name": "Bob", "matrix": BOB, "role": "counsel"},
            ],
        },
    ],
}


async def rest(world: World) -> None:
    """Everybody comes in, and the service does all there is to do."""
    for _ in range(3):
        await world.settle()
        while await world.service.parts.encryption.refresh_devices():
            await world.settle()
        await world.service.parts.encryption.flush_all()
        await world.everyone_joins()
    await world.time_passes()
    await world.settle()


async def begin(world: World, clients: Clients) -> None:
    """A case, and two devices for everybody: one signed, one not."""
    await world.start()
    for user in (MIA, ALICE, BOB, MALLORY):
        for signed in (True, False):
            await clients.log_in(user, signed=signed)
    body = json.dumps({"file": CaseFile.model_validate(FILE).model_dump(mode="json")}).encode()
    async with world.database.begin() as work:
        await work.inbox.put(Item(ItemId("open"), Lane("api"), COMMAND, None, body, datetime.now(UTC)))
    await rest(world)
    await world.enrol(CARL)
    await rest(world)


async def check(world: World, clients: Clients) -> None:
    """Each event of ours is read by exactly those devices for which it is."""
    ours = [e for e in world.synapse.events() if e.type == "m.room.encrypted" and e.sender.startswith("@_mediatrix_")]
    assert ours
    for event in ours:
        case, conversation = world.place(event.room) or (CASE, None)
        assert conversation is not None
        for device in clients.devices:
            body = await clients.reads(device, event)
            member = world.chronicle.entitled(case, conversation, device.user, event.at, event.at)
            signed = device.signed_at is not None and device.signed_at < event.at
            if body is None:
                late = not member or device.user not in event.seen_by or not signed
                assert late, f"{device.user} can't read what was for them"
                continue
            assert member, f"{device.user} has a key of {conversation}"
            assert device.user in event.seen_by, f"{device.user} had not joined, and has a key"
            if not signed:
                assert event.sender == BOT, "a party's words are readable for an unsigned device"
                assert not canaries_in(body), f"content of the case for an unsigned device: {body}"
                assert "Your device" in body or "not passed on" in body, body


ACTS = st.lists(
    st.sampled_from(("mail", "other mail", "forged mail", "remove", "leave", "intrude", "log in", "unsigned", "sign")),
    min_size=2,
    max_size=6,
)


async def happen(world: World, clients: Clients, act: str, number: int) -> None:
    """One thing happens."""
    users = (ALICE, BOB, MIA, MALLORY)
    match act:
        case "mail":
            await send_mail(world, CARL, Post.REPLY, number)
        case "other mail":
            await send_mail(world, CARL, Post.FRESH, number + 1)
        case "forged mail":
            await send_mail(world, CARL, Post.FORGED, number)
        case "remove":
            await world.api(CASE, f"!party remove {('Alice', 'Bob')[number % 2]}")
        case "leave":
            user = users[number % 2]
            for room in world.rooms_of(user, "join")[:1]:
                await world.leave(user, room)
        case "intrude":
            world.intrude(users[number % 4], number * 2)
        case "log in" | "unsigned":
            await clients.log_in(users[number % 4], signed=act == "log in")
        case _:
            await clients.sign(clients.devices[number % len(clients.devices)])


@settings(max_examples=6)
@given(ACTS, st.integers(0, 7))
async def test_keys_reach_the_signed_devices_of_joined_readers_alone(acts: list[str], number: int) -> None:
    with opened(sealed=False) as world:
        clients = Clients(world)
        await begin(world, clients)
        for place, act in enumerate(acts):
            world.now += 1
            await happen(world, clients, act, number + place)
            if (number + place) % 3:
                await rest(world)
        await rest(world)
        await check(world, clients)


async def test_an_unsigned_device_is_told_the_remedy_and_nothing_of_the_case() -> None:
    with opened(sealed=False) as world:
        clients = Clients(world)
        await begin(world, clients)
        await send_mail(world, CARL, Post.REPLY, 0)
        await rest(world)
        await check(world, clients)
        read = [
            await clients.reads(device, event)
            for device in clients.devices
            for event in world.synapse.events()
            if device.user == ALICE and device.signed_at is None and event.sender == BOT
        ]
        assert [body for body in read if body and "you have not verified it" in body]


async def test_a_key_for_everybody_who_joined_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def wrong(database: Any, homeserver: Any, case: Any, record: Any) -> Any:
        return Fit((await homeserver.state(record.room_id)).joined, frozenset())

    with opened(sealed=False) as world:
        clients = Clients(world)
        await begin(world, clients)
        monkeypatch.setattr(deliver, "fitness", wrong)
        for number in range(8):
            world.intrude(MALLORY, number * 2)
        await send_mail(world, CARL, Post.REPLY, 0)
        await rest(world)
        with pytest.raises(AssertionError, match="has a key"):
            await check(world, clients)


async def post_while_dan_comes_in(moment: int) -> None:
    """A mail is posted where Dan reads; he accepts his invitations before or after one of the events of ours."""
    with opened(sealed=False) as world:
        clients = Clients(world)
        await begin(world, clients)
        await clients.log_in(DAN, signed=True)
        await world.api(CASE, f"!party add Dan {DAN} as counsel on Smith")
        await world.settle()
        await send_mail(world, CARL, Post.REPLY, 0)
        world.fault = ("arrival", moment)
        await rest(world)
        world.fault = None
        await check(world, clients)


async def caught(play: Awaitable[None]) -> str:
    """What a test fails with."""
    try:
        await play
    except AssertionError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("moment", range(6))
async def test_who_comes_in_while_something_is_being_posted_can_read_it(moment: int) -> None:
    await post_while_dan_comes_in(moment)


async def test_that_latecomers_get_no_key_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def wrong(*_: Any) -> None:
        """Nothing."""

    monkeypatch.setattr(Writer, "_give_to_latecomers", wrong)
    failures = [await caught(post_while_dan_comes_in(moment)) for moment in range(6)]
    assert any("can't read what was for them" in failure for failure in failures)

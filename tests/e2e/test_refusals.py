"""Who is refused what: strangers, mediators of other cases, words in clear or unsigned, addresses that can't be."""

from __future__ import annotations

import asyncio

import pytest

from sandbox.client import Client
from sandbox.node import CommandFailed, Node
from sandbox.world import World
from tests.e2e.cases import (
    OTHER_MEDIATOR,
    Arrive,
    Staff,
    enter,
    events_of,
    flaws,
    mail_address,
    sits_in,
    told,
    until,
)

pytest_plugins = ["tests.e2e.cases"]


@pytest.fixture
def bot(world: World) -> str:
    return world.homeserver.user_id("_mediatrix_bot")


async def turned_down(client: Client, room: str, user: str) -> None:
    """Waits until the invited has left without ever having come in."""

    await client.wait_for(
        lambda e: e.room_id == room and e.state_key == user and e.content.get("membership") == "leave",
        f"departure of {user} from the room it was invited to",
    )
    memberships = [e.content["membership"] for e in events_of(client, room) if e.state_key == user]
    assert memberships == ["invite", "leave"]


async def a_ghost_in(room: str, watcher: Client) -> str:
    """The first ghost that comes into a room."""
    found: list[str] = []

    async def is_there() -> bool:
        users = [m.user_id for m in await watcher.members(room)]
        found[:] = [u for u in users if u.startswith("@_mediatrix_") and not u.startswith("@_mediatrix_bot:")]
        return bool(found)

    await until(is_there, "a ghost in the room")
    return found[0]


def said_by_us(client: Client, room: str) -> list[str | None]:
    """What the bot or a ghost said in a room."""
    ours = [e for e in events_of(client, room) if e.sender.startswith("@_mediatrix_") and e.state_key is None]
    return [event.body for event in ours]


async def test_strangers_who_invite_the_bot_or_a_ghost_are_turned_down(mia: Staff, arrive: Arrive, bot: str) -> None:
    stranger, desk = await asyncio.gather(arrive("stranger"), mia.open_case())
    await desk.add("Carl", mail_address("carl"))
    caucus = await enter(mia.client, f"PRIVATE with mediator · {desk.number}")
    ghost = await a_ghost_in(caucus, mia.client)
    clear, encrypted, for_ghost = await asyncio.gather(
        stranger.create_room(invite=[bot], encrypted=False, direct=True),
        stranger.create_room(invite=[bot], encrypted=True, direct=True),
        stranger.create_room(invite=[ghost], encrypted=True),
    )
    await asyncio.gather(
        turned_down(stranger, clear, bot),
        turned_down(stranger, encrypted, bot),
        turned_down(stranger, for_ghost, ghost),
    )
    assert [words for room in (clear, encrypted, for_ghost) for words in said_by_us(stranger, room)] == []


async def test_a_mediator_of_another_case_hears_of_own_cases_only(mia: Staff, otto: Staff) -> None:
    theirs, own = await asyncio.gather(mia.open_case("The Meyer inheritance"), otto.open_case("Fence"))
    asked = await otto.client.text(otto.lobby, "!case list")
    listed = await told(otto.client, otto.lobby, own.number, after=asked)
    assert "Fence" in listed
    assert theirs.number not in listed
    asked = await otto.client.text(otto.lobby, "!status")
    answer = await told(otto.client, otto.lobby, "said at a case's desk", after=asked)
    assert theirs.number not in answer
    assert "Meyer" not in answer
    with pytest.raises(CommandFailed) as refused:
        await otto.client.join(theirs.room)
    assert refused.value.errcode == "M_FORBIDDEN"
    with pytest.raises(CommandFailed):
        await otto.client.text(theirs.room, "!status")
    assert not any(room.room_id == theirs.room for room in await otto.client.rooms())


async def test_an_unencrypted_chat_is_told_why_in_clear_and_nothing_of_a_case(mia: Staff, bot: str) -> None:
    desk = await mia.open_case("The Meyer inheritance")
    room = await mia.client.create_room(invite=[bot], encrypted=False, direct=True)
    await until(lambda: sits_in(mia.world, bot, room, mia.client), "the bot in the chat")
    for command in ("!case list", "!case new Secret title"):
        asked = await mia.client.text(room, command)
        answer = await told(mia.client, room, "This chat is not encrypted", after=asked)
        assert "Meyer" not in answer
        assert "Secret" not in answer
        assert desk.number not in answer
    answers = [e for e in events_of(mia.client, room) if e.sender == bot and e.state_key is None]
    assert [e.encrypted for e in answers] == [False, False]
    asked = await mia.client.text(mia.lobby, "!case list")
    assert "Secret title" not in await told(mia.client, mia.lobby, desk.number, after=asked)


async def test_words_in_clear_in_an_encrypted_chat_are_not_obeyed_and_the_answer_is_encrypted(
    mia: Staff, bot: str
) -> None:
    path = f"/_matrix/client/v3/rooms/{mia.lobby}/send/m.room.message/in-clear-1"
    sent = await mia.client.request("PUT", path, {"msgtype": "m.text", "body": "!case list"})
    await mia.client.wait_for(lambda e: e.event_id == sent["event_id"])
    await told(mia.client, mia.lobby, "sent without encryption", after=sent["event_id"])
    assert all(e.encrypted for e in events_of(mia.client, mia.lobby) if e.sender == bot and e.state_key is None)


async def test_addresses_that_can_not_be_are_refused_with_what_would_work(mia: Staff, arrive: Arrive) -> None:
    desk, alice = await asyncio.gather(mia.open_case(), arrive("alice"))
    carl = mail_address("carl")
    refused = await desk.ask("!party add Alice @alice:elsewhere.example", "account of another homeserver")
    assert f"!party add Alice @alice:{desk.world.homeserver.server_name}" in refused
    assert "!party add Alice name@example.org" in refused
    await desk.add("Alice", alice.user_id)
    await desk.add("Carl", carl)
    await desk.ask(f"!party add Bob {carl.upper()}", "no two people share an address")
    await desk.ask(f"!party add Alicia {alice.user_id}", "no two people share an address")
    await desk.ask(f"!party add Alice {alice.user_id} on Carl", "nobody is on two sides")
    await desk.ask(f"!party add Alice {alice.user_id} as counsel on Carl", "nobody is on two sides")
    await desk.ask("!party add Karl x@reply.example.org", "one of our own reply addresses")
    await desk.ask(f"!party add Bot {desk.bot}", "one of our own helpers")
    status = await desk.ask("!status", f"Case {desk.number}")
    assert status.count("party on") == 2
    assert (await desk.ask("!side list", "Carl: ")).splitlines() == ["Alice: Alice (party)", "Carl: Carl (party)"]


async def test_a_mediators_unsigned_device_is_not_obeyed_and_told_why(mia: Staff, otto: Staff, case_node: Node) -> None:
    desk = await otto.open_case()
    url, name = desk.world.homeserver.url, OTHER_MEDIATOR
    tablet = await Client.login(
        case_node, url, name, f"password of {name}", device="TABLET", cross_sign=False, isolation="all"
    )
    try:
        await tablet.text(desk.room, "!party add Carl carl@example.org")
        await told(tablet, desk.room, "was not passed on: the device it came from was not verified")
        await desk.told("Held: something from Otto")
        await tablet.text(otto.lobby, "!case new A case that must not be")
        await told(tablet, otto.lobby, "I can't act on that: the device it came from was not verified")
        asked = await otto.client.text(otto.lobby, "!case list")
        assert "must not be" not in await told(otto.client, otto.lobby, desk.number, after=asked)
        assert "No party yet" in await desk.ask("!status", f"Case {desk.number}")
        assert not any("What to do next" in (e.body or "") for e in events_of(tablet, desk.room))
    finally:
        await tablet.logout()


async def test_a_command_in_the_joint_room_does_nothing_and_is_not_mailed(mia: Staff, arrive: Arrive) -> None:
    desk, alice = await asyncio.gather(mia.open_case(), arrive("alice"))
    carl = mail_address("carl")
    await desk.add("Alice", alice.user_id)
    await desk.add("Carl", carl)
    await desk.confirm("Carl", carl)
    joint = await desk.open(alice)
    await mia.client.text(joint, "!party remove Alice")
    await desk.told("Commands are heard at this desk only. What you wrote in EVERYONE")
    await mia.client.text(joint, "Good morning")
    await desk.world.mail.wait_for(carl, lambda mail: "Good morning" in mail.text)
    assert not any("!party" in mail.text for mail in desk.world.mail.mailbox(carl))
    # A party's line that looks like a command is words.
    await alice.text(joint, "!status")
    await desk.world.mail.wait_for(carl, lambda mail: "!status" in mail.text)
    assert not any("Case " in (words or "") for words in said_by_us(alice, joint))
    assert "Alice: party" in await desk.ask("!status", f"Case {desk.number}")
    assert await flaws(alice) == []


async def test_a_room_that_the_bot_did_not_make_is_left_alone(mia: Staff, arrive: Arrive, bot: str) -> None:
    stranger, desk = await asyncio.gather(arrive("stranger"), mia.open_case("The Meyer inheritance"))
    room = await mia.client.create_room("Knitting", invite=[bot, stranger.user_id], encrypted=True)
    await asyncio.gather(
        until(lambda: sits_in(mia.world, bot, room, mia.client), "the bot in the room"), stranger.join(room)
    )
    await stranger.text(room, "!case list")
    await mia.client.text(room, "!case list")
    await mia.client.send_state(room, "m.room.name", {"name": "Crochet"})
    await mia.client.send_state(room, "m.room.history_visibility", {"history_visibility": "shared"})
    # What the bot did about all that, it has done before it answers a command that came later.
    await desk.ask("!status", f"Case {desk.number}")
    await desk.ask("!repair", "Nothing needs repair")
    ours = [e for e in events_of(stranger, room) if e.sender == bot]
    assert [e.type for e in ours] == ["m.room.member"]


async def test_the_desk_is_warned_of_an_account_that_nobody_reads_with(otto: Staff) -> None:
    desk = await otto.open_case()
    await desk.add("Alice", otto.world.homeserver.user_id("alcie"))
    assert "check the spelling" in await desk.told("Alice (@alcie:")

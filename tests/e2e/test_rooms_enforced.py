"""The rooms of a case as the homeserver enforces them: settings, powers, history, Spaces; and their repair."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from sandbox.client import Client
from sandbox.node import CommandFailed
from sandbox.world import World
from tests.e2e.cases import (
    Arrive,
    Desk,
    Staff,
    enter,
    enter_room,
    events_of,
    flaws,
    mail_address,
    sits_in,
    until,
)

pytest_plugins = ["tests.e2e.cases"]

State = Mapping[tuple[str, str], Mapping[str, Any]]


@dataclass(frozen=True)
class Admin:
    """Whoever runs the homeserver, at its admin API."""

    world: World
    token: str

    async def state(self, room: str) -> State:
        """A room's whole state, seen from outside; the creator stands in for `creator`."""
        answer = await self._call("GET", f"/v1/rooms/{quote(room)}/state")
        state = {(e["type"], e["state_key"]): e["content"] for e in answer["state"]}
        [created_by] = [e["sender"] for e in answer["state"] if e["type"] == "m.room.create"]
        return {**state, ("creator", ""): {"user_id": created_by}}

    async def rooms(self, case: str) -> dict[str, list[str]]:
        """The rooms of a case by name."""
        answer = await self._call("GET", "/v1/rooms?limit=500")
        found: dict[str, list[str]] = {}
        for room in answer["rooms"]:
            if room["name"] and room["name"].endswith(f"· {case}"):
                found.setdefault(room["name"], []).append(room["room_id"])
        return found

    async def make_admin(self, room: str, user: str) -> None:
        """Give a user all the power that can be given, in the creator's name; who isn't in the room is invited."""
        await self._call("POST", f"/v1/rooms/{quote(room)}/make_room_admin", {"user_id": user})

    async def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        return await self.world.homeserver.request(method, f"/_synapse/admin{path}", token=self.token, body=body)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def admin(world: World) -> Admin:
    await world.homeserver.register("admin", "password of admin", admin=True)
    session = await world.homeserver.log_in("admin", "password of admin")
    return Admin(world, session.access_token)


@dataclass(frozen=True)
class Session:
    """A case in session: Alice in Matrix, Carl by mail."""

    desk: Desk
    alice: Client
    carl: str
    joint: str
    caucus: str
    others_caucus: str

    async def carl_writes(self, text: str) -> None:
        """By mail, to everyone."""
        mail = await self.desk.world.mail.wait_for(self.carl, lambda mail: mail.subject.startswith("EVERYONE"))
        assert (await self.desk.world.mail.deliver(self.carl, mail.reply_address, text)).startswith("250")


async def in_session(mia: Staff, arrive: Arrive) -> Session:
    desk, alice = await asyncio.gather(mia.open_case(), arrive("alice"))
    carl = mail_address("carl")
    await desk.add("Carl", carl)
    others_caucus = await enter(mia.client, f"PRIVATE with mediator · {desk.number}")
    await desk.confirm("Carl", carl)
    await desk.add("Alice", alice.user_id)
    caucus = await desk.caucus(alice)
    return Session(desk, alice, carl, await desk.open(alice), caucus, others_caucus)


async def forbidden(client: Client, method: str, path: str, body: object) -> None:
    with pytest.raises(CommandFailed) as refused:
        await client.request(method, f"/_matrix/client/v3/rooms/{path}", body)
    assert refused.value.errcode == "M_FORBIDDEN"


async def test_every_room_is_made_as_planned(mia: Staff, arrive: Arrive, admin: Admin) -> None:
    case = await in_session(mia, arrive)
    number, bot, me = case.desk.number, case.desk.bot, mia.client.user_id

    async def all_made() -> bool:
        return sorted(len(ids) for ids in (await admin.rooms(number)).values()) == [1, 1, 1, 2, 2]

    await until(all_made, "all rooms made")
    rooms = await admin.rooms(number)
    assert set(rooms) == {
        f"Desk · {number}",
        f"EVERYONE · {number}",
        f"PRIVATE with mediator · {number}",
        f"Mediators · {number}",
        f"Mediation · {number}",
    }
    levels = {"users_default": 0, "state_default": 100, "invite": 100, "kick": 100, "ban": 100, "redact": 100}
    for name, ids in rooms.items():
        space = name.startswith("Mediat")
        for room in ids:
            state = await admin.state(room)
            create = state["m.room.create", ""]
            assert (create["room_version"], state["creator", ""]["user_id"]) == ("12", bot)
            assert "additional_creators" not in create
            assert create["m.federate"] is False
            assert (create.get("type") == "m.space") is space
            assert state["m.room.join_rules", ""]["join_rule"] == "invite"
            assert state["m.room.history_visibility", ""] == {"history_visibility": "joined"}
            assert state["m.room.guest_access", ""] == {"guest_access": "forbidden"}
            assert state["m.room.name", ""] == {"name": name}
            assert ("m.room.topic", "") not in state
            encryption = state.get(("m.room.encryption", ""), {})
            assert encryption.get("algorithm") == (None if space else "m.megolm.v1.aes-sha2")
            powers = state["m.room.power_levels", ""]
            assert {key: powers[key] for key in levels} == levels
            assert powers["users"] == ({me: 75} if not name.startswith("Mediation") else {})
            assert powers["events_default"] == (100 if space else 75)
            if not space:
                joint = name.startswith("EVERYONE")
                assert powers["events"] == {
                    "m.room.encrypted": 0,
                    "m.room.message": 0,
                    "m.reaction": 0,
                    "m.room.redaction": 75 if joint else 0,
                }


async def test_the_homeserver_refuses_a_party_what_only_the_mediator_may(mia: Staff, arrive: Arrive) -> None:
    case = await in_session(mia, arrive)
    alice, outsider = case.alice, await arrive("outsider")
    mine = await alice.text(case.joint, "On the record")
    theirs = await mia.client.text(case.caucus, "The mediator's word")
    for room in (case.joint, case.caucus):
        for type_, content in (
            ("m.room.name", {"name": "Mine"}),
            ("m.room.topic", {"topic": "Carl lies"}),
            ("m.room.power_levels", {"users": {alice.user_id: 100}}),
            ("m.room.join_rules", {"join_rule": "public"}),
            ("m.room.history_visibility", {"history_visibility": "world_readable"}),
            ("m.room.pinned_events", {"pinned": [mine]}),
        ):
            await forbidden(alice, "PUT", f"{room}/state/{type_}/", content)
        await forbidden(alice, "POST", f"{room}/invite", {"user_id": outsider.user_id})
        await forbidden(alice, "POST", f"{room}/kick", {"user_id": mia.client.user_id})
        await forbidden(alice, "PUT", f"{room}/send/org.example.anything/t1", {"body": "in clear"})
        await forbidden(alice, "PUT", f"{room}/send/m.sticker/t2", {"body": "in clear"})
    await forbidden(alice, "PUT", f"{case.joint}/redact/{mine}/t3", {})
    await forbidden(alice, "PUT", f"{case.caucus}/redact/{theirs}/t4", {})
    with pytest.raises(CommandFailed):
        await outsider.join(case.joint)
    own = await alice.text(case.caucus, "I take this back")
    await alice.redact(case.caucus, own)
    await mia.client.wait_for(lambda e: e.event_id == own and e.redacted)


async def test_a_newcomer_reads_nothing_older(mia: Staff, arrive: Arrive) -> None:
    case = await in_session(mia, arrive)
    older = await case.alice.text(case.caucus, "Before Dora came")
    await mia.client.wait_for_text(case.caucus, "Before Dora came")
    dora = await arrive("dora")
    await case.desk.add("Dora", dora.user_id, rest="as counsel on Alice")
    await enter_room(dora, case.caucus)
    await mia.client.wait_for(lambda e: e.state_key == dora.user_id and e.content.get("membership") == "join")
    await case.alice.wait_for(lambda e: e.state_key == dora.user_id and e.content.get("membership") == "join")
    await case.alice.text(case.caucus, "Welcome, Dora")
    await dora.wait_for_text(case.caucus, "Welcome, Dora")
    page = await dora.request("GET", f"/_matrix/client/v3/rooms/{case.caucus}/messages?dir=b&limit=200")
    ids = {event["event_id"] for event in page["chunk"]}
    assert older not in ids
    came = next(e for e in page["chunk"] if e["type"] == "m.room.member" and e["state_key"] == dora.user_id)
    said = [e for e in page["chunk"] if e["type"] == "m.room.encrypted"]
    assert said
    assert all(e["origin_server_ts"] >= came["origin_server_ts"] for e in said)
    assert await flaws(dora) == []


async def test_nothing_that_a_party_can_see_tells_of_another_caucus(mia: Staff, arrive: Arrive, admin: Admin) -> None:
    case = await in_session(mia, arrive)
    space = await enter(case.alice, f"Mediation · {case.desk.number}")

    async def shows_both_rooms() -> bool:
        answer = await case.alice.request("GET", f"/_matrix/client/v1/rooms/{quote(space)}/hierarchy")
        return {room["room_id"] for room in answer["rooms"]} == {space, case.joint, case.caucus}

    await until(shows_both_rooms, "a Space with the joint room and her caucus, and nothing else")
    paths = ["sync?full_state=true", *(f"rooms/{room}/state" for room in (space, case.joint, case.caucus))]
    everything = [json.dumps(await case.alice.request("GET", f"/_matrix/client/v3/{path}")) for path in paths]
    rooms = await admin.rooms(case.desk.number)
    not_hers = {case.others_caucus, case.desk.room, *rooms[f"Mediators · {case.desk.number}"]}
    not_hers |= {room for room in rooms[f"Mediation · {case.desk.number}"] if room != space}
    for text in everything:
        assert [room for room in not_hers if room in text] == []
    for room in not_hers:
        with pytest.raises(CommandFailed):
            await case.alice.request("GET", f"/_matrix/client/v3/rooms/{room}/state")
        with pytest.raises(CommandFailed):
            await case.alice.join(room)


async def test_an_intruder_is_removed_nothing_is_sent_while_it_is_there_and_the_desk_is_alarmed(
    mia: Staff, arrive: Arrive, admin: Admin
) -> None:
    case, intruder = await asyncio.gather(in_session(mia, arrive), arrive("intruder"))
    world = case.desk.world
    await world.homeserver.stop()
    await case.carl_writes("Accepted while the homeserver was away")
    await world.kill_service()
    await world.homeserver.start()
    await admin.make_admin(case.joint, intruder.user_id)
    await enter_room(intruder, case.joint)
    await until(lambda: sits_in(world, intruder.user_id, case.joint, case.alice), "the intruder in the joint room")
    await world.start_service()

    await case.desk.told(f"{intruder.user_id} had joined and does not belong there")
    await case.alice.wait_for_text(case.joint, "Accepted while the homeserver was away")
    state = await admin.state(case.joint)
    assert state["m.room.member", intruder.user_id]["membership"] == "leave"
    order = events_of(case.alice, case.joint)
    came = next(
        i for i, e in enumerate(order) if e.state_key == intruder.user_id and e.content.get("membership") == "join"
    )
    went = next(
        i for i, e in enumerate(order) if e.state_key == intruder.user_id and e.content.get("membership") == "leave"
    )
    assert [e.body for e in order[came:went] if e.encrypted] == []
    assert [e.body for e in events_of(intruder, case.joint) if e.encrypted and e.body] == []
    levels = (await admin.state(case.joint))["m.room.power_levels", ""]
    assert levels["users"] == {mia.client.user_id: 75}
    assert await flaws(case.alice) == []


async def test_power_given_behind_our_back_is_taken_back_and_the_desk_is_alarmed(
    mia: Staff, arrive: Arrive, admin: Admin
) -> None:
    case = await in_session(mia, arrive)
    await admin.make_admin(case.joint, case.alice.user_id)
    await case.alice.send_state(case.joint, "m.room.name", {"name": "Alice's room"})
    alarm = await case.desk.told("ALARM: Alice changed a setting")
    assert f"EVERYONE · {case.desk.number}" in alarm

    async def as_planned() -> bool:
        state = await admin.state(case.joint)
        wanted = ({mia.client.user_id: 75}, f"EVERYONE · {case.desk.number}")
        return wanted == (state["m.room.power_levels", ""]["users"], state["m.room.name", ""]["name"])

    await until(as_planned, "the power levels and the name set right")
    await case.carl_writes("After the repair")
    await case.alice.wait_for_text(case.joint, "After the repair")

    # With the bot's own name on the change, it is found before the next word is sent there.
    marker = len(case.desk.notices())
    await admin.make_admin(case.joint, case.alice.user_id)
    await case.alice.wait_for(
        lambda e: e.room_id == case.joint and e.type == "m.room.power_levels" and case.alice.user_id in str(e.content)
    )
    await case.carl_writes("After another repair")
    await case.alice.wait_for_text(case.joint, "After another repair")
    await until(as_planned, "the power levels set right again")
    alarms: list[str] = []

    async def alarmed() -> bool:
        alarms[:] = [notice for notice in case.desk.notices()[marker:] if "power" in notice]
        return bool(alarms)

    await until(alarmed, "an alarm")
    assert all(f"EVERYONE · {case.desk.number}" in alarm for alarm in alarms)
    assert await flaws(case.alice) == []


async def test_a_repair_says_what_it_would_do_and_does_it_on_yes(mia: Staff, arrive: Arrive, admin: Admin) -> None:
    case = await in_session(mia, arrive)
    await case.alice.leave(case.joint)
    await case.desk.told("Alice left EVERYONE")
    preview = await case.desk.ask("!repair", "A repair would:")
    assert f"invite {case.alice.user_id}" in preview
    asked = await case.desk.told("say “yes ")
    code = re.search(r"“yes (\w+)”", asked)
    assert code
    state = await admin.state(case.joint)
    assert state["m.room.member", case.alice.user_id]["membership"] == "leave"
    await case.desk.ask("yes Z9Z9", "No question of yours")
    await case.desk.ask(f"yes {code[1]}", "The rooms are being mended")
    await case.alice.join(await room_named_again(case.alice, case.joint))
    await case.alice.text(case.joint, "Here again")
    await mia.client.wait_for_text(case.joint, "Here again")
    await case.desk.ask("!repair", "Nothing needs repair")


async def room_named_again(client: Client, room: str) -> str:
    """Waits for one more invitation to a room that was left."""

    async def invited() -> bool:
        return any(r.room_id == room and r.membership == "invite" for r in await client.rooms())

    await until(invited, "invited again")
    return room

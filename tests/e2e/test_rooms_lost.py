"""What the homeserver's administrator, or somebody with stolen power, takes away: rooms are made anew, and people told;
of an account the desk hears."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import pytest_asyncio

from sandbox.client import Client
from sandbox.world import World
from tests.e2e.cases import Arrive, Staff, enter_room, flaws, sits_in, told, until
from tests.e2e.test_rooms_enforced import Admin, in_session

pytest_plugins = ["tests.e2e.cases"]

LOST = "can't be used any more"


class Destroyer(Admin):
    """An administrator who goes further."""

    async def delete(self, room: str) -> None:
        """Everybody is put out, and what the homeserver knows of the room is purged."""
        answer = await self._call("DELETE", f"/v2/rooms/{quote(room)}", {"purge": True, "block": False})
        gone = f"/v2/rooms/delete_status/{answer['delete_id']}"

        async def done() -> bool:
            return bool((await self._call("GET", gone))["status"] == "complete")

        await until(done, "the room deleted")

    async def deactivate(self, user: str) -> None:
        """The account is over, and out of every room."""
        await self._call("PUT", f"/v2/users/{quote(user)}", {"deactivated": True})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def admin(world: World) -> Destroyer:
    await world.homeserver.register("destroyer", "password of destroyer", admin=True)
    session = await world.homeserver.log_in("destroyer", "password of destroyer")
    return Destroyer(world, session.access_token)


async def other_room_named(client: Client, name: str, than: str) -> str:
    """The id of another room of that name, once the client is invited to it."""
    found: list[str] = []

    async def invited() -> bool:
        found[:] = [r.room_id for r in await client.rooms() if r.name == name and r.membership == "invite"]
        return bool(found) and than not in found

    await until(invited, f"{client.user_id} invited to another {name}")
    return found[0]


async def comes_back(client: Client, name: str, than: str) -> str:
    """They accept the invitation to the room that takes the place of another, and are told so; its id."""
    room = await other_room_named(client, name, than)
    await enter_room(client, room)
    await told(client, room, "takes the place of the former one")
    return room


async def test_a_room_opened_to_everyone_is_closed_again_and_the_desk_alarmed(
    mia: Staff, arrive: Arrive, admin: Destroyer
) -> None:
    case = await in_session(mia, arrive)

    async def closed() -> bool:
        state = await admin.state(case.joint)
        rules, history = state["m.room.join_rules", ""], state["m.room.history_visibility", ""]
        return (rules, history) == ({"join_rule": "invite"}, {"history_visibility": "joined"})

    for kind, content in (
        ("m.room.join_rules", {"join_rule": "public"}),
        ("m.room.history_visibility", {"history_visibility": "world_readable"}),
    ):
        await admin.make_admin(case.joint, case.alice.user_id)
        await case.alice.send_state(case.joint, kind, content)
        await case.desk.told(f"ALARM: Alice changed a setting ({kind})")
        await until(closed, "the join rules and the history set right")
    await case.carl_writes("After it was closed again")
    await case.alice.wait_for_text(case.joint, "After it was closed again")
    assert await flaws(case.alice) == []


async def test_an_upgraded_room_is_made_anew_by_us_and_nobody_is_left_in_the_others(
    mia: Staff, arrive: Arrive, admin: Destroyer
) -> None:
    case = await in_session(mia, arrive)
    name = f"EVERYONE · {case.desk.number}"
    # While nobody looks: the service takes power back faster than it could be used.
    await mia.world.kill_service()
    await admin.make_admin(case.joint, case.alice.user_id)
    upgraded = await case.alice.request(
        "POST", f"/_matrix/client/v3/rooms/{quote(case.joint)}/upgrade", {"new_version": "12"}
    )
    await mia.world.start_service()
    await case.desk.told(f"{name} {LOST}: somebody upgraded it")
    joint = await comes_back(case.alice, name, case.joint)
    assert joint != upgraded["replacement_room"]
    assert await comes_back(mia.client, name, case.joint) == joint

    async def put_out() -> bool:
        return not await sits_in(mia.world, case.alice.user_id, case.joint, case.alice)

    await until(put_out, "Alice out of the room that is no longer ours")
    await case.carl_writes("To the new room")
    for reader in (case.alice, mia.client):
        await reader.wait_for_text(joint, "To the new room")
    await case.desk.ask("!mode open", "open")
    await case.alice.text(joint, "From the new room")
    await mia.world.mail.wait_for(case.carl, lambda mail: "From the new room" in mail.text)
    assert await flaws(case.alice, joint) == []


async def test_deleted_rooms_are_made_anew_even_the_desk(mia: Staff, arrive: Arrive, admin: Destroyer) -> None:
    case = await in_session(mia, arrive)
    private, desk = f"PRIVATE with mediator · {case.desk.number}", f"Desk · {case.desk.number}"
    await asyncio.gather(admin.delete(case.caucus), admin.delete(case.desk.room))
    caucus = await comes_back(case.alice, private, case.caucus)
    new_desk = await other_room_named(mia.client, desk, case.desk.room)
    await enter_room(mia.client, new_desk)
    await told(mia.client, new_desk, f"{desk} {LOST}")
    await case.alice.text(caucus, "Is anybody there?")
    await told(mia.client, new_desk, "Alice wrote in PRIVATE")
    await mia.client.text(new_desk, "!status")
    await told(mia.client, new_desk, f"Case {case.desk.number}")
    assert await flaws(case.alice, caucus) == []


async def test_a_party_who_is_deactivated_is_named_at_the_desk_and_the_case_goes_on(
    mia: Staff, arrive: Arrive, admin: Destroyer
) -> None:
    case = await in_session(mia, arrive)
    await admin.deactivate(case.alice.user_id)
    for room in (f"EVERYONE · {case.desk.number}", "PRIVATE with mediator"):
        await case.desk.told(f"Alice left {room}")
    await case.carl_writes("After Alice was gone")
    await mia.client.wait_for_text(case.joint, "After Alice was gone")
    no_device = await case.desk.told(f"Alice ({case.alice.user_id}) has no device that could read here")
    assert "deactivated" in no_device

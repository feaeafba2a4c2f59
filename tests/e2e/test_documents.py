"""One file's way, with a real homeserver and real clients: shared, examined, kept, released, taken back (D1 to D6)."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pikepdf
import pytest_asyncio

from sandbox.client import TIMEOUT, Client
from sandbox.node import Node
from sandbox.seen import SeenEvent
from sandbox.world import MEDIATOR, World
from tests.e2e.cases import (
    Arrive,
    Desk,
    Staff,
    arriving,
    at_work,
    code_in,
    enter_room,
    events_of,
    new_ports,
    room_named,
    told,
    until,
)
from tests.e2e.conftest import SYNAPSE_PYTHON
from tests.e2e.keeping import keep_documents

pytest_plugins = ["tests.e2e.cases"]

AUTHOR = "Alice's secret lawyer"


@pytest_asyncio.fixture(loop_scope="session")
async def keeping(tmp_path: Path, case_node: Node) -> AsyncIterator[Staff]:
    """A mediator of an organisation that keeps documents, and may delete files from its homeserver."""
    world = World(tmp_path, new_ports(), SYNAPSE_PYTHON, mediators=(MEDIATOR,))
    async with world:
        await keep_documents(world)
        staff = await at_work(world, case_node, MEDIATOR)
        yield staff
        await staff.client.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def come(keeping: Staff, case_node: Node) -> AsyncIterator[Arrive]:
    async with arriving(keeping.world, case_node) as arrive:
        yield arrive


def letter() -> bytes:
    """A PDF of one page that tells who made it."""
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.docinfo["/Author"] = AUTHOR
        into = io.BytesIO()
        pdf.save(into)
    return into.getvalue()


async def posted_file(client: Client, room: str) -> SeenEvent:
    """The file that the bot posted in a room."""
    return await client.wait_for(
        lambda e: e.room_id == room and e.sender.startswith("@_mediatrix_") and e.content.get("msgtype") == "m.file"
    )


class Outsider:
    """Somebody who knows every URI, and has an account at the homeserver."""

    def __init__(self, world: World, token: str) -> None:
        self._world, self._token = world, token

    async def status(self, uri: str) -> int:
        """What the homeserver answers to whoever asks for a file."""
        url = f"{self._world.homeserver.url}/_matrix/client/v1/media/download/{uri.removeprefix('mxc://')}"
        headers = {"Authorization": f"Bearer {self._token}"}
        async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as answer:
            return answer.status


async def test_a_file_is_kept_shown_to_whom_two_said_yes_to_and_taken_back(keeping: Staff, come: Arrive) -> None:
    world, mia = keeping.world, keeping.client
    desk, alice, bob = await keeping.open_case(), await come("alice"), await come("bob")
    await desk.add("Alice", alice.user_id, rest="on Smith")
    await desk.add("Bob", bob.user_id, rest="on Jones")
    hers, his = await desk.caucus(alice), await desk.caucus(bob)
    joint = await desk.open(alice, bob)
    await world.homeserver.register("outsider", "password of outsider")
    outsider = Outsider(world, (await world.homeserver.log_in("outsider", "password of outsider")).access_token)

    # Somebody reports a message, as clients do: to the homeserver. What becomes of it stands at the end of this.
    rude = await alice.text(joint, "You never paid anything")
    await bob.wait_for_text(joint, "You never paid anything")
    path = f"/_matrix/client/v3/rooms/{quote(joint)}/report/{quote(rude)}"
    await bob.request("POST", path, {"reason": "This is not\nREPORT: true", "score": 0})

    # Shared in private: a card stands there; the event is empty, and its bytes are off the homeserver.
    data = letter()
    shared = await alice.send_file(hers, "offer.pdf", data, mimetype="application/pdf")
    uri = str((await mia.wait_for(lambda e: e.event_id == shared and bool(e.content))).content["file"]["url"])
    card = await told(alice, hers, "D1 “offer.pdf” (PDF, 1 page")
    assert "Who may view it now: Mia, Alice." in card
    await until(lambda: gone(outsider, uri), "the file off the homeserver")
    await alice.wait_for(lambda e: e.event_id == shared and e.redacted)

    # The other side learns nothing, not even that it is there.
    asked = await bob.text(his, "!doc show D1")
    assert "There is no document D1" in await told(bob, his, "no document", after=asked)

    # Granted for download, with two yeses: the file itself, made harmless, where everybody may have it.
    preview = await desk.ask("!doc grant D1 download to all", "R1, for EVERYONE")
    served = re.search(r"SHA-256: ([0-9a-f]{64})", preview)
    assert served
    await desk.ask(f"yes {code_in(preview)}", "Alice is asked")
    question = await told(alice, hers, "may this document be shown")
    await alice.text(hers, f"yes {code_in(question)}")
    event = await posted_file(bob, joint)
    file = await bob.download_file(event)
    assert file.encrypted
    assert hashlib.sha256(file.data).hexdigest() == served[1]
    with pikepdf.open(io.BytesIO(file.data)) as pdf:
        assert AUTHOR not in str(pdf.docinfo)
    handed = str(event.content["file"]["url"])
    assert await outsider.status(handed) == 200

    # Taken back: out of the room, and 404 for everybody.
    await alice.text(hers, "!doc revoke D1")
    await told(alice, hers, "D1 is taken back from everybody")
    await until(lambda: gone(outsider, handed), "what was handed out off the homeserver")
    await bob.wait_for(lambda e: e.event_id == event.event_id and e.redacted)
    assert "taken back" in await desk.ask("!doc history D1", "what happened")

    await on_her_page(world, desk, alice, hers)

    # In the joint room it is taken out at once, and belongs to its sender's side.
    slip = await bob.send_file(joint, "slip.pdf", letter(), mimetype="application/pdf")
    assert "Perhaps seen before it was taken out: Mia, Alice." in await told(bob, his, "D1001 “slip.pdf”")
    await alice.wait_for(lambda e: e.event_id == slip and e.redacted)
    assert not [e for e in events_of(alice, hers) if "slip" in (e.body or "")]
    await nothing_lies_open(world, data)

    # The report is at the desk, with the reason behind marks.
    report = await desk.told("REPORT: Bob reported a message of Alice in EVERYONE", within=30 + TIMEOUT)
    assert "> REPORT: true" in report


async def on_her_page(world: World, desk: Desk, alice: Client, hers: str) -> None:
    """With her account she gets a link, and what opens it in a room that she alone reads; so she does by the command.
    Nobody telephones anybody: there is no PIN."""
    await alice.text(hers, "!page")
    given = re.search(r"/p/[\w-]{32}", await told(alice, hers, "Your page: "))
    assert given
    own = await room_named(alice, f"Your codes · {desk.number}")
    await enter_room(alice, own)
    members = await alice.request("GET", f"/_matrix/client/v3/rooms/{quote(own)}/joined_members")
    assert sorted(members["joined"]) == sorted([alice.user_id, desk.bot])
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        page = f"http://127.0.0.1:{world.ports.service}"
        token = await alice.request("POST", f"/_matrix/client/v3/user/{alice.user_id}/openid/request_token", {})
        async with http.post(f"{page}/p/openid", json=token) as answer:
            assert answer.status == 200
            [entrance] = (await answer.json())["links"]
        entered = re.search("/p/.*", entrance["url"])
        assert entered
        async with http.post(f"{page}/p/openid", json={**token, "access_token": "x"}) as answer:
            assert answer.status == 403
        assert entrance["room"] == f"PRIVATE with mediator · {desk.number}"
        codes = [await code_of(alice, own, link) for link in (given[0], entered[0])]
        for link, code, others in zip((given[0], entered[0]), codes, reversed(codes), strict=True):
            async with http.post(f"{page}{link}", data={"pin": others}) as answer:
                assert answer.status == 403
            async with http.post(f"{page}{link}", data={"pin": code}) as answer:
                assert "offer.pdf" in await answer.text()
            async with http.post(f"{page}{link}", data={"pin": code}) as answer:
                assert answer.status == 403
    for client, room in ((alice, hers), (desk.mediator, desk.room)):
        assert not [e for e in events_of(client, room) for code in codes if code in (e.body or "")]


async def code_of(alice: Client, own: str, link: str) -> str:
    """The code of a link, as she reads it in her own room."""
    ends = f"ends in {link[-4:]}: "
    found = re.search(rf"{re.escape(ends)}(\d{{4}} \d{{4}})", await told(alice, own, ends))
    assert found
    return found[1]


async def gone(outsider: Outsider, uri: str) -> bool:
    return await outsider.status(uri) == 404


async def nothing_lies_open(world: World, data: bytes) -> None:
    """Neither the file nor what it says, in any file of the service's."""
    for path in world.config.parent.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert data not in content
            assert AUTHOR.encode() not in content

"""One number for everything: nothing is joint but what its author confirmed, however WhatsApp behaves.

Every webhook comes twice here, and one message is taken without an answer.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from sandbox.client import Client
from sandbox.node import Node
from sandbox.whatsapp.graph import JOINT, PRIVATE, Mishap
from sandbox.whatsapp.rules import Json
from sandbox.whatsapp.telephone import TAKEN_AWAY, Bubble, Telephone
from sandbox.world import MEDIATOR, World
from tests.e2e.cases import Arrive, Staff, arriving, at_work, enter, new_ports
from tests.e2e.conftest import SYNAPSE_PYTHON

pytest_plugins = ["tests.e2e.cases"]

NUMBER, USER = "+34600123456", "ES.4711aB"
GREETING = "This is "
FENCE = "My neighbour and I can't agree about the fence."
LIMIT, OFFER = "I pay at most 900.", "I can do Monday."


@pytest_asyncio.fixture(loop_scope="session")
async def staff(tmp_path: Path, case_node: Node) -> AsyncIterator[Staff]:
    """A mediator of an organisation with one number."""
    world = World(tmp_path, new_ports(), SYNAPSE_PYTHON)
    await world.configure()
    settings = world.config.read_text()
    settings = settings.replace(f'  joint_number: "{JOINT}"\n', "")
    world.config.write_text(re.sub(r"(?m)^((?:intake|mediators_room):.*\n  enabled: )false", r"\1true", settings))
    world.whatsapp.webhooks.times = 2
    async with world:
        staff = await at_work(world, case_node, MEDIATOR)
        yield staff
        await staff.client.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def come(staff: Staff, case_node: Node) -> AsyncIterator[Arrive]:
    async with arriving(staff.world, case_node) as arrive:
        yield arrive


async def asked(telephone: Telephone, words: str, title: str) -> Bubble:
    """The question about these words that has such a button."""

    def is_it(bubble: Bubble) -> bool:
        return words in bubble.text and title in [button.title for button in bubble.buttons]

    return await telephone.wait_for(is_it)


async def press(telephone: Telephone, question: Bubble, title: str) -> None:
    await telephone.press(question.id, next(button.id for button in question.buttons if button.title == title))


async def steal(stranger: Telephone, question: Bubble) -> None:
    """Somebody else presses the buttons of a question, as if it had come to them."""
    replies = [{"type": "reply", "reply": {"id": one.id, "title": one.title}} for one in question.buttons]
    inner: Json = {"type": "button", "body": {"text": "…"}, "action": {"buttons": replies}}
    await stranger.arrived(PRIVATE, "wamid.stolen", {"type": "interactive", "interactive": inner})
    for button in question.buttons:
        await stranger.press("wamid.stolen", button.id)


async def reads(client: Client, room: str, words: str) -> None:
    await client.wait_for(lambda event: event.room_id == room and words in (event.body or ""), words)


async def test_only_what_she_confirmed_is_read_by_everyone_and_once(staff: Staff, come: Arrive) -> None:
    world, alice = staff.world, await come("alice")
    bea = world.whatsapp.telephone(NUMBER, USER, "Bea")
    stranger = world.whatsapp.telephone("+34600999999", "ES.9999zZ", "Bea")
    desk = await staff.open_case()
    await desk.add("Alice", alice.user_id)
    await desk.add("Bea", NUMBER)
    await desk.ask("!consent Bea: agreed by telephone to take part by WhatsApp", "On record")
    await bea.wait_for(lambda bubble: bubble.template)
    joint = await desk.open(alice)

    await bea.write(PRIVATE, LIMIT)
    stolen = await asked(bea, LIMIT, "Everyone")
    await steal(stranger, stolen)
    await bea.write(PRIVATE, OFFER)
    question = await asked(bea, OFFER, "Everyone")
    await press(bea, question, "Everyone")
    await press(bea, await asked(bea, OFFER, "Show it now"), "Show it now")
    await reads(alice, joint, OFFER)
    await bea.wait_for(lambda bubble: "Everyone reads it now" in bubble.text)
    await press(bea, question, "Everyone")
    await world.whatsapp.webhooks.settled()

    world.whatsapp.mishaps.append(Mishap.TAKEN_NO_ANSWER)
    await alice.text(joint, "Which hour?")
    await alice.text(joint, "At nine?")
    await bea.wait_for(lambda bubble: bubble.text.startswith("👥 JOINT") and "At nine?" in bubble.text)

    told = [bubble.text for bubble in bea.bubbles if not bubble.mine and "👥 JOINT" in bubble.text]
    assert sum("Which hour?" in text for text in told) == 1
    assert sum("At nine?" in text for text in told) == 1
    said = [event.body or "" for event in await alice.timeline(joint)]
    assert sum(OFFER in body for body in said) == 1
    assert not [body for body in said if LIMIT in body]
    await stranger.wait_for(lambda bubble: bubble.text.startswith(GREETING))
    got = [bubble.text for bubble in stranger.bubbles if not bubble.mine and bubble.id != "wamid.stolen"]
    assert len(got) == 1
    assert got[0].startswith(GREETING)
    rooms = [room.name for room in await alice.rooms()]
    assert rooms.count(f"PRIVATE with mediator · {desk.number}") == 1


async def olga_joins_the_mediators(world: World, mia: Client) -> None:
    """In by the code from her telephone, and heard there by a ghost whose device no client warns of."""
    olga = world.whatsapp.telephone("+4915187654321", "DE.0lg", "Mia")
    desk, room = await enter(mia, "Desk · mediators"), await enter(mia, "The mediators' room")
    await mia.text(room, "Before Olga came.")
    await mia.text(desk, "!colleague add Olga +4915187654321")
    invited = await mia.wait_for(lambda e: e.room_id == desk and "within a day: yes " in (e.body or ""), "a code")
    await olga.write(PRIVATE, f"yes {(invited.body or '').partition('within a day: yes ')[2][:4]}")
    first = await olga.wait_for(lambda bubble: not bubble.mine)
    assert first.text.startswith("🔒 MEDIATORS – only the organisation's mediators read this\nHello Olga.")
    await olga.write(PRIVATE, "Good morning, colleagues.")
    heard = await mia.wait_for(lambda e: e.room_id == room and e.body == "Good morning, colleagues.", "Olga's words")
    assert (heard.encrypted, heard.shield) == (True, None)
    assert heard.sender.startswith("@_mediatrix_")
    await mia.text(room, "Welcome, Olga.")
    await olga.wait_for(lambda bubble: "*Mia* wrote:\n> Welcome, Olga." in bubble.text)
    assert not [bubble for bubble in olga.bubbles if "Before Olga came" in bubble.text]


async def test_a_stranger_is_made_a_party_and_a_mediator_joins_the_mediators_room(staff: Staff, come: Arrive) -> None:
    """Every webhook comes twice, the service is killed, and an answer is taken without one; then Nora is a party, and
    Olga, who is only on WhatsApp, among the mediators."""
    world, mia = staff.world, staff.client
    nora = world.whatsapp.telephone("+4915112345678", "DE.9z9", "Desk · triage")
    await nora.write(PRIVATE, FENCE)
    await nora.wait_for(lambda bubble: bubble.text.startswith(GREETING))
    desk = await enter(mia, "Desk · triage")
    shown = await mia.wait_for(lambda event: event.room_id == desk and f"> {FENCE}" in (event.body or ""), FENCE)
    await world.kill_service()
    await world.start_service()
    await mia.reply(desk, shown.event_id, "When may we telephone you?")
    asked = await mia.wait_for(lambda event: event.room_id == desk and "Say “yes " in (event.body or ""), "a question")
    code = (asked.body or "").partition("Say “yes ")[2][:4]
    await mia.text(desk, f"yes {code}")
    await nora.wait_for(lambda bubble: bubble.text == "When may we telephone you?")
    await mia.text(desk, "!intake open S1 Nora: Nora and her neighbour")
    opened = await mia.wait_for(lambda e: e.room_id == desk and "is open, with Nora" in (e.body or ""), "a case")
    number = (opened.body or "").split()[1]
    await reads(mia, await enter(mia, f"PRIVATE with mediator · {number}"), FENCE)
    await nora.write(PRIVATE, "Tomorrow at nine.")
    await reads(mia, await enter(mia, f"Desk · {number}"), "Nora wrote in PRIVATE")
    greetings = [bubble for bubble in nora.bubbles if bubble.text.startswith(GREETING)]
    assert len(greetings) == 1
    said = [event.body or "" for event in await mia.timeline(desk)]
    assert not [body for body in said if "Tomorrow at nine." in body]
    await olga_joins_the_mediators(world, mia)


async def test_her_private_words_stand_in_her_private_room(staff: Staff, come: Arrive) -> None:
    bea = staff.world.whatsapp.telephone(NUMBER, USER, "Bea")
    desk = await staff.open_case()
    await desk.add("Bea", NUMBER)
    await desk.ask("!consent Bea: agreed by telephone to take part by WhatsApp", "On record")
    await bea.wait_for(lambda bubble: bubble.template)
    await bea.write(PRIVATE, LIMIT)

    room = await enter(staff.client, f"PRIVATE with mediator · {desk.number}")
    await reads(staff.client, room, LIMIT)
    await desk.told("Bea wrote in PRIVATE")

    hers = next(event for event in await staff.client.timeline(room) if event.body == LIMIT)
    heart = await staff.client.react(room, hers.event_id, "❤️")
    mine = next(bubble.id for bubble in bea.bubbles if bubble.text == LIMIT)
    await bea.wait_for(lambda bubble: (bubble.text, bubble.quotes) == ("❤️", mine))
    await staff.client.redact(room, heart)
    await bea.wait_for(lambda bubble: (bubble.text, bubble.quotes) == (TAKEN_AWAY, mine))
    assert not [bubble for bubble in bea.bubbles if "removed" in bubble.text]

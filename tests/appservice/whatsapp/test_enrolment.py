"""How a party comes in by WhatsApp: opt-in, invitation, first contact; and what is written to every side."""

import pytest

from policies.case import DESK
from policies.message import Message, MessageId, SignedDevice, Text
from rooms.handle import Handler
from rooms.ids import EventId
from rooms.queue import ItemId
from tests.appservice.whatsapp.house import CODEC, WhatsAppHouse, done
from tests.bridges.whatsapp.builders import BEA_PHONE, PRIVATE
from tests.policies.builders import ALICE_JOINS, named, new_case


async def house(**how: object) -> WhatsAppHouse:
    """Bea was added, and nothing is on record yet."""
    there = WhatsAppHouse(case=done(new_case(), ALICE_JOINS), **how)  # type: ignore[arg-type]
    await there.begin()
    await says(there, f"!party add Bea {BEA_PHONE} on Jones", "m0")
    return there


async def says(there: WhatsAppHouse, text: str, item: str) -> None:
    """Mia says something at the desk."""
    mia = named(there.case, "Mia").id
    said = Message(MessageId(item), mia, DESK, Text(text), SignedDevice(), there.now, native=True)
    async with there.database.begin() as work:
        handler = Handler(work, CODEC, there.house, ItemId(item), there.now)
        await handler.message(there.case.id, said, EventId(f"${item}"), None)


async def test_who_agreed_when_and_to_what_is_on_record_before_anything_is_sent() -> None:
    there = await house()
    await says(there, "!language Bea es", "m1")
    await there.deliver()
    assert there.graph.accepted == []
    await says(there, "!consent Bea: agreed by telephone on 3 May", "m2")
    consent = there.bea.endpoint.content_consent
    assert consent
    assert (consent.recorded_by, consent.on, consent.wording) == ("Mia", there.now, "agreed by telephone on 3 May")
    assert any(
        "agreed by telephone on 3 May" in (line.private or "") for line in there.database.committed.record.values()
    )


@pytest.mark.parametrize("two_numbers", [True, False])
async def test_she_is_invited_by_the_template_alone_and_told_everything_once_she_writes(two_numbers: bool) -> None:
    there = await house(two_numbers=two_numbers)
    await says(there, "!language Bea es", "m1")
    await says(there, "!consent Bea: agreed by telephone", "m2")
    await there.deliver()
    (invited,) = [sent for _, sent in there.graph.accepted]
    assert invited["type"] == "template"
    await there.says("Hola")
    await there.deliver()
    first = there.phone.texts[1]
    assert first.startswith("🔒 PRIVAD")
    assert "Meta" in first
    assert "BAJA" in first
    assert "Mia" in first
    assert "Alice" not in first


async def test_what_is_written_to_every_side_comes_to_her_alone_in_private() -> None:
    there = await house()
    await says(there, "!consent Bea: agreed by telephone", "m1")
    await there.says("Hello")
    await there.deliver()
    before = len(there.graph.accepted)
    await says(there, "!broadcast: We meet on 3 May at ten", "m2")
    await says(there, f"yes {there.case.asks[-1].code}", "m3")
    await there.deliver()
    ((number, sent),) = there.graph.accepted[before:]
    assert (number, sent["recipient_type"], sent["recipient"]) == (PRIVATE, "individual", there.phone.user)
    text = there.phone.texts[-1]
    assert text.startswith("🔒 PRIVATE")
    assert "We meet on 3 May at ten" in text
    assert "Alice" not in text

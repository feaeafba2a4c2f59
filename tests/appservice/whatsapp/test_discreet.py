"""On a locked screen nothing stands that tells anything: words come while their reader is in the chat."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from appservice.whatsapp.courier import Template
from bridges.whatsapp.api import SendResult
from bridges.whatsapp.convert_out import Json
from policies.case import Case
from policies.effects import Relay
from policies.message import MessageId, Text
from policies.networks.discreet import LOOKS
from rooms.homeserver import Trouble
from rooms.outcome import Outcome, Parked, Sent
from rooms.queue import Item, ItemId, Lane
from tests.appservice.whatsapp.house import CODEC, WhatsAppHouse, done
from tests.policies.builders import caucus_of, named

HELLO = Text("a secret")
LINE = "A message for you. Write SHOW to read it."


async def house() -> WhatsAppHouse:
    """Bea has written, and wants to be written to discreetly."""
    there = await WhatsAppHouse().begin()
    await there.says("it is me")
    async with there.database.begin() as work:
        await work.cases.save(done(there.case, "!discreet Bea on"))
    return there


async def carried(there: WhatsAppHouse, item: str = "i1") -> Outcome | Trouble:
    return await there.carry(HELLO, caucus_of(there.case, "Jones"), item)


async def test_words_wait_behind_one_line_until_she_writes() -> None:
    there = await house()
    there.later(hours=1)
    assert isinstance(await carried(there), Parked)
    assert isinstance(await carried(there, "i2"), Parked)
    assert there.phone.texts == [LINE]
    await there.says("Show!")
    assert isinstance(await there.again(HELLO, caucus_of(there.case, "Jones")), Sent)
    assert "a secret" in there.phone.texts[-1]


async def test_the_word_for_it_is_nobody_elses_to_read_and_any_other_is_hers() -> None:
    there = await house()
    before = len(there.posts())
    for word in ("SHOW", "zeigen", "Mostrar", "montrer."):
        await there.says(word)
    assert len(there.posts()) == before
    await there.says("I am here")
    assert len(there.posts()) == before + 1


async def test_for_whoever_did_not_ask_for_it_the_word_is_a_word() -> None:
    there = await WhatsAppHouse().begin()
    await there.says("SHOW")
    assert len(there.posts()) == 1


async def test_five_minutes_later_they_wait_again_and_the_line_comes_again() -> None:
    there = await house()
    assert isinstance(await carried(there), Sent)
    there.later(seconds=LOOKS.total_seconds())
    assert isinstance(await carried(there, "i2"), Parked)
    assert there.phone.texts[-1] == LINE


async def test_the_line_is_in_her_language() -> None:
    there = await house()
    async with there.database.begin() as work:
        await work.cases.save(done(there.case, "!language Bea de"))
    there.later(hours=1)
    await carried(there)
    assert "ZEIGEN" in there.phone.texts[-1]


@pytest.mark.parametrize("template", [None, Template("new_post", "en", ("de",))])
async def test_a_day_later_only_a_template_that_tells_nothing_goes(template: Template | None) -> None:
    there = await house()
    there.courier._discreet = template
    there.graph.templates.add(("new_post", "en"))
    there.later(hours=25)
    outcome = await carried(there)
    assert isinstance(outcome, Parked)
    sent = [message.get("template", {}).get("name") for _, message in there.graph.accepted]
    assert sent == (["new_post"] if template else [])
    assert template or "no template" in outcome.why


async def test_without_it_words_come_at_once() -> None:
    there = await house()
    async with there.database.begin() as work:
        await work.cases.save(done(there.case, "!discreet Bea off"))
    there.later(hours=1)
    assert isinstance(await carried(there), Sent)


LONG = Text(" ".join(f"Sentence {n}." for n in range(900)))


def meanwhile(there: WhatsAppHouse, change: Callable[[Case], Case]) -> None:
    """Once a message has left, the case becomes another one."""
    network = there.courier._network

    class Slow:
        async def send(self, number: str, sent: Json) -> SendResult:
            result = await network.send(number, sent)
            async with there.database.begin() as work:
                await work.cases.save(change(there.case))
            return result

    there.courier._network = Slow()


async def test_what_becomes_discreet_between_two_parts_shows_no_more_of_it() -> None:
    there = await WhatsAppHouse().begin()
    await there.says("it is me")
    there.later(minutes=6)
    meanwhile(there, lambda case: case if named(case, "Bea").discreet else done(case, "!discreet Bea on"))
    assert isinstance(await there.carry(LONG, caucus_of(there.case, "Jones")), Parked)
    assert len(there.phone.texts) == 2
    assert there.phone.texts[-1] == LINE


async def test_who_may_not_be_written_to_any_more_between_two_parts_gets_no_more_of_it() -> None:
    there = await WhatsAppHouse().begin()
    await there.says("it is me")
    where = caucus_of(there.case, "Jones")
    relay = Relay(MessageId("m1"), where, named(there.case, "Mia").id, LONG, there.bea.id)
    async with there.database.begin() as work:
        body = CODEC.dump(relay)
        await work.outbox.put(Item(ItemId("i1"), Lane("l"), "people", there.case.id, body, there.now))
    stopped = replace(there.bea, endpoint=replace(there.bea.endpoint, declined=True))
    meanwhile(there, lambda case: case.with_person(stopped))
    assert isinstance(await there.again(LONG, where), Parked)
    assert len(there.phone.texts) == 1

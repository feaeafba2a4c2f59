"""What is about her page brings Bea a link to it, made as it leaves: it opens once, and with her PIN alone."""

import re
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from appservice.portal.store import LINK_LASTS, Whose
from appservice.whatsapp.courier import Sends
from bridges.whatsapp.api import Refused, SendResult
from bridges.whatsapp.convert_out import Json
from policies.case import Conversation
from policies.effects import Inform
from policies.words.phrase import verbatim
from rooms.outcome import Parked, Sent, Unanswered
from tests.appservice.whatsapp.house import WhatsAppHouse
from tests.fakes.graph import Mishap, Unreachable
from tests.policies.builders import caucus_of, done

PAGE = "https://mediation.example.org/p"


async def house(page: str | None = PAGE) -> WhatsAppHouse:
    there = WhatsAppHouse()
    there.house = replace(there.house, page=page)
    there.restarted()
    return await there.begin()


def own(there: WhatsAppHouse) -> Conversation:
    return caucus_of(there.case, "Jones")


def news(there: WhatsAppHouse, *, page: bool = True) -> Inform:
    return Inform(there.bea.id, own(there), verbatim("D1.1 is on your page."), page=page)


def links(there: WhatsAppHouse) -> list[str]:
    """Those that her telephone shows."""
    return re.findall(re.escape(PAGE) + r"/(\S+)", "\n".join(there.phone.texts))


async def test_a_link_goes_with_it_and_is_hers_and_opens_for_three_days() -> None:
    there = await house()
    await there.says("hello")
    assert isinstance(await there.carry(news(there), own(there)), Sent)
    [token] = links(there)
    async with there.database.begin() as work:
        link = await work.shelf.link(token)
        assert link is not None
        assert link.whose == Whose(there.case.id, there.bea.id)
        assert not await work.shelf.use_link(token, there.now + LINK_LASTS)
        assert await work.shelf.use_link(token, there.now + LINK_LASTS - timedelta(minutes=1))
    [shown] = there.phone.texts
    assert shown.startswith("🔒 PRIVATE")
    assert "with your PIN alone" in shown
    assert "PIN is" not in shown
    stored = b"".join(item.body for item in there.database.committed.outbox.items.values())
    assert token.encode() not in stored


async def test_outside_of_the_window_it_waits_and_the_link_is_as_young_as_the_message() -> None:
    there = await house()
    assert isinstance(await there.carry(news(there), own(there)), Parked)
    assert [body["type"] for _, body in there.graph.accepted] == ["template"]
    assert there.database.committed.links == {}
    there.later(days=10)
    await there.says("what is it?")
    assert isinstance(await there.again(news(there), own(there)), Sent)
    [token] = links(there)
    async with there.database.begin() as work:
        assert await work.shelf.use_link(token, there.now + LINK_LASTS - timedelta(minutes=1))


@pytest.mark.parametrize("mishap", [Unreachable.NO_CONNECTION, 131000])
async def test_a_link_that_never_left_opens_nothing(mishap: Unreachable | int) -> None:
    there = await house()
    await there.says("hello")
    there.graph.mishaps.append(mishap)
    await there.carry(news(there), own(there))
    assert there.database.committed.links == {}
    assert isinstance(await there.again(news(there), own(there)), Sent)
    assert len(links(there)) == len(there.database.committed.links) == 1


async def test_one_that_may_have_arrived_opens_the_page() -> None:
    there = await house()
    await there.says("hello")
    there.graph.mishaps.append(Mishap.TAKEN_NO_ANSWER)
    assert isinstance(await there.carry(news(there), own(there)), Unanswered)
    assert len(links(there)) == len(there.database.committed.links) == 1


@pytest.mark.parametrize(("page", "about_it"), [(None, True), (PAGE, False)])
async def test_without_a_page_or_about_something_else_there_is_no_link(page: str | None, *, about_it: bool) -> None:
    there = await house(page)
    await there.says("hello")
    assert isinstance(await there.carry(news(there, page=about_it), own(there)), Sent)
    assert there.database.committed.links == {}
    assert "http" not in there.phone.texts[0]


async def test_who_asked_for_discreet_contact_gets_a_link_that_does_not_begin_with_our_name() -> None:
    there = await house()
    there.house = replace(there.house, discreet_page="https://letters.example/p")
    there.restarted()
    async with there.database.begin() as work:
        await work.cases.save(done(there.case, "!discreet Bea on").case)
    await there.says("SHOW")
    assert isinstance(await there.carry(news(there), own(there)), Sent)
    assert "https://letters.example/p/" in there.phone.texts[-1]
    assert not links(there)


async def test_of_a_long_notice_the_link_is_stored_with_the_part_in_which_it_stands() -> None:
    """Of some length, the link stands in a part before the last, and that one alone leaves."""
    split = 0
    for length in range(3600, 4000, 10):
        there = await house()
        await there.says("hello")
        there.courier._network = OnlyOne(there.courier._network)
        long = replace(news(there), text=verbatim("x" * length))
        await there.carry(long, own(there))
        if found := links(there):
            split += len(there.database.committed.sent_parts) > 1
            async with there.database.begin() as work:
                assert await work.shelf.use_link(found[0], there.now)
    assert split


@dataclass
class OnlyOne:
    """Takes one message, and refuses the others."""

    network: Sends
    taken: int = 0

    async def send(self, number: str, message: Json) -> SendResult:
        """Send one."""
        self.taken += 1
        return await self.network.send(number, message) if self.taken == 1 else Refused(131000)

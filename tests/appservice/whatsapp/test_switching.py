"""Moved between WhatsApp and mail: what belonged to the former channel opens nothing, and what waited goes on."""

from dataclasses import replace

import pytest

from bridges.email.ids import ReplyToken, token_hash
from bridges.portal.views import Closed
from bridges.whatsapp.api import SendResult
from bridges.whatsapp.convert_out import Json
from policies.case import CaseId, Network
from policies.networks.whatsapp import WhatsAppState
from rooms.messages import SentPart
from rooms.queue import Item, ItemId, State
from tests.appservice.whatsapp.both import TO_MAIL, TO_TELEPHONE, Both
from tests.appservice.whatsapp.house import case_with_bea, done
from tests.fakes.graph import Phone


async def by_mail() -> Both:
    """Bea, who was moved to mail."""
    there = Both()
    await there.begin()
    with there.open():
        await there.says("it is me")
        await there.moves(TO_MAIL)
        await there.goes_out()
    assert there.bea.endpoint.network is Network.EMAIL
    return there


async def test_a_link_a_session_and_a_reply_address_of_the_former_mailbox_open_nothing() -> None:
    there = await by_mail()
    async with there.database.begin() as work:
        pin = await work.shelf.new_pin(there.case.id, there.bea.id)
    (first,) = there.post.links
    session = await there.portal.open(first.link, pin)
    assert isinstance(session, str)
    assert await there.portal.view(session) is not None
    with there.open():
        await there.agrees()
        await there.writes("hello")
        await there.goes_out()
    former = there.bea.endpoint.id
    hashes = [token_hash(ReplyToken(a.token)) for a in there.database.committed.addresses.values()]
    async with there.database.begin() as work:
        assert [a.endpoint for a in [await work.addresses.by_hash(one) for one in hashes] if a] == [former, former]
    await there.moves(TO_TELEPHONE)
    assert await there.portal.view(session) is None
    assert await there.portal.open(first.link, pin) is Closed.WRONG
    async with there.database.begin() as work:
        assert [await work.addresses.by_hash(one) for one in hashes] == [None, None]


async def test_a_number_that_is_somebodys_in_another_case_is_refused_also_at_the_yes() -> None:
    there = await by_mail()
    await there.writes(TO_TELEPHONE, "Mia")
    code = there.case.asks[-1].code
    other = replace(case_with_bea(), id=CaseId("2000"))
    async with there.database.begin() as work:
        await work.cases.save(other)
    await there.writes(f"yes {code}", "Mia")
    assert there.bea.endpoint.network is Network.EMAIL
    assert any("another case" in text for text in there.told())


async def test_what_left_in_one_mail_with_others_is_not_sent_by_whatsapp_as_well() -> None:
    there = await by_mail()
    with there.open():
        await there.agrees()
        await there.goes_out()
        await there.writes("hello")
        *_, item = there.for_bea()
        async with there.database.begin() as work:
            await work.outbox.mark_sending(item.id, b"the hash of a mail")
        await there.moves(TO_TELEPHONE)
        await there.agrees()
        await there.says("it is me")
        await there.goes_out()
    assert there.arrived("hello").total() == 0
    assert there.database.committed.outbox.items[item.id].state is State.UNKNOWN


async def test_what_waits_for_her_to_write_goes_on_at_a_new_number_and_when_she_wants_it_otherwise() -> None:
    for command in ("!whatsapp number Bea +34600123999", "!discreet Bea off"):
        both = Both()
        both.first = done(case_with_bea(), "!discreet Bea on")
        await both.begin()
        with both.open():
            await both.says("it is me")
            both.later(hours=1)
            await both.writes("hello")
            await both.goes_out()
            *_, item = both.for_bea()
            assert item.state is State.PARKED
            await both.writes(command, "Mia")
        assert both.database.committed.outbox.items[item.id].state is State.READY


# --- moved while a long text goes in parts

NEW_NUMBER = "+34600123999"
CHANGES = {"another number": f"!whatsapp number Bea {NEW_NUMBER}", "mail": TO_MAIL}
LONG = " ".join(f"Sentence {n}." for n in range(900))
FIRST, LAST = "Sentence 0.", "Sentence 899."


async def halfway(change: str) -> tuple[Both, Phone, ItemId]:
    """Bea, who was moved after the first part of a long text had left to the telephone that was hers; it was tried
    again since. And that telephone, and what the text is in the outbox."""
    there = Both()
    await there.begin()
    send, former = there.courier._network.send, there.phone

    async def moving(number: str, message: Json) -> SendResult:
        result = await send(number, message)
        there.courier._network.send = send  # type: ignore[method-assign]
        await there.moves(change)
        return result

    with there.open():
        await there.says("it is me")
        await there.goes_out()
        before = len(former.texts)
        there.courier._network.send = moving  # type: ignore[method-assign]
        await there.writes(LONG)
        await there.goes_out()
        assert len(former.texts) == before + 1, "one part had left"
        item = the_long_one(there).id
        async with there.database.begin() as work:
            await work.outbox.retry(item, there.now, "her channel changed", there.now)
        await settled(there)
    return there, former, item


async def settled(there: Both) -> None:
    """She is where she was moved to, with her consent, and what is ready goes out."""
    await there.agrees()
    if there.bea.endpoint.network is Network.WHATSAPP:
        there.phone = there.graph.phone(NEW_NUMBER, "ES.9")
        await there.says("it is me, at another number")
    await there.goes_out()


def the_long_one(there: Both) -> Item:
    """A body is kept until its item is done."""
    return next(item for item in reversed(there.for_bea()) if FIRST.encode() in item.body)


def state_of(there: Both, item: ItemId) -> State:
    return there.database.committed.outbox.items[item].state


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_text_that_was_begun_elsewhere_is_unknown_and_the_desk_is_told(change: str) -> None:
    there, former, item = await halfway(change)
    assert state_of(there, item) is State.UNKNOWN
    assert any(text.startswith("Perhaps not delivered") and "another channel" in text for text in there.told())
    assert there.arrived("Sentence").total() == (there.phone is former), "nothing of it is where she is now"


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_sent_again_by_a_person_it_comes_whole_where_she_is_now(change: str) -> None:
    there, former, item = await halfway(change)
    with there.open():
        await there.writes("!resend 1", "Mia")
        await there.goes_out()
    assert state_of(there, item) is State.DONE
    came = there.post.delivered[-1].text if there.phone is former else "\n".join(there.phone.texts)
    came = " ".join(came.replace("|", " ").split())
    assert all(f"Sentence {n}." in came for n in range(900))
    assert sum(LAST in text for text in former.texts) == 0


async def test_a_report_of_what_went_to_the_former_number_has_nothing_sent_to_the_new_one() -> None:
    there, former, item = await halfway(CHANGES["another number"])
    part = there.database.committed.sent_parts[item, 0]
    there.database.committed.sent_parts[item, 0] = replace(part, state=WhatsAppState.UNKNOWN)
    with there.open():
        await there.reports(item, "delivered")
        await there.goes_out()
    assert state_of(there, item) is State.UNKNOWN
    assert there.arrived("Sentence").total() == 0
    assert sum("Sentence" in text for text in former.texts) == 1


async def test_a_late_report_of_the_former_number_is_none_of_what_was_sent_again_to_the_new_one() -> None:
    there, _, item = await halfway(CHANGES["another number"])

    def known() -> SentPart:
        return there.database.committed.sent_parts[item, 0]

    former, now = known().endpoint, there.bea.endpoint.id
    again = replace(known(), parts=1, endpoint=now, state=WhatsAppState.UNKNOWN, wamid="")
    there.database.committed.sent_parts[item, 0] = again  # `!resend 1`, to which nobody answered
    with there.open():
        for what in ("delivered", "failed"):
            await there.reports(item, what, part=f"0.{former}")
            await there.goes_out()
            assert known() == again
            assert state_of(there, item) is State.UNKNOWN
        await there.reports(item, "read", part=f"0.{now}")
        await there.goes_out()
    assert known().state is WhatsAppState.READ
    assert state_of(there, item) is State.DONE


async def test_of_each_part_it_goes_along_over_which_channel_it_went() -> None:
    there, _, item = await halfway(CHANGES["mail"])
    *_, (_, sent) = there.graph.accepted
    part = there.database.committed.sent_parts[item, 0]
    assert sent["biz_opaque_callback_data"] == f"{item}/0.{part.endpoint}"


async def test_what_surely_did_not_arrive_at_the_former_number_goes_whole_to_the_new_one() -> None:
    there = Both()
    await there.begin()
    with there.open():
        await there.says("it is me")
        await there.goes_out()
        there.graph.mishaps.append(131000)
        await there.writes(LONG)
        await there.goes_out()
        await there.moves(CHANGES["another number"])
        item = the_long_one(there).id
        async with there.database.begin() as work:
            await work.outbox.retry(item, there.now, "WhatsApp did not take it", there.now)
        await settled(there)
    assert state_of(there, item) is State.DONE
    assert any(LAST in text for text in there.phone.texts)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_courier_that_sends_the_rest_elsewhere_is_caught(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for network in ("mail", "whatsapp"):
        monkeypatch.setattr(f"appservice.{network}.courier.is_begun_elsewhere", lambda *_: False)
    there, _, item = await halfway(change)
    assert state_of(there, item) is State.DONE, "half of it was called sent"

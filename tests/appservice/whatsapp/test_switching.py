"""Moved between WhatsApp and mail: what belonged to the former channel opens nothing, and what waited goes on."""

from dataclasses import replace

from bridges.email.ids import ReplyToken, token_hash
from bridges.portal.views import Closed
from policies.case import CaseId, Network
from rooms.queue import State
from tests.appservice.whatsapp.both import TO_MAIL, TO_TELEPHONE, Both
from tests.appservice.whatsapp.house import case_with_bea, done


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

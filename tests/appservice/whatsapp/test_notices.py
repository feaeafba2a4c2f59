"""A mediator is told by WhatsApp that something waits at a desk: once the number is theirs, and nothing else (M11)."""

from dataclasses import replace
from typing import Any

import pytest

from appservice.sending import OutboxWork
from appservice.whatsapp.courier import Template
from appservice.whatsapp.notices import NoticeTemplates, NoticeWhatsApp
from appservice.whatsapp.single import SingleMessages
from appservice.worker import End
from bridges.whatsapp.pace import Pace
from policies.case import DESK, Case, Network, Noticed
from policies.commands.vocabulary import parse
from policies.message import MessageId, Text
from policies.names import MEDIATORS
from policies.networks.noticing import NOTICE_EVERY
from policies.outcome import Facts
from policies.people.stranger import TRIAGE, Stranger, StrangerId, Triage, Writer
from rooms.deliver import Deliverer
from rooms.handle import Handler
from rooms.homeserver import Trouble
from rooms.noticing import DeskNotice
from rooms.outcome import Cancelled, Outcome, Sent, Unanswered
from rooms.outgoing import PEOPLE
from rooms.queue import Item, ItemId, Lane, State
from sandbox.whatsapp.graph import CODE, NOTICE
from tests.appservice.whatsapp.house import WhatsAppHouse
from tests.bridges.whatsapp.builders import PRIVATE
from tests.fakes.graph import FakeCloud, FakeGraph, Mishap
from tests.policies.builders import AT, both_sides, caucus_of, facts, message, named, refused
from tests.policies.builders import done as carried
from tests.rooms.builders import CODEC, HOUSE, Site, handler

NUMBER, USER = "+4915112345678", "DE.9z9"
CASE = both_sides()
NOTICED = CASE.with_person(replace(named(CASE, "Mia"), noticed=Noticed(NUMBER, AT, Network.WHATSAPP)))


def known(**more: Any) -> Facts:
    return replace(facts(code="6H4C"), whatsapp=True, notices_by_whatsapp=True, **more)


class Phone:
    """The mediator's own, and the service that writes to it."""

    def __init__(self, site: Site) -> None:
        self.site, self.graph = site, FakeGraph(lambda: AT)
        self.phone = self.graph.phone(NUMBER, USER)
        messages = SingleMessages(site.database, FakeCloud(self.graph), Pace(lambda: 0.0))
        templates = NoticeTemplates(Template(*NOTICE), Template(*CODE))
        self.notices = NoticeWhatsApp(site.database, messages, templates, PRIVATE)

    async def gets(self, item: Item, notice: DeskNotice) -> Outcome:
        async with self.site.database.begin() as work:
            if item.wait_key:
                await work.outbox.wake(item.wait_key)
        return (await self.deliverer.deliver(item, notice))[0]

    @property
    def deliverer(self) -> Deliverer:
        later = AT + NOTICE_EVERY
        networks = {Network.WHATSAPP: self.notices}
        site = self.site
        return Deliverer(site.database, site.builder, site.poster, {}, notices=networks, clock=lambda: later)


async def site_of(case: Case) -> Site:
    site = Site(case)
    await site.change(case)
    return site


async def alice_writes(site: Site, number: str = "m1") -> None:
    said = replace(message(CASE, "Alice", caucus_of(CASE, "Smith"), Text("40,000 by June")), id=MessageId(number))
    async with site.database.begin() as work:
        await handler(work, number).message(CASE.id, said, None, None)


def notices(site: Site) -> list[tuple[Item, DeskNotice]]:
    items = [item for item in site.database.committed.outbox.items.values() if item.kind == PEOPLE]
    loaded = [(item, CODEC.load(item.body)) for item in items]
    return [(item, outgoing) for item, outgoing in loaded if isinstance(outgoing, DeskNotice)]


async def test_the_number_counts_once_the_code_came_back_that_was_sent_there_and_the_costs_are_said() -> None:
    site = await site_of(CASE)
    phone = Phone(site)
    asked = carried(CASE, "!notify +49 151 12345678", known())
    assert "Meta charges your organisation for each" in asked.answer
    async with site.database.begin() as work:
        mia = replace(message(CASE, "Mia", DESK, Text(f"!notify {NUMBER}")), id=MessageId("m1"))
        house = replace(HOUSE, whatsapp=True, notices_by_whatsapp=True)
        await Handler(work, CODEC, house, ItemId("m1"), AT).message(CASE.id, mia, None, None)
    ((item, notice),) = notices(site)
    assert isinstance(await phone.gets(item, notice), Sent)
    ((number, sent),) = phone.graph.accepted
    assert (number, sent["template"]["name"]) == (PRIVATE, CODE[0])
    assert str(sent).count(str(notice.code)) == 2
    after = carried(asked.case, "yes 6H4C", known())
    assert named(after.case, "Mia").noticed == Noticed(NUMBER, AT, Network.WHATSAPP)


async def test_a_notice_is_a_template_without_a_word_a_name_or_the_case() -> None:
    site = await site_of(NOTICED)
    phone = Phone(site)
    await alice_writes(site)
    ((item, notice),) = notices(site)
    assert isinstance(await phone.gets(item, notice), Sent)
    ((_, sent),) = phone.graph.accepted
    assert sent["template"] == {"name": NOTICE[0], "language": {"code": NOTICE[1]}}
    for word in ("Alice", "40,000", "Smith", str(CASE.id)):
        assert word not in str({key: value for key, value in sent.items() if key != "to"})


async def test_what_nobody_answered_for_is_not_repeated() -> None:
    site = await site_of(NOTICED)
    phone = Phone(site)
    await alice_writes(site)
    ((item, notice),) = notices(site)
    phone.graph.mishaps.append(Mishap.NO_ANSWER)
    assert isinstance(await phone.gets(item, notice), Unanswered)
    assert isinstance(await phone.gets(site.database.committed.outbox.items[item.id], notice), Unanswered)
    assert len(phone.graph.mishaps) == 0


async def test_a_failure_is_told_at_the_desk_without_the_number() -> None:
    site = await site_of(NOTICED)
    phone = Phone(site)
    await alice_writes(site)
    ((item, _),) = notices(site)
    phone.graph.mishaps.append(131026)
    async with site.database.begin() as work:
        await work.outbox.wake(str(item.wait_key))
    fate = await OutboxWork(site.database, phone.deliverer, CODEC, HOUSE).one(item)
    assert isinstance(fate, End)
    assert fate.state is State.DEAD
    assert "a notice by WhatsApp to Mia" in fate.why
    assert NUMBER not in fate.why


@pytest.mark.parametrize("code", ["6H4C", None])
async def test_who_wrote_stop_there_is_sent_nothing(code: str | None) -> None:
    site = await site_of(CASE)
    writer = Writer(Network.WHATSAPP, NUMBER, PRIVATE, USER, NUMBER)
    stopped = Stranger(StrangerId("S1"), writer, MessageId("s1"), AT, AT, stopped=True)
    async with site.database.begin() as work:
        await work.cases.save(replace(CASE, id=TRIAGE, triage=Triage((stopped,), 1)))
    phone = Phone(site)
    item = Item(ItemId("i1"), Lane("notice:1042:p1"), PEOPLE, CASE.id, b"", AT)
    notice = DeskNotice(named(CASE, "Mia").id, NUMBER, code, Network.WHATSAPP)
    try:
        outcome: object = await phone.notices.carry(item, notice, CASE.id)
    except Trouble as trouble:
        outcome = trouble  # which is told at the desk: a code is waited for
    assert isinstance(outcome, Cancelled) is (code is None)
    assert "STOP" in str(outcome)
    assert not phone.graph.accepted


async def test_a_report_that_it_failed_is_told_at_the_desk_and_brings_no_notice() -> None:
    there = await WhatsAppHouse(case=NOTICED).begin()
    item = Item(ItemId("i1"), Lane(f"notice:{NOTICED.id}:p1"), PEOPLE, NOTICED.id, b"", there.now, state=State.DONE)
    async with there.database.begin() as work:
        await work.outbox.put(item)
    await there.reports("i1", "failed", 131026)
    assert [text for text in there.told() if "tells of this desk was not delivered" in text]
    assert not [i for i in there.database.committed.outbox.items.values() if i.lane == item.lane and i.id != item.id]


async def test_a_colleague_who_wrote_stop_from_there_is_sent_nothing() -> None:
    bea = carried(CASE, f"!party add Bea {NUMBER} on Jones", known()).case
    declined = replace(named(bea, "Bea"), endpoint=replace(named(bea, "Bea").endpoint, declined=True))
    site = await site_of(CASE)
    async with site.database.begin() as work:
        await work.cases.save(replace(bea.with_person(declined), id=MEDIATORS))
    phone = Phone(site)
    item = Item(ItemId("i1"), Lane("notice:1042:p1"), PEOPLE, CASE.id, b"", AT)
    notice = DeskNotice(named(CASE, "Mia").id, NUMBER, None, Network.WHATSAPP)
    assert isinstance(await phone.notices.carry(item, notice, CASE.id), Cancelled)
    assert not phone.graph.accepted


def test_without_its_templates_or_with_a_partys_number_it_is_refused_with_what_would_work() -> None:
    assert "not set up" in refused(CASE, f"!notify {NUMBER}", replace(known(), notices_by_whatsapp=False))
    bea = carried(CASE, f"!party add Bea {NUMBER} on Jones", known()).case
    assert "That is Bea's address" in refused(bea, f"!notify {NUMBER}", known())
    assert "telephone number with its country" in str(parse("!notify 0151 12345678"))
    off = carried(NOTICED, "!notify off", known())
    assert named(off.case, "Mia").noticed is None

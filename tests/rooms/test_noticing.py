"""A mediator is told by mail that something waits at the desk: once the address is theirs, and nothing else (M11)."""

from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.policy import default

import pytest

from appservice.mail import plain
from appservice.mail.courier import Sender
from appservice.mail.notices import NoticeMail
from appservice.mail.plain import PlainMails
from appservice.upkeep.epoch import Epoch, Stage
from bridges.email.api import MailServer, Security
from policies.case import DESK, JOINT, Case, Network, Noticed
from policies.effects import CheckAddress, Introduce
from policies.message import MessageId, SignedDevice, Text
from policies.networks.noticing import NOTICE_EVERY, NOTICE_FAILED
from policies.networks.quiet import Quiet
from policies.people.colleagues import ROOM, new_room
from policies.people.manning import manned
from policies.people.membership import readers
from policies.questions.asking import Answer
from policies.words.language import Language
from rooms.clearance import until_confirmed
from rooms.deliver import Deliverer
from rooms.noticing import DeskNotice
from rooms.outcome import Cancelled, Outcome, Parked, Sent
from rooms.outgoing import PEOPLE, Outgoing
from rooms.queue import Item, ItemId, Lane, State
from tests.fakes.post_office import PostOffice
from tests.policies.builders import AT, both_sides, caucus_of, done, facts, message, named, refused, say
from tests.rooms.builders import CODEC, Site, handler

ADDRESS = "mia@example.com"
CASE = both_sides()
NOTICED = CASE.with_person(replace(named(CASE, "Mia"), noticed=Noticed(ADDRESS, AT)))


AMONG_MEDIATORS = manned(new_room(Language.ENGLISH, "UTC"), {"@mia:example.org": "Mia"})
NORA = "nora@example.com"


async def site_of(case: Case) -> Site:
    site = Site(case)
    await site.change(case)
    return site


async def says(site: Site, name: str, text: str, number: str, minutes: int = 0) -> None:
    where = DESK if name == "Mia" else caucus_of(CASE, "Smith")
    about = replace(message(CASE, name, where, Text(text)), id=MessageId(number))
    async with site.database.begin() as work:
        at = AT + timedelta(minutes=minutes)
        await handler(work, number, at).message(CASE.id, about, None, None)


def notices(site: Site) -> list[tuple[Item, DeskNotice]]:
    items = [i for i in site.database.committed.outbox.items.values() if i.kind == PEOPLE]
    loaded: list[tuple[Item, Outgoing]] = [(item, CODEC.load(item.body)) for item in items]
    return [(item, outgoing) for item, outgoing in loaded if isinstance(outgoing, DeskNotice)]


class Mailbox:
    """The mediator's own, behind a mail server."""

    def __init__(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        self.site, self.office = site, PostOffice()
        monkeypatch.setattr(plain, "send", self.office.send)

    async def gets(self, item: Item, notice: DeskNotice, *, later: timedelta = NOTICE_EVERY) -> Outcome:
        sender = Sender("Town Mediation", "+1 555 0100", "reply.example.org", "https://mediation.example.org")
        mails = PlainMails(self.site.database, MailServer("127.0.0.1", 25, Security.NONE), sender)
        async with self.site.database.begin() as work:
            if item.wait_key:
                await work.outbox.wake(item.wait_key)
        deliverer = Deliverer(
            self.site.database,
            self.site.builder,
            self.site.poster,
            {},
            notices={Network.EMAIL: NoticeMail(mails)},
            clock=lambda: AT + later,
        )
        outcome, _ = await deliverer.deliver(item, notice)
        return outcome

    @property
    def texts(self) -> list[str]:
        return [str(message_from_bytes(mail.raw, policy=default)) for mail in self.office.taken]


async def test_an_address_counts_once_the_code_came_back_that_was_mailed_there(monkeypatch: pytest.MonkeyPatch) -> None:
    site = await site_of(CASE)
    mailbox = Mailbox(site, monkeypatch)
    await says(site, "Mia", f"!notify {ADDRESS}", "m1")
    ((item, notice),) = notices(site)
    assert isinstance(await mailbox.gets(item, notice, later=timedelta(0)), Sent)
    assert notice.code
    assert f"yes {notice.code}" in mailbox.texts[0]
    shown = [CODEC.load(i.body) for i in site.database.committed.outbox.items.values() if i.kind != PEOPLE]
    assert notice.code not in str(shown), "who reads the desk has not read the mailbox"
    await says(site, "Mia", f"yes {notice.code}", "m2")
    kept = site.database.committed.cases[CASE.id].named("Mia")
    assert kept
    assert kept.noticed == Noticed(ADDRESS, AT)


async def test_what_comes_within_a_quarter_of_an_hour_is_one_notice_without_a_word_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = await site_of(NOTICED)
    mailbox = Mailbox(site, monkeypatch)
    for minutes, number in ((0, "m1"), (5, "m2"), (14, "m3")):
        await says(site, "Alice", "forty thousand by June", number, minutes)
    ((item, notice),) = notices(site)
    assert (item.state, item.due_at) == (State.PARKED, AT + NOTICE_EVERY)
    assert isinstance(await mailbox.gets(item, notice), Sent)
    assert "Something waits at the desk of case 1042." in mailbox.texts[0]
    for word in ("Alice", "Carl", "Smith", "Jones", "forty", "June"):
        assert word not in mailbox.texts[0]


async def test_what_a_mediator_does_is_no_news_and_nobody_is_told_who_did_not_ask() -> None:
    site = await site_of(NOTICED)
    await says(site, "Mia", "!status", "m1")
    await says(site, "Mia", "!undo", "m2")
    await says(site, "Mia", "just talking", "m3")
    assert not notices(site)
    other = await site_of(CASE)
    await says(other, "Alice", "hello", "m1")
    assert not notices(other)


async def test_what_a_party_commands_is_news_and_what_a_mediator_votes_is_none() -> None:
    site = await site_of(NOTICED)
    await says(site, "Alice", "!report: I feel threatened", "m1")
    assert len(notices(site)) == 1
    other = await site_of(done(NOTICED, "!party remove Carl", facts(code="6H4C")).case)
    mia = named(NOTICED, "Mia").id
    async with other.database.begin() as work:
        await handler(work, "v1").answer(CASE.id, Answer("6H4C", True, mia, DESK, SignedDevice()), AT)
    assert not notices(other)


async def test_from_a_restored_case_none_leaves_before_a_mediator_has_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    site = await site_of(NOTICED)
    mailbox = Mailbox(site, monkeypatch)
    async with site.database.begin() as work:
        await work.epochs.begin(Epoch(2, "x", 0, Stage.ANNOUNCED))
        await handler(work, "restored").tell_desk(CASE.id, "I was restored from a backup")
    ((item, notice),) = notices(site)
    assert await mailbox.gets(item, notice) == until_confirmed(CASE.id)
    assert not mailbox.texts
    async with site.database.begin() as work:
        await work.epochs.confirm(CASE.id)
    assert isinstance(await mailbox.gets(item, notice), Sent)


async def test_that_a_notice_failed_is_told_at_the_desk_and_brings_no_other() -> None:
    site = await site_of(NOTICED)
    async with site.database.begin() as work:
        await handler(work, "late").tell_desk(CASE.id, "Not delivered", rule=NOTICE_FAILED)
    assert not notices(site)
    async with site.database.begin() as work:
        await handler(work, "lost").tell_desk(CASE.id, "Not delivered: a mail to Carl")
    assert len(notices(site)) == 1


async def test_it_waits_in_quiet_hours_and_of_several_the_last_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = replace(named(NOTICED, "Mia"), quiet=Quiet(9 * 60, 12 * 60, "UTC"))
    site = await site_of(NOTICED.with_person(quiet))
    mailbox = Mailbox(site, monkeypatch)
    await says(site, "Alice", "one", "m1")
    await says(site, "Alice", "two", "m2", minutes=20)
    first, last = notices(site)
    outcome = await mailbox.gets(*last)
    assert isinstance(outcome, Parked)
    assert outcome.until == AT.replace(hour=12)
    assert isinstance(await mailbox.gets(*first), Cancelled)
    assert isinstance(await mailbox.gets(*last, later=timedelta(hours=3)), Sent)


@pytest.mark.parametrize(
    "after", [CASE, NOTICED.with_person(replace(named(CASE, "Mia"), noticed=Noticed("o@x.org", AT)))]
)
async def test_nothing_goes_to_an_address_that_is_theirs_no_more(after: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    site = await site_of(NOTICED)
    await says(site, "Alice", "hello", "m1")
    ((item, notice),) = notices(site)
    await site.change(after)
    assert isinstance(await Mailbox(site, monkeypatch).gets(item, notice), Cancelled)


def test_a_wrong_code_another_mediator_or_a_partys_address_set_nothing() -> None:
    asked = done(CASE, f"!notify {ADDRESS}", facts(code="6H4C")).case
    assert "No question of yours" in str(say(asked, "yes 7J5D"))
    ines = done(asked, "!mediator add Ines @ines:example.org").case
    assert "No question of yours" in str(say(ines, "yes 6H4C", facts(named(ines, "Ines").id)))
    assert "That is Carl's address" in refused(CASE, "!notify carl@example.net")
    assert "not set up" in refused(CASE, f"!notify {ADDRESS}", facts(mail=False))
    assert "not a mail address" in refused(CASE, "!notify mia@nowhere")
    assert "Only a mediator" in refused(CASE, f"!notify {ADDRESS}", facts(None))


def test_off_ends_it_and_a_new_address_voids_the_former_code() -> None:
    twice = done(done(CASE, f"!notify {ADDRESS}", facts(code="6H4C")).case, "!notify m@example.com", facts(code="7J5D"))
    assert [a.code for a in twice.case.asks] == ["7J5D"]
    after = done(twice.case, "yes 7J5D").case
    assert named(after, "Mia").noticed == Noticed("m@example.com", AT)
    assert named(done(after, "!notify off").case, "Mia").noticed is None


def test_a_mediator_who_is_told_by_mail_has_quiet_hours() -> None:
    assert named(done(NOTICED, "!quiet Mia 20:00-08:00 UTC").case, "Mia").quiet is not None
    assert "reads in Matrix" in refused(CASE, "!quiet Mia 20:00-08:00 UTC")


async def test_in_the_joint_room_too_a_partys_post_is_news() -> None:
    site = await site_of(NOTICED)
    async with site.database.begin() as work:
        await handler(work, "j1").message(CASE.id, message(CASE, "Alice", JOINT), None, None)
    assert [item.id for item, _ in notices(site)] != [ItemId("j1")]
    assert len(notices(site)) == 1


async def test_a_colleagues_code_is_mailed_to_them_alone_and_counts_at_the_desk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    invited = done(AMONG_MEDIATORS, f"!colleague add Nora {NORA}")
    (check,) = (effect for effect in invited.effects if isinstance(effect, CheckAddress))
    assert check.code not in invited.answer
    assert named(invited.case, "Nora").id not in readers(invited.case, ROOM)
    site = await site_of(invited.case)
    mailbox = Mailbox(site, monkeypatch)
    item = Item(ItemId("n1"), Lane("notice"), PEOPLE, invited.case.id, b"", AT)
    notice = DeskNotice(check.person, NORA, check.code, invites=True)
    async with site.database.begin() as work:
        await work.outbox.put(item)
    assert isinstance(await mailbox.gets(item, replace(notice, to="other@example.com")), Cancelled)
    assert isinstance(await mailbox.gets(item, notice), Sent)
    (text,) = mailbox.texts
    assert f"To: {NORA}" in text
    assert check.code in text
    proven = done(invited.case, f"yes {check.code}")
    assert named(proven.case, "Nora").id in readers(proven.case, ROOM)
    assert [e.as_link for e in proven.effects if isinstance(e, Introduce)] == [True]
    assert isinstance(await mailbox.gets(replace(item, id=ItemId("n2")), replace(notice, code="22A2")), Cancelled)


def test_a_colleagues_mailbox_is_opened_by_the_code_and_changed_by_nobody() -> None:
    invited = done(AMONG_MEDIATORS, f"!colleague add Nora {NORA}").case
    for command in ("!consent Nora: agreed", "!mail pin Nora", "!mail invite Nora"):
        assert "Nothing shows yet" in refused(invited, command)
    assert "That is said in a case" in refused(invited, "!mail address Nora other@example.com")
    assert done(invited, "no 4F2A").case.named("Nora") is None

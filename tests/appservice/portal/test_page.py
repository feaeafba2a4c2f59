"""The page as the service fills it: what was decided for a person, and nothing else; acts count with link and PIN."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from appservice.codec import JsonCodec
from appservice.mail import courier
from appservice.mail.courier import LINK_REST, MailCourier, Sender
from appservice.mail.reports import ReportReader
from appservice.mail.stored import StoredMail
from appservice.portal import page
from appservice.portal.page import PORTAL, ServicePortal
from appservice.portal.reader import PortalReader
from appservice.portal.store import LINK_LASTS, LINK_SENDS_ANOTHER, PIN_LOCK, PIN_TRIES, SESSION_LASTS, Whose
from bridges.email.api import Accepted, MailServer, Refused, Security
from bridges.portal import render
from bridges.portal import views as portal_views
from bridges.portal.views import Closed, View
from bridges.unsent import NotSent
from policies.case import DESK, JOINT, Case, Conversation, Phase
from policies.commands.form import Misunderstood
from policies.commands.vocabulary import parse
from policies.effects import Inform, Introduce, Post, Publish, Relay, Tell
from policies.message import (
    Content,
    Edit,
    File,
    FileRef,
    Message,
    MessageId,
    PinnedLink,
    Removal,
    Text,
    Unproven,
)
from policies.names import ReleaseId
from policies.networks.discreet import Discreet
from policies.networks.portal import decide_paused
from policies.plan import label
from policies.undoing.recalling import name_of_removal
from policies.words.language import Language
from policies.words.phrase import verbatim
from rooms.handle import Handler
from rooms.homeserver import Trouble
from rooms.house import House
from rooms.lanes import person_lane
from rooms.letters import Letter
from rooms.outcome import Sent
from rooms.outgoing import Outgoing
from rooms.ports import Entry, Held
from rooms.queue import Item, ItemId, Lane, State
from tests.bridges.email.builders import OWN_DOMAIN
from tests.bridges.email.test_reports import BLOCK, dsn
from tests.fakes.memory import MemoryDatabase
from tests.fakes.post_office import PostOffice
from tests.policies.builders import ALICE_JOINS, CARL_JOINS, case_with, caucus_of, done, facts, named

CASE = case_with(ALICE_JOINS, CARL_JOINS, "!open")
CARL = named(CASE, "Carl")
OWN, OTHERS = caucus_of(CASE, "Jones"), caucus_of(CASE, "Smith")
SENDER = Sender("Town Mediation", "+1 555 0100", OWN_DOMAIN, "https://mediation.example.org")
HOUSE = House("example.org", "_mediatrix_", OWN_DOMAIN, {})
CODEC = JsonCodec()
WHOSE = Whose(CASE.id, CARL.id)


class Town:
    """A case with Carl, who gets links; and time."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.database, self.post_office = MemoryDatabase(), PostOffice()
        self.courier = MailCourier(self.database, MailServer("127.0.0.1", 25, Security.NONE), SENDER)
        self.portal = ServicePortal(self.database, CODEC, lambda: self.now)
        self._items = self._entered = 0

    async def begin(self, case: Case = CASE) -> "Town":
        async with self.database.begin() as work:
            await work.cases.save(case)
            self.pin = await work.shelf.new_pin(case.id, CARL.id)
        return self

    async def relay(self, text: str, where: Conversation = OWN, author: str | None = "Mia") -> Sent:
        """A mediator's words are carried to Carl."""
        by = named(CASE, author).id if author else None
        self._items += 1
        effect = Relay(MessageId(f"m{self._items}"), where, by, Text(text), CARL.id)
        return await self.carry(effect, where, Text(text))

    async def carry(self, effect: Outgoing, where: Conversation, content: Content | Inform | None) -> Sent:
        item = Item(ItemId(f"i{self._items}"), Lane("l"), "people", CASE.id, CODEC.dump(effect), self.now)
        async with self.database.begin() as work:
            await work.outbox.put(item)
        case = self.database.committed.cases[CASE.id]
        letter = Letter(case, where, label(where, CASE), CARL.id, (), "Mia", content, None)
        outcome = await self.courier.carry(self.database.committed.outbox.items[item.id], letter)
        assert isinstance(outcome, Sent)
        return outcome

    async def open(self, pin: str | None = None) -> str | Closed:
        """Carl opens his last link."""
        return await self.portal.open(self.post_office.links[-1].link, pin or self.pin)

    async def enter(self) -> str:
        """A session of Carl's, however he got it."""
        self._entered += 1
        session = f"session{self._entered}".ljust(32, "x")
        async with self.database.begin() as work:
            await work.shelf.begin_session(session, WHOSE, self.now + SESSION_LASTS)
        return session

    async def view(self) -> View:
        """What Carl sees."""
        session = await self.enter()
        view = await self.portal.view(session)
        assert view is not None
        return view

    async def do(self, what: str, **values: str) -> list[object]:
        """Carl does something on the page, and it is handled."""
        session = await self.enter()
        assert await self.portal.act(session, f"nonce{self._items}", what, values)
        return await self.handle()

    async def handle(self) -> list[object]:
        """What was stored is read; what follows from it."""
        before = set(self.database.committed.outbox.items)
        for item in list(self.database.committed.inbox.items.values()):
            if item.kind == PORTAL and item.state is State.READY:
                async with self.database.begin() as work:
                    await PortalReader(CODEC, HOUSE).read(work, item)
        new = [item for key, item in self.database.committed.outbox.items.items() if key not in before]
        return [CODEC.load(item.body) for item in new]

    async def bounced(self, status: str) -> None:
        """The last mail to Carl comes back."""
        *_, sent = self.database.committed.sent_mails.values()
        body = StoredMail(sent.bounce_hash, "", "same", 1, dsn(BLOCK.format(action="failed", status=status))).dump()
        report = Item(ItemId(f"report{self._items}"), Lane("l"), "mail.report", CASE.id, body, self.now)
        async with self.database.begin() as work:
            await work.inbox.put(report)
        await ReportReader(self.database, CODEC, HOUSE).read(report)

    def carl(self) -> Case:
        return self.database.committed.cases[CASE.id]


@pytest.fixture
async def town(monkeypatch: pytest.MonkeyPatch) -> Town:
    town = Town()
    monkeypatch.setattr(courier, "send", town.post_office.send)
    return await town.begin()


def texts(view: View) -> dict[str, list[str]]:
    return {room.name: [shown.text for shown in room.shown] for room in view.rooms}


async def test_words_go_to_the_page_and_only_a_link_to_the_mailbox(town: Town) -> None:
    await town.relay("my secret offer")
    (mail,) = town.post_office.links
    assert not town.post_office.delivered
    for fact in ("secret", "Mia", "Carl", "1042", "PRIVATE", "Smith", "Jones"):
        assert fact not in mail.everything.partition("http")[0]
    assert texts(await town.view()) == {"EVERYONE · 1042": [], "PRIVATE with mediator · 1042": ["my secret offer"]}


async def test_the_page_knows_its_readers_clock(town: Town) -> None:
    await town.relay("hello")
    async with town.database.begin() as work:
        await work.cases.save(done(CASE, "!timezone Carl America/New_York").case)
    assert (await town.view()).zone == "America/New_York"


async def test_the_page_is_in_its_readers_language_and_what_was_written_stays(town: Town) -> None:
    await town.relay("hello")
    case = done(done(CASE, "!language fr").case, "!language Carl de").case
    async with town.database.begin() as work:
        await work.cases.save(case)
    session = await town.open()
    assert isinstance(session, str)
    assert await town.portal.language(session) is Language.GERMAN
    assert await town.portal.language("unknown") is None
    shown = render.rooms(portal_views.House("Town", "1"), replace(await town.view(), is_enrolled=True), "s")
    assert '<html lang="de">' in shown
    assert "PRIVAT. Wer in diesem Raum liest: Mia (Mediation), Carl (per E-Mail)." in shown
    assert '<blockquote lang="">hello</blockquote>' in shown
    assert "Grund: Im gemeinsamen Raum schreibt nur die Mediation." in shown


async def test_no_other_link_is_sent_before_the_last_was_opened_or_has_rested(town: Town) -> None:
    for text in ("one", "two", "three"):
        await town.relay(text)
    assert len(town.post_office.links) == 1
    assert texts(await town.view())["PRIVATE with mediator · 1042"] == ["one", "two", "three"]
    await town.relay("four")
    assert len(town.post_office.links) == 2


@pytest.mark.parametrize("status", ["4.2.2", "5.2.2"])
async def test_a_link_that_came_back_keeps_no_other_one_back(town: Town, status: str) -> None:
    await town.relay("first")
    await town.bounced(status)
    if status.startswith("5"):
        resumed = done(town.carl(), "!mail resume Carl", facts(None))
        async with town.database.begin() as work:
            await work.cases.save(resumed.case)
    paper = Inform(CARL.id, OWN, verbatim("a document is yours"), page=True)
    town._items += 1
    await town.carry(paper, OWN, paper)
    assert len(town.post_office.links) == 2
    await town.relay("second")
    assert len(town.post_office.links) == 2, "one is enough"


async def test_what_lay_ready_behind_a_link_that_came_back_is_led_to_when_the_mailbox_works_again(town: Town) -> None:
    await town.relay("first")
    await town.relay("lies ready behind that")
    await town.bounced("5.2.2")
    resumed = done(town.carl(), "!mail resume Carl", facts(None))
    async with town.database.begin() as work:
        await work.cases.save(resumed.case)
    [letter] = [effect for effect in resumed.effects if isinstance(effect, Introduce)]
    town._items += 1
    await town.carry(letter, letter.conversation, None)
    assert len(town.post_office.links) == 2
    assert isinstance(await town.open(), str)


@pytest.mark.parametrize("verdict", [NotSent("down"), Refused(451, False, "later")])
async def test_a_link_that_did_not_leave_is_sent_with_the_next_try(town: Town, verdict: NotSent | Refused) -> None:
    town.post_office.verdicts = [verdict]
    with pytest.raises(Trouble):
        await town.relay("one")
    assert not town.database.committed.links
    town.post_office.verdicts = [Accepted("yes")]
    await town.relay("two")
    assert len(town.post_office.links) == 1
    assert timedelta() < LINK_REST


async def test_nothing_of_another_room_person_or_case_is_ever_shown(town: Town) -> None:
    await town.relay("for all", JOINT)
    async with town.database.begin() as work:  # what no decision for Carl ever put there
        await work.shelf.put(CASE.id, named(CASE, "Alice").id, ItemId("x"), b"{}", town.now)
        alien = Relay(MessageId("m"), OTHERS, None, Text("of the other side"), CARL.id)
        await work.shelf.put(CASE.id, CARL.id, ItemId("y"), CODEC.dump(alien), town.now)
    view = await town.view()
    assert "of the other side" not in str(view)
    assert {room.name for room in view.rooms} == {"EVERYONE · 1042", "PRIVATE with mediator · 1042"}


async def test_who_takes_part_no_more_sees_nothing(town: Town) -> None:
    await town.relay("hello")
    session = await town.open()
    assert isinstance(session, str)
    async with town.database.begin() as work:
        await work.cases.save(done(CASE, "!party remove Carl", facts(None)).case)
    assert await town.portal.view(session) is None


async def test_an_answer_counts_as_carls_with_link_and_pin_and_shows_as_his_own(town: Town) -> None:
    await town.relay("what do you want?")
    effects = await town.do("say", room=OWN.id, text="4,500 \u202eor more")
    (post,) = [e for e in effects if isinstance(e, Post)]
    assert (post.conversation, post.author, post.content) == (OWN, CARL.id, Text("4,500 or more"))
    (entry,) = town.database.committed.journal.values()
    assert entry.message.proof == PinnedLink()
    (room,) = [room for room in (await town.view()).rooms if room.is_private]
    assert [(shown.text, shown.own) for shown in room.shown] == [("what do you want?", False), ("4,500 or more", True)]


@pytest.mark.parametrize("room", [OTHERS.id, DESK.id, "nonsense", ""])
async def test_nobody_writes_into_a_room_that_is_not_theirs(town: Town, room: str) -> None:
    await town.relay("hello")
    effects = await town.do("say", room=room, text="let me in")
    assert not [e for e in effects if isinstance(e, Post | Relay)]


async def test_pressing_twice_says_it_once(town: Town) -> None:
    await town.relay("hello")
    session = await town.open()
    assert isinstance(session, str)
    for _ in range(2):
        await town.portal.act(session, "one", "say", {"room": OWN.id, "text": "once"})
    assert len([e for e in await town.handle() if isinstance(e, Post)]) == 1


async def test_other_words_from_a_form_that_a_browser_shows_again_are_said_too(town: Town) -> None:
    await town.relay("hello")
    session = await town.open()
    assert isinstance(session, str)
    for text in ("first", "second"):
        await town.portal.act(session, "one", "say", {"room": OWN.id, "text": text})
    assert [e.content for e in await town.handle() if isinstance(e, Post)] == [Text("first"), Text("second")]


async def test_what_was_written_for_all_as_the_joint_room_went_is_kept_for_the_mediator(town: Town) -> None:
    await town.relay("hello")
    async with town.database.begin() as work:
        await work.cases.save(replace(CASE, phase=Phase.INTAKE))
    effects = await town.do("say", room=JOINT.id, text="before you close")
    assert not [e for e in effects if isinstance(e, Post | Relay)]
    assert [held.message for held in town.database.committed.holds.values()]


async def test_links_to_a_mailbox_that_was_left_open_and_stop_nothing(town: Town) -> None:
    await town.relay("hello")
    await town.do("enrol")
    async with town.database.begin() as work:
        await work.cases.save(done(CASE, "!mail address Carl carl@example.com", facts(None)).case)
    assert await town.open() is Closed.WRONG
    await town.portal.pause(town.post_office.links[-1].link)
    assert not await town.handle()
    assert named(town.carl(), "Carl").endpoint.enrolled is None


async def test_mail_is_stopped_again_and_by_an_old_mail(town: Town) -> None:
    await town.relay("hello")
    for _ in range(2):
        town.now += timedelta(days=4)
        await town.portal.pause(town.post_office.links[-1].link)
        await town.handle()
        assert named(town.carl(), "Carl").endpoint.stopped
        async with town.database.begin() as work:
            await work.cases.save(done(town.carl(), "!mail resume Carl", facts(None)).case)


async def test_wrong_pins_lock_the_link_for_a_while_and_alarm_the_desk(town: Town) -> None:
    await town.relay("hello")
    assert [await town.open("999999") for _ in range(PIN_TRIES)] == [Closed.WRONG] * (PIN_TRIES - 1) + [Closed.LOCKED]
    assert await town.open() is Closed.LOCKED
    (alarm,) = [e for e in await town.handle() if isinstance(e, Tell)]
    assert alarm.conversation == DESK
    assert alarm.text.startswith("ALARM")
    town.now += PIN_LOCK
    assert isinstance(await town.open(), str)


async def test_links_and_sessions_end(town: Town) -> None:
    await town.relay("hello")
    session = await town.open()
    assert isinstance(session, str)
    town.now += SESSION_LASTS
    assert await town.portal.view(session) is None
    assert not await town.portal.act(session, "n", "say", {"room": OWN.id, "text": "x"})
    await town.relay("news")
    town.now += timedelta(days=3)
    assert await town.open() is Closed.USED


async def test_a_link_opens_once_and_who_has_the_pin_is_sent_another(town: Town) -> None:
    await town.relay("hello")
    old = town.post_office.links[-1].link
    assert isinstance(await town.open(), str)
    assert await town.portal.open(old, "999999") is Closed.WRONG
    assert not await town.handle()
    assert await town.portal.open(old, town.pin) is Closed.USED
    [sent] = await town.handle()
    assert isinstance(sent, Inform)
    assert (sent.to, sent.conversation, sent.page) == (CARL.id, OWN, True)
    town._items += 1
    await town.carry(sent, OWN, None)
    assert town.post_office.links[-1].link != old
    assert isinstance(await town.open(), str)


@pytest.mark.parametrize("documents", [True, False])
async def test_who_has_an_account_is_given_another_link_only_where_there_are_documents(
    town: Town, documents: bool
) -> None:
    alice, house = named(CASE, "Alice"), replace(HOUSE, page=SENDER.public_base_url, documents=documents)
    async with town.database.begin() as work:
        pin = await work.shelf.new_pin(CASE.id, alice.id)
        link = await work.shelf.new_link(CASE.id, alice.id, alice.endpoint.id, town.now, town.now)
    assert await town.portal.open(link, pin) is Closed.USED
    [item] = town.database.committed.inbox.items.values()
    async with town.database.begin() as work:
        await PortalReader(CODEC, house).read(work, item)
    # The link in her private room, its code in a room of her own, and what makes that room.
    assert len(town.database.committed.outbox.items) == 3 * documents


async def test_of_two_who_use_a_link_at_once_one_gets_in(town: Town) -> None:
    await town.relay("hello")
    link = town.post_office.links[-1].link
    opened = await asyncio.gather(*(town.portal.open(link, town.pin) for _ in range(3)))
    assert sorted(isinstance(one, str) for one in opened) == [False, False, True]


async def test_who_speaks_on_another_channel_only_looks_at_documents_here(town: Town) -> None:
    alice = Whose(CASE.id, named(CASE, "Alice").id)
    async with town.database.begin() as work:
        await work.shelf.begin_session("s" * 32, alice, town.now + SESSION_LASTS)
    view = await town.portal.view("s" * 32)
    assert view is not None
    assert view.is_elsewhere
    assert not await town.portal.act("s" * 32, "n", "say", {"room": OTHERS.id, "text": "in her name"})
    assert not await town.handle()
    assert not (await town.view()).is_elsewhere


async def test_an_open_page_closes_when_its_reader_has_another_mailbox(town: Town) -> None:
    await town.relay("hello")
    session = await town.open()
    assert isinstance(session, str)
    command = parse("!mail address Carl carl@example.com")
    assert not isinstance(command, Misunderstood)
    async with town.database.begin() as work:
        answer = await Handler(work, CODEC, HOUSE, ItemId("move"), town.now).command(CASE.id, command, town.now)
    assert answer.ok, answer
    assert await town.portal.view(session) is None


async def test_an_address_is_verified_again_by_a_new_link_and_a_new_pin_and_by_nothing_older(town: Town) -> None:
    await town.relay("hello")
    await town.do("enrol", words="yes")
    old_link, old_pin = town.post_office.links[-1].link, town.pin
    command = parse("!mail verify Carl")
    assert not isinstance(command, Misunderstood)
    async with town.database.begin() as work:
        answer = await Handler(work, CODEC, HOUSE, ItemId("verify"), town.now).command(CASE.id, command, town.now)
    assert answer.ok, answer
    assert named(town.carl(), "Carl").endpoint.enrolled is None
    shown = [CODEC.load(item.body) for item in town.database.committed.outbox.items.values() if item.lane != "l"]
    [pin] = [found[1] for e in shown if isinstance(e, Tell) and (found := re.search(r"PIN of Carl is (\d+)", e.text))]
    town._items += 1
    await town.carry(Introduce(CARL.id, OWN, as_link=True), OWN, None)
    assert town.post_office.links[-1].link != old_link
    assert await town.portal.open(old_link, pin) is Closed.WRONG
    assert await town.open(old_pin) is Closed.WRONG
    town.pin = pin
    assert not (await town.view()).is_enrolled
    await town.do("enrol")
    assert named(town.carl(), "Carl").endpoint.enrolled is not None
    assert named(town.carl(), "Carl").endpoint.content_consent is None


async def test_a_new_pin_ends_sessions_and_the_old_pin(town: Town) -> None:
    await town.relay("hello")
    session = await town.open()
    assert isinstance(session, str)
    async with town.database.begin() as work:
        await work.shelf.new_pin(CASE.id, CARL.id)
    assert await town.portal.view(session) is None
    assert await town.open() is Closed.WRONG


async def test_enrolling_is_on_record_and_words_come_by_mail_only_if_asked_for(town: Town) -> None:
    await town.relay("hello")
    assert not (await town.view()).is_enrolled
    await town.do("enrol")
    carl = named(town.carl(), "Carl").endpoint
    assert carl.enrolled is not None
    assert carl.content_consent is None
    town._items += 1
    effects = await town.do("enrol", words="yes")
    consent = named(town.carl(), "Carl").endpoint.content_consent
    assert consent is not None
    assert consent.recorded_by == "Carl"
    assert {e.conversation for e in effects if isinstance(e, Introduce)} == {OWN, JOINT}


async def test_whoever_wants_no_mail_gets_none_and_can_still_read(town: Town) -> None:
    await town.relay("hello")
    await town.portal.pause(town.post_office.links[-1].link)
    await town.portal.pause("unknown-unknown-unknown")
    (told,) = [e for e in await town.handle() if isinstance(e, Tell)]
    assert told.conversation == DESK
    assert named(town.carl(), "Carl").endpoint.stopped == "Carl paused it"
    assert (await town.view()).is_paused


async def test_a_link_of_somebody_who_is_not_mailed_stops_nothing(town: Town) -> None:
    alice = named(CASE, "Alice")
    async with town.database.begin() as work:
        link = await work.shelf.new_link(CASE.id, alice.id, alice.endpoint.id, town.now, town.now + LINK_LASTS)
    await town.portal.pause(link)
    assert not await town.handle()
    assert not town.database.committed.inbox.items
    decision = decide_paused(CASE, alice)
    assert (decision.case, decision.effects, decision.rule) == (CASE, (), "no-mail")


async def test_a_link_that_is_too_old_is_like_none_and_no_pin_is_tried_at_it(town: Town) -> None:
    await town.relay("hello")
    town.now += LINK_LASTS + LINK_SENDS_ANOTHER
    assert await town.open() is Closed.USED
    await town.handle()
    town.now += timedelta(days=31)
    assert [await town.open("999999") for _ in range(PIN_TRIES)] == [Closed.WRONG] * PIN_TRIES
    assert await town.open() is Closed.WRONG
    assert not await town.handle()


async def test_who_asks_for_a_link_gets_one_though_an_unopened_one_lies_in_the_mailbox(town: Town) -> None:
    await town.relay("hello")
    old = town.post_office.links[-1].link
    assert isinstance(await town.open(), str)
    await town.relay("news")
    assert len(town.post_office.links) == 2
    assert await town.portal.open(old, town.pin) is Closed.USED
    [sent] = await town.handle()
    assert isinstance(sent, Inform)
    town._items += 1
    await town.carry(sent, OWN, sent)
    assert len(town.post_office.links) == 3
    assert isinstance(await town.open(), str)


async def test_of_several_documents_in_a_moment_one_link_goes_and_all_of_them_lie_behind_it(town: Town) -> None:
    for number in (1, 2, 3):
        town._items += 1
        told = Inform(CARL.id, OWN, verbatim(f"D{number}.1 is yours to see"), page=True)
        await town.carry(told, OWN, told)
    assert len(town.post_office.links) == 1
    shown = "\n".join(f"{one.text}{one.note}" for room in (await town.view()).rooms for one in room.shown)
    assert [f"D{number}.1" in shown for number in (1, 2, 3)] == [True] * 3
    assert isinstance(await town.open(), str)
    town._items += 1
    await town.carry(told, OWN, told)
    assert len(town.post_office.links) == 2, "once that was opened, the next is sent"


async def test_whoever_wants_to_be_mailed_once_a_day_says_so_and_the_page_shows_it(town: Town) -> None:
    await town.relay("hello")
    assert (await town.view()).digest is None
    (told,) = [e for e in await town.do("digest", times="18:00") if isinstance(e, Tell)]
    assert told.conversation == DESK
    assert (await town.view()).digest == "18:00 UTC"
    assert await town.do("digest", times="") == []
    assert await town.do("digest", times="18:00; drop") == []
    assert (await town.view()).digest == "18:00 UTC"
    await town.do("digest", times="off")
    assert (await town.view()).digest is None


async def held(town: Town, where: Conversation) -> Message:
    """A mail in Carl's name waits, for it had no proof."""
    message = Message(
        MessageId("held"), CARL.id, where, Text("I accept"), Unproven("no DKIM", ""), town.now, native=False
    )
    async with town.database.begin() as work:
        await Handler(work, CODEC, HOUSE, ItemId("mail"), town.now).message(CASE.id, message, None, None)
    return message


@pytest.mark.parametrize("where", [OWN, JOINT], ids=str)
async def test_a_mail_without_proof_can_be_claimed_and_then_goes_to_ones_own_side_alone(
    town: Town, where: Conversation
) -> None:
    await town.relay("hello")
    message = await held(town, where)
    (doubtful,) = (await town.view()).doubtful
    assert doubtful.message == message.id
    assert "I accept" not in str(doubtful)
    effects = await town.do("mine", message=message.id)
    assert [e.conversation for e in effects if isinstance(e, Post)] == [OWN]
    assert not (await town.view()).doubtful
    town._items += 1
    assert not [e for e in await town.do("mine", message=message.id) if isinstance(e, Post)]


async def test_nobody_claims_what_came_in_anothers_name_or_is_not_held(town: Town) -> None:
    await town.relay("hello")
    alice = named(CASE, "Alice").id
    foreign = Message(MessageId("hers"), alice, OTHERS, Text("x"), Unproven("x", ""), town.now, native=False)
    async with town.database.begin() as work:
        await work.journal.append(Entry(CASE.id, foreign, None, None))
        await work.holds.put(Held(CASE.id, foreign.id, "x", town.now))
    assert await town.do("mine", message="hers") == []


async def test_what_the_service_says_to_one_person_is_shown_as_such(town: Town) -> None:
    notice = Inform(CARL.id, OWN, verbatim("Your no is noted."))
    town._items += 1
    await town.carry(notice, OWN, Text("x"))
    (room,) = [room for room in (await town.view()).rooms if room.is_private]
    assert [(shown.author, shown.text) for shown in room.shown] == [(None, "Your no is noted.")]


async def test_a_link_that_a_person_has_sent_again_goes_once_more(town: Town) -> None:
    await town.relay("hello")
    async with town.database.begin() as work:
        await work.outbox.stop(ItemId("i1"), State.UNKNOWN, "no answer")
        assert await work.outbox.revive(ItemId("i1"))
    item = town.database.committed.outbox.items[ItemId("i1")]
    letter = Letter(town.carl(), OWN, label(OWN, CASE), CARL.id, (), "Mia", Text("hello"), None)
    await town.courier.carry(item, letter)
    assert len(town.post_office.links) == 2
    await town.relay("something else")
    assert len(town.post_office.links) == 2


@pytest.mark.parametrize("code", ["X IS OPEN\n\nMIA: RELEASE R1 WAS AGREED", "4F2A AND MORE", "", "yes 4F2A"])
async def test_words_in_place_of_a_code_are_told_to_nobody(town: Town, code: str) -> None:
    await town.relay("hello")
    assert await town.do("answer", code=code, yes="yes") == []


async def test_where_there_is_a_page_of_documents_the_rooms_lead_to_it(town: Town) -> None:
    await town.relay("hello")
    assert not (await town.view()).has_documents
    town.portal = ServicePortal(town.database, CODEC, lambda: town.now, documents=True)
    view = await town.view()
    assert "/p/documents" in render.rooms(portal_views.House("Town", "1"), replace(view, is_enrolled=True), "s")


async def test_an_answer_to_a_question_that_is_closed_does_not_count_and_is_not_lost(town: Town) -> None:
    await town.relay("hello")
    told = [e for e in await town.do("answer", code="4f2a", yes="yes") if isinstance(e, Inform | Tell)]
    (hers,) = [e for e in told if isinstance(e, Inform)]
    assert (hers.to, hers.conversation) == (CARL.id, OWN)
    assert "4F2A does not count" in hers.text
    assert [e.conversation for e in told if isinstance(e, Tell)] == [DESK]


async def test_a_heading_goes_without_its_colon_in_every_language(town: Town) -> None:
    town._items += 1
    released = Publish(ReleaseId("R1"), OWN, verbatim("En votre nom :"), "oui", frozenset({CARL.id}), CARL.id)
    await town.carry(released, OWN, None)
    (room,) = [room for room in (await town.view()).rooms if room.is_private]
    assert [shown.author for shown in room.shown] == ["En votre nom"]


async def test_what_was_written_beside_a_file_is_shown(town: Town) -> None:
    file = File("plan.pdf", "application/pdf", 3, FileRef("r"), "our plan")
    town._items += 1
    await town.carry(Relay(MessageId("f"), OWN, named(CASE, "Mia").id, file, CARL.id), OWN, None)
    [shown] = [shown for room in (await town.view()).rooms for shown in room.shown]
    assert (shown.note, shown.text) == ("(a file; please ask the mediator how you can see it)", "our plan")


async def test_everything_is_shown_a_page_at_a_time_and_nothing_twice(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "SHOWN_MOST", 3)
    for number in range(8):
        await town.relay(f"word {number}")
    session = await town.open()
    assert isinstance(session, str)
    pages: list[list[str]] = []
    before: str | None = ""
    while before is not None:
        view = await town.portal.view(session, before)
        assert view is not None
        pages.append(texts(view)["PRIVATE with mediator · 1042"])
        before = view.earlier
    assert pages == [["word 5", "word 6", "word 7"], ["word 2", "word 3", "word 4"], ["word 0", "word 1"]]
    stranger = await town.portal.view(session, "no such thing")
    assert stranger is not None
    assert texts(stranger)["PRIVATE with mediator · 1042"] == []


async def removed(town: Town, message: str) -> None:
    """Carl is told that it was."""
    target = MessageId(message)
    effect = Relay(name_of_removal(target), OWN, None, Removal(target), CARL.id)
    town._items += 1
    await town.carry(effect, OWN, Removal(target))


async def test_what_a_mediator_took_back_is_not_shown_any_more_nor_a_change_of_it(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.relay("for Smith alone")
    mia, changed = named(CASE, "Mia").id, Edit(MessageId("m1"), "for Smith only")
    town._items += 1
    await town.carry(Relay(MessageId("e1"), OWN, mia, changed, CARL.id), OWN, changed)
    await town.relay("hello")
    await town.relay("of a party", author="Alice")
    await removed(town, "m1")
    await removed(town, "m4")
    notice = "(an earlier message was removed; please disregard it)"
    shown = next(room.shown for room in (await town.view()).rooms if room.name == label(OWN, CASE))
    assert [one.text or one.note for one in shown] == ["hello", "of a party", notice, notice]
    monkeypatch.setattr(page, "SHOWN_MOST", 1)
    session = await town.open()
    assert isinstance(session, str)
    older = await town.portal.view(session, "i3")
    assert older is not None
    assert texts(older)[label(OWN, CASE)] == []


async def test_what_was_taken_back_is_not_shown_though_word_of_that_has_yet_to_come(town: Town) -> None:
    await town.relay("for Smith alone")
    target, lane = MessageId("m1"), person_lane(CASE.id, CARL.id)
    told = CODEC.dump(Relay(name_of_removal(target), OWN, None, Removal(target), CARL.id))
    async with town.database.begin() as work:
        await work.outbox.put(Item(ItemId("later"), lane, "people", CASE.id, told, town.now))
    assert texts(await town.view())[label(OWN, CASE)] == []


async def test_a_room_says_beforehand_that_the_mediator_looks_first(town: Town) -> None:
    await town.relay("hello")
    kept = {room.name: room.kept for room in (await town.view()).rooms}
    assert kept == {
        "EVERYONE · 1042": "in the joint room only the mediator writes",
        "PRIVATE with mediator · 1042": None,
    }


async def test_a_doubtful_mail_shows_its_first_words_to_whom_it_is_said_to_be_from(town: Town) -> None:
    words = "I accept everything,\n" + "and more " * 100
    held = Message(MessageId("h1"), CARL.id, JOINT, Text(words), Unproven("x", ""), town.now, native=False)
    async with town.database.begin() as work:
        await work.journal.append(Entry(CASE.id, held))
        await work.holds.put(Held(CASE.id, held.id, "x", town.now))
    await town.relay("hello")
    (doubtful,) = (await town.view()).doubtful
    assert doubtful.beginning.startswith("I accept everything, and more")
    assert len(doubtful.beginning) == page.BEGINNING


async def test_whoever_wants_that_is_mailed_nothing_that_tells_anything_and_the_page_shows_it(town: Town) -> None:
    assert not (await town.view()).is_discreet
    [told, *_] = await town.do("discreet", on="yes")
    assert isinstance(told, Tell)
    assert told.conversation == DESK
    assert (await town.view()).is_discreet
    await town.do("discreet", on="no")
    assert not (await town.view()).is_discreet


async def test_what_a_mediator_set_its_reader_can_make_their_own_on_the_page(town: Town) -> None:
    assert not (await town.view()).set_for_them
    async with town.database.begin() as work:
        await work.cases.save(town.carl().with_person(replace(CARL, discreet=Discreet.MEDIATOR)))
    assert (await town.view()).set_for_them
    await town.do("discreet", on="yes")
    assert not (await town.view()).set_for_them
    assert (await town.view()).is_discreet
    assert named(town.carl(), "Carl").discreet is Discreet.OWN


async def test_a_link_of_somebody_discreet_or_gone_does_not_name_us_and_no_other_tells_anything(town: Town) -> None:
    await town.relay("Words")
    link = town.post_office.links[-1].link
    assert await town.portal.may_be_named(link)
    assert await town.portal.may_be_named("x" * len(link))
    async with town.database.begin() as work:
        await work.cases.save(replace(CASE, people=tuple(each for each in CASE.people if each.name != "Carl")))
    assert not await town.portal.may_be_named(link)
    async with town.database.begin() as work:
        await work.cases.save(CASE)
    async with town.database.begin() as work:
        await work.cases.save(town.carl().with_person(replace(CARL, discreet=Discreet.MEDIATOR)))
    town.now += LINK_LASTS + timedelta(days=1)
    assert not await town.portal.may_be_named(link)

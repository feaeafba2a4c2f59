"""Mails leave once, and say afterwards what is known of them; mails that come are believed only with proof."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from appservice.codec import JsonCodec
from appservice.mail import courier
from appservice.mail.courier import MailCourier, Sender
from appservice.mail.reader import MailReader
from appservice.mail.reports import ReportReader
from appservice.mail.stored import StoredMail
from appservice.storage.errors import DatabaseUnavailable
from appservice.worker import End, Finished, Park
from bridges.email.api import Accepted, MailServer, Refused, Security, SendResult
from bridges.email.convert_in import likeness, mail_identity
from bridges.email.ids import BounceToken, message_id, parse_recipient, token_hash
from bridges.unsent import NotSent, Unknown
from policies.case import DESK, JOINT, Case, Closing, Conversation, Endpoint, EndpointId, Phase
from policies.effects import AskWhose, Inform, Pose, Post, Relay, Tell
from policies.message import Content, Edit, File, FileRef, Reaction, Removal, Text
from policies.moderation.guard import grams
from policies.networks.mail import MailState
from policies.networks.states import MessageState
from policies.plan import label
from policies.words.phrase import verbatim
from rooms.addresses import ReplyAddress
from rooms.homeserver import Trouble
from rooms.house import House
from rooms.letters import Letter
from rooms.mails import SentMail
from rooms.marks import Mark
from rooms.outcome import Outcome, Sent, Unanswered
from rooms.ports import Entry
from rooms.queue import Item, ItemId, Lane, State
from rooms.shown import mails_text
from tests.bridges.email.builders import ADDRESS, OWN_DOMAIN, PASSED, TOKEN, TRUST, mail, parsed
from tests.bridges.email.test_reports import BLOCK, dsn
from tests.fakes.memory import MemoryDatabase
from tests.fakes.post_office import PostOffice
from tests.policies.builders import both_sides, caucus_of, done, facts, message, named

SENDER = Sender("Town Mediation", "+1 555 0100", OWN_DOMAIN, "https://mediation.example.org")
HOUSE = House("example.org", "_mediatrix_", OWN_DOMAIN, {})
CODEC = JsonCodec()
CASE = both_sides()
CARL = named(CASE, "Carl")
OWN = caucus_of(CASE, "Jones")
AT = datetime(2026, 1, 5, tzinfo=UTC)


class Desk:
    """A case, a mail server, and somebody who carries and reads."""

    def __init__(self) -> None:
        self.database, self.post_office = MemoryDatabase(), PostOffice()
        server = MailServer("127.0.0.1", 25, Security.NONE)
        self.courier = MailCourier(self.database, server, SENDER)
        self.reader = MailReader(self.database, CODEC, HOUSE, TRUST, settle=timedelta())

    async def carry(
        self,
        content: Content | AskWhose | Inform | None = None,
        where: Conversation = JOINT,
        item: str = "i1",
        case: Case = CASE,
    ) -> Outcome:
        """Carry a letter to Carl, as an item of the outbox."""
        async with self.database.begin() as work:
            await work.outbox.put(Item(ItemId(item), Lane("l"), "people", CASE.id, b"x", AT))
        stored = self.database.committed.outbox.items[ItemId(item)]
        letter = Letter(case, where, label(where, case), CARL.id, (), "Alice", content, None)
        return await self.courier.carry(stored, letter)

    async def address(self, where: Conversation) -> None:
        """Carl's address for a room is the one of the builders."""
        async with self.database.begin() as work:
            address = ReplyAddress(CASE.id, CARL.id, CARL.endpoint.id, where, TOKEN.value)
            await work.addresses.save(address, token_hash(TOKEN))

    async def receive(
        self, raw: bytes, *, recipients: int = 1, envelope_from: str = "carl@example.net", to: str = ADDRESS
    ) -> Item:
        """A mail is in the inbox."""
        token = parse_recipient(to, OWN_DOMAIN)
        assert token is not None
        identity, same = mail_identity(token_hash(token), raw)
        body = StoredMail(token_hash(token), envelope_from, same, recipients, raw).dump()
        item = Item(ItemId(identity[-40:]), Lane("case:1042"), "mail", CASE.id, body, AT)
        async with self.database.begin() as work:
            await work.inbox.put(item)
        return item

    def effects(self) -> list[object]:
        items = self.database.committed.outbox.items.values()
        return [CODEC.load(item.body) for item in items if item.body != b"x"]

    def posts(self) -> list[Post]:
        return [effect for effect in self.effects() if isinstance(effect, Post)]

    def why_held(self) -> list[str]:
        return [held.why for held in self.database.committed.holds.values()]


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk()
    monkeypatch.setattr(courier, "send", desk.post_office.send)
    async with desk.database.begin() as work:
        await work.cases.save(CASE)
    return desk


# --- out


async def test_a_mail_is_sent_from_its_rooms_own_address_and_nothing_else_shows_who_is_asked(desk: Desk) -> None:
    own = caucus_of(CASE, "Jones")
    await desk.carry(Text("hello"), JOINT, "i1")
    await desk.carry(Text("hello"), own, "i2")
    await desk.carry(Text("again"), JOINT, "i3")
    joint, private, again = desk.post_office.mailbox("carl@example.net")
    assert joint.reply_address == again.reply_address != private.reply_address
    assert (joint.subject, private.subject) == ("EVERYONE · 1042", "PRIVATE with mediator · 1042")
    assert len({joint.message_id, private.message_id, again.message_id}) == 3
    pauses = [str(parsed(sent.raw)["List-Unsubscribe"]) for sent in desk.post_office.taken]
    assert all(re.fullmatch(r"<https://mediation\.example\.org/p/[\w-]+/pause>", each) for each in pauses)
    assert len(set(pauses)) == 3


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (Text("hello"), "| hello"),
        (Edit(None, "new words"), "| new words"),
        (None, "Town Mediation invites you"),
        (Removal(None), "removed"),
        (File("secret name.pdf", "a/b", 3, FileRef("{}")), "file"),
    ],
)
async def test_each_kind_of_letter_can_be_read(desk: Desk, content: Content | None, shown: str) -> None:
    assert isinstance(await desk.carry(content), Sent)
    (found,) = desk.post_office.delivered
    assert shown in found.text
    assert "secret name" not in found.text


async def test_the_mediator_sees_of_each_mail_for_which_room_it_was_and_whose_and_no_word_of_it(desk: Desk) -> None:
    await desk.carry(Text("hello"), JOINT, "i1")
    await desk.carry(None, OWN, "i2")
    desk.post_office.verdicts = [Unknown("silence")]
    await desk.carry(Edit(None, "better words"), JOINT, "i3")
    async with desk.database.begin() as work:
        lines = (await mails_text(work, CASE, CARL.id)).splitlines()
    assert [line.partition("UTC: ")[2] for line in lines[-3:]] == [
        "perhaps sent (no answer) (silence) – EVERYONE · 1042: a correction by Alice",
        "sent (queued) – PRIVATE with mediator · 1042 (Jones): the first letter",
        "sent (queued) – EVERYONE · 1042: words of Alice",
    ]


async def test_what_is_on_the_page_alone_goes_as_a_link_even_to_whoever_gets_words_by_mail(desk: Desk) -> None:
    await desk.carry(Inform(CARL.id, OWN, verbatim("D1.1 is on your page"), page=True))
    await desk.carry(Inform(CARL.id, OWN, verbatim("what else is said")), item="i2")
    [link], [words] = desk.post_office.links, desk.post_office.delivered
    assert "D1.1" not in link.everything
    assert "what else is said" in words.text
    async with desk.database.begin() as work:
        assert await work.shelf.link(link.link)
        laid = await work.shelf.laid_for(CASE.id, CARL.id, 9, None)
    assert [one.item for one in laid] == ["i1", "i2"]


async def test_a_mail_of_which_nothing_could_be_noted_counts_as_sent_only_if_it_left(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wrong(*_: object) -> None:
        raise DatabaseUnavailable("the disk is full")

    monkeypatch.setattr(MailCourier, "_note", wrong)
    assert isinstance(await desk.carry(Text("hello")), Sent)
    desk.post_office.verdicts.append(NotSent("down"))
    with pytest.raises(DatabaseUnavailable):
        await desk.carry(Text("hello"), item="i2")


async def test_what_mail_cannot_carry_is_refused_and_has_not_left(desk: Desk) -> None:
    with pytest.raises(Trouble) as caught:
        await desk.carry(Reaction(None, "x"))
    assert not caught.value.transient
    assert not desk.database.committed.outbox.items[ItemId("i1")].sending


@pytest.mark.parametrize(
    ("verdict", "transient"),
    [
        (NotSent("no connection"), True),
        (Refused(451, False, "later"), True),
        (Refused(550, True, "no such user"), False),
    ],
)
async def test_a_no_is_tried_again_only_if_it_is_not_for_good(desk: Desk, verdict: SendResult, transient: bool) -> None:
    desk.post_office.verdicts = [verdict]
    with pytest.raises(Trouble) as caught:
        await desk.carry(Text("hello"))
    assert caught.value.transient is transient


async def test_silence_is_unknown_and_never_repeated(desk: Desk) -> None:
    desk.post_office.verdicts = [Unknown("no answer"), Accepted("yes")]
    assert isinstance(await desk.carry(Text("hello")), Unanswered)
    assert isinstance(await desk.carry(Text("hello")), Unanswered)
    assert not desk.post_office.delivered


async def test_a_mail_whose_sending_was_interrupted_is_not_sent_again(desk: Desk) -> None:
    await desk.carry(Text("hello"))
    assert desk.database.committed.outbox.items[ItemId("i1")].sending
    assert isinstance(await desk.carry(Text("hello")), Unanswered)
    assert len(desk.post_office.delivered) == 1


async def test_a_question_says_how_and_by_when_it_is_answered_as_its_reader_says_it(desk: Desk) -> None:
    case = done(done(CASE, "!timezone Carl America/New_York").case, "!language Carl de").case
    pose = Pose(
        CARL.id, OWN, "4F2A", verbatim("Does Thursday suit you?"), "Thursday", verbatim("So."), AT, of_the_case=True
    )
    async with desk.database.begin() as work:
        await work.outbox.put(Item(ItemId("q1"), Lane("l"), "people", CASE.id, b"x", AT))
    letter = Letter(case, OWN, label(OWN, case), CARL.id, (), None, pose, None)
    await desk.courier.carry(desk.database.committed.outbox.items[ItemId("q1")], letter)
    [mail] = desk.post_office.mailbox("carl@example.net")
    shown = " ".join(mail.text.replace("|", "").split())
    assert "04.01.2026, 19:00 (New York, UTC-5)" in shown
    assert "„ja 4F2A“ oder „nein 4F2A“" in shown


# --- in


@pytest.mark.parametrize("where", [JOINT, caucus_of(CASE, "Jones")], ids=str)
async def test_a_proven_reply_is_posted_where_its_address_says(desk: Desk, where: Conversation) -> None:
    await desk.address(where)
    assert await desk.reader.read(await desk.receive(mail("hello", PASSED))) == Finished()
    (post,) = desk.posts()
    assert (post.conversation, post.author, post.content) == (where, CARL.id, Text("hello"))
    assert not desk.why_held()


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (mail("hello"), "no Authentication-Results of ours"),
        (mail("hello", PASSED, sender="eve@example.net"), "another address than the one on record"),
        (mail("hello", PASSED, to="r.zyxwvutsrqponmlkjihgfedcb7@reply.example.org"), "addressed to others"),
        (mail("> what somebody said\n", PASSED), "quote"),
        (mail("", PASSED), "no words"),
    ],
)
async def test_what_is_not_certain_is_held_and_posted_nowhere(desk: Desk, raw: bytes, why: str) -> None:
    await desk.address(JOINT)
    await desk.reader.read(await desk.receive(raw))
    assert not desk.posts()
    assert not [effect for effect in desk.effects() if isinstance(effect, Relay)]
    (held,) = desk.why_held()
    assert why in held


async def test_the_mailbox_on_record_is_asked_whose_an_unproven_mail_was_once_a_day_and_without_a_word_of_it(
    desk: Desk,
) -> None:
    await desk.address(JOINT)
    for number in range(3):
        raw = mail("I accept 4711", sender="eve@example.net").replace(b"<1@", b"<%d@" % number)
        await desk.reader.read(await desk.receive(raw))
    (asked,) = [effect for effect in desk.effects() if isinstance(effect, AskWhose)]
    assert asked.to == CARL.id
    await desk.carry(asked)
    (link,) = desk.post_office.links
    assert link.to == "carl@example.net"
    assert not {"4711", "eve@example.net", "EVERYONE", "1042", "Carl"} & set(link.everything.split())
    assert link.link


async def test_who_wrote_what_can_not_be_posted_learns_why_and_what_would_work(desk: Desk) -> None:
    await desk.address(JOINT)
    await desk.reader.read(await desk.receive(mail("> what somebody said\n", PASSED)))
    (told,) = [effect for effect in desk.effects() if isinstance(effect, Inform)]
    assert (told.to, told.conversation) == (CARL.id, OWN)
    assert "was not posted" in told.text
    assert "what somebody said" not in told.text


async def test_what_quotes_something_unknown_stands_in_its_authors_own_room_who_is_asked_about_just_these_words(
    desk: Desk,
) -> None:
    await desk.address(JOINT)
    await desk.reader.read(await desk.receive(mail("I accept 4711.\n\n> what somebody said\n", PASSED)))
    (post,) = desk.posts()
    assert (post.conversation, post.author, post.content) == (OWN, CARL.id, Text("I accept 4711."))
    (asked,) = [effect for effect in desk.effects() if isinstance(effect, Pose)]
    assert (asked.to, asked.conversation, asked.words) == (CARL.id, OWN, "I accept 4711.")
    assert "was not posted there" in asked.title
    (why,) = desk.why_held()
    assert "quote" in why
    entries = {entry.message.id: entry.message for entry in desk.database.committed.journal.values()}
    assert (entries[post.message].conversation, entries[post.message].content) == (OWN, Text("I accept 4711."))
    assert any("what somebody said" in str(message.content) for message in entries.values())
    said = "\n".join(effect.text for effect in desk.effects() if isinstance(effect, Tell))
    assert "4711" not in said


async def test_a_quote_of_lines_that_we_sent_is_no_doubt_even_without_the_anchor(desk: Desk) -> None:
    await desk.carry(Text("Would you take the garden, and when?"), JOINT)
    (letter,) = desk.post_office.delivered
    quoted = mail("In June.\n\n> | Would you take the garden, and when?\n", PASSED, to=letter.reply_address)
    await desk.reader.read(await desk.receive(quoted, to=letter.reply_address))
    (post,) = desk.posts()
    assert (post.conversation, post.content) == (JOINT, Text("In June."))
    foreign = mail("No.\n\n> | Would you take the house?\n", PASSED, to=letter.reply_address)
    await desk.reader.read(await desk.receive(foreign.replace(b"<1@", b"<2@"), to=letter.reply_address))
    assert [post.conversation for post in desk.posts()] == [JOINT, OWN]


async def test_what_repeats_the_private_room_is_not_posted_to_all_however_it_got_into_the_mail(desk: Desk) -> None:
    secret = "At the very worst we take forty thousand"
    async with desk.database.begin() as work:
        await work.echoes.note(CASE.id, OWN.id, grams(secret))
    await desk.address(JOINT)
    await desk.reader.read(await desk.receive(mail(f"See this:\n{secret}", PASSED)))
    assert [post.conversation for post in desk.posts()] == [OWN]
    assert desk.why_held() == ["words in it stand in a private room, too"]
    again = mail(f"Once more:\n{secret}", PASSED).replace(b"<1@", b"<2@")
    await desk.reader.read(await desk.receive(again))
    assert [post.conversation for post in desk.posts()] == [OWN, OWN], "what was not posted is no public word"
    fine = mail("We take something else", PASSED).replace(b"<1@", b"<3@")
    await desk.reader.read(await desk.receive(fine))
    assert [post.conversation for post in desk.posts()] == [OWN, OWN, JOINT]


async def test_the_words_of_another_sides_room_stop_nobody_which_would_tell_that_they_were_said(desk: Desk) -> None:
    guess = "At the very worst we take forty thousand"
    async with desk.database.begin() as work:
        await work.echoes.note(CASE.id, caucus_of(CASE, "Smith").id, grams(guess))
    await desk.address(JOINT)
    await desk.reader.read(await desk.receive(mail(guess, PASSED)))
    assert [post.conversation for post in desk.posts()] == [JOINT]


async def test_one_mail_to_two_of_our_addresses_is_held(desk: Desk) -> None:
    await desk.address(JOINT)
    await desk.reader.read(await desk.receive(mail("hello", PASSED), recipients=2))
    assert desk.why_held() == ["it was sent to several of our addresses at once"]


async def test_what_was_made_out_is_kept_whatever_is_wrong(desk: Desk) -> None:
    await desk.address(JOINT)
    raw = mail("my words", PASSED, to="r.zyxwvutsrqponmlkjihgfedcb7@reply.example.org")
    await desk.reader.read(await desk.receive(raw, recipients=2))
    (entry,) = desk.database.committed.journal.values()
    assert "my words" in str(entry.message.content)


async def test_the_same_message_id_with_other_words_is_held(desk: Desk) -> None:
    await desk.address(JOINT)
    await desk.reader.read(await desk.receive(mail("first", PASSED)))
    await desk.reader.read(await desk.receive(mail("second", PASSED)))
    assert len(desk.posts()) == 1
    assert desk.why_held() == ["another mail came under the same Message-ID"]


@pytest.mark.parametrize("where", [JOINT, caucus_of(CASE, "Jones")], ids=str)
async def test_a_storm_of_automatic_replies_is_said_once_a_day_in_private_and_answered_by_nothing(
    desk: Desk, where: Conversation
) -> None:
    await desk.address(where)
    for number in range(20):
        raw = mail("I am away until Monday.", PASSED, "Auto-Submitted: auto-replied", f"X-Number: {number}")
        await desk.reader.read(await desk.receive(raw.replace(b"<1@", b"<%d@" % number)))
    await desk.reader.read(await desk.receive(mail("away", PASSED), envelope_from=""))
    told = [effect for effect in desk.effects() if isinstance(effect, Tell)]
    assert {tell.conversation for tell in told} == {caucus_of(CASE, "Jones"), DESK}
    assert len(told) == 2
    assert all("automatic reply" in tell.text and "Monday" not in tell.text for tell in told)
    assert not desk.posts()
    assert not desk.why_held()
    assert not [effect for effect in desk.effects() if isinstance(effect, Relay)]


async def test_the_mail_itself_is_kept_as_it_came(desk: Desk) -> None:
    await desk.address(JOINT)
    raw = mail("hello", PASSED)
    await desk.reader.read(await desk.receive(raw))
    assert list(desk.database.committed.raw_mails.values()) == [raw]


async def test_of_a_closed_case_nothing_is_kept_as_it_came_once_its_time_is_over(desk: Desk) -> None:
    await desk.address(OWN)
    over = replace(CASE, phase=Phase.CLOSED, closing=Closing(AT, AT, expired=False, destroyed=True))
    async with desk.database.begin() as work:
        await work.cases.save(over)
    raw = mail("Too late.", PASSED)
    assert await desk.reader.read(await desk.receive(raw)) == Finished()
    automatic = mail("I am away.", PASSED, "Auto-Submitted: auto-replied")
    assert await desk.reader.read(await desk.receive(automatic)) == Finished()
    assert desk.database.committed.raw_mails == {}


async def test_a_letter_of_a_case_whose_addresses_have_expired_opens_none(desk: Desk) -> None:
    expired = replace(CASE, phase=Phase.CLOSED, closing=Closing(AT, AT, expired=True))
    async with desk.database.begin() as work:
        await work.cases.save(expired)
    await desk.carry(Inform(CARL.id, OWN, verbatim("The mediation is closed.")), OWN, case=expired)
    assert [bool(parse_recipient(sent.reply_address, OWN_DOMAIN)) for sent in desk.post_office.delivered] == [True]
    assert desk.database.committed.addresses == {}
    await desk.carry(Inform(CARL.id, OWN, verbatim("It goes on.")), OWN, item="i2")
    assert len(desk.database.committed.addresses) == 1


async def test_a_mail_to_all_waits_whether_it_comes_to_another_address_too(desk: Desk) -> None:
    await desk.address(JOINT)
    at = [AT]
    reader = MailReader(desk.database, CODEC, HOUSE, TRUST, settle=timedelta(seconds=15), clock=lambda: at[0])
    item = await desk.receive(mail("for both", PASSED))
    fate = await reader.read(item)
    assert isinstance(fate, Park)
    assert fate.at_most == timedelta(seconds=15)
    async with desk.database.begin() as work:  # the other delivery of the same mail
        await work.mails.arrived([("hash of another address", likeness(mail("for both", PASSED)))])
    at[0] += timedelta(seconds=15)
    assert await reader.read(item) == Finished()
    assert not desk.posts()
    assert desk.why_held() == ["it was sent to several of our addresses at once"]


async def test_after_a_standstill_a_mail_to_all_waits_until_the_mailbox_was_looked_at_for_its_other_copy(
    desk: Desk,
) -> None:
    await desk.address(JOINT)
    later, settle, every = AT + timedelta(days=1), timedelta(seconds=75), timedelta(seconds=60)
    reader = MailReader(
        desk.database,
        CODEC,
        HOUSE,
        TRUST,
        settle=settle,
        fetched_every=every,
        clock=lambda: later,
    )
    item = await desk.receive(mail("for both", PASSED))
    for seen in (None, AT, AT + settle - every - timedelta(seconds=1)):
        if seen:
            async with desk.database.begin() as work:  # by this process, or another
                await work.mails.note_look(seen)
        fate = await reader.read(item)
        assert isinstance(fate, Park)
        assert fate.at_most is not None
        assert fate.at_most <= timedelta(seconds=1)
    async with desk.database.begin() as work:
        await work.mails.note_look(AT + settle - every)
    assert await reader.read(item) == Finished()
    assert [post.content for post in desk.posts()] == [Text("for both")]


async def test_a_mail_to_all_does_not_overtake_an_earlier_one_that_is_about_to_be_ready(desk: Desk) -> None:
    await desk.address(JOINT)
    at = [AT]
    reader = MailReader(desk.database, CODEC, HOUSE, TRUST, settle=timedelta(seconds=15), clock=lambda: at[0])
    first = await desk.receive(mail("first", PASSED))
    fate = await reader.read(first)
    assert isinstance(fate, Park)
    async with desk.database.begin() as work:
        await work.inbox.park(first.id, fate.key, AT + timedelta(seconds=15), fate.why)
    received = await desk.receive(mail("second", PASSED).replace(b"<1@", b"<2@"))
    async with desk.database.begin() as work:
        second = await work.inbox.get(received.id)
    assert second is not None
    at[0] += timedelta(seconds=16)
    waits = await reader.read(second)
    assert isinstance(waits, Park)
    async with desk.database.begin() as work:
        await work.inbox.wake(fate.key)
    # Whoever works on the second had leased the lane before the first was ready again.
    assert isinstance(await reader.read(second), Park)
    assert await reader.read(first) == Finished()
    assert await reader.read(second) == Finished()
    assert [post.content for post in desk.posts()] == [Text("first"), Text("second")]


async def test_a_mail_to_ones_own_side_waits_for_nothing_and_a_mail_like_it_is_another(desk: Desk) -> None:
    own = caucus_of(CASE, "Jones")
    await desk.address(own)
    reader = MailReader(desk.database, CODEC, HOUSE, TRUST, settle=timedelta(seconds=15), clock=lambda: AT)
    other = mail("Yes.", PASSED, "Date: Mon, 5 Jan 2026 10:00:00 +0000").replace(b"<1@", b"<2@")
    async with desk.database.begin() as work:
        await work.mails.arrived([("other", likeness(other))])
    assert await reader.read(await desk.receive(mail("Yes.", PASSED))) == Finished()
    assert [post.conversation for post in desk.posts()] == [own]


async def test_a_mail_of_somebody_who_just_left_is_kept_where_a_person_sees_it(desk: Desk) -> None:
    await desk.address(JOINT)
    item = await desk.receive(mail("hello", PASSED))
    gone: Case = done(CASE, "!party remove Carl", facts(None)).case
    async with desk.database.begin() as work:
        await work.cases.save(gone)
    fate = await desk.reader.read(item)
    assert isinstance(fate, End)
    assert fate.state is State.DEAD
    assert not desk.database.committed.journal


# --- reports


async def bounced(desk: Desk, raw: bytes, *, then: Case | None = None) -> SentMail:
    """Carl got a mail, and a report about it comes."""
    await desk.carry(Text("hello"))
    (sent,) = desk.database.committed.sent_mails.values()
    if then:
        async with desk.database.begin() as work:
            await work.cases.save(then)
    body = StoredMail(sent.bounce_hash, "", "same", 1, raw).dump()
    item = Item(ItemId("report"), Lane("case:1042"), "mail.report", CASE.id, body, AT)
    async with desk.database.begin() as work:
        await work.inbox.put(item)
    assert await ReportReader(desk.database, CODEC, HOUSE).read(item) == Finished()
    return desk.database.committed.sent_mails[sent.bounce_hash]


@pytest.mark.parametrize(
    ("where", "shown"), [(OWN, [MessageState.FAILED]), (JOINT, [])], ids=["in private", "in the joint room"]
)
async def test_that_words_came_back_is_shown_beside_them_in_their_private_room_alone(
    desk: Desk, where: Conversation, shown: list[MessageState]
) -> None:
    words = message(CASE, "Mia", where)
    async with desk.database.begin() as work:
        await work.journal.append(Entry(CASE.id, words))
        await work.journal.link_mail(CASE.id, words.id, message_id("i1", OWN_DOMAIN))
    await bounced(desk, dsn(BLOCK.format(action="failed", status="5.1.1")))
    effects = desk.effects()
    assert [mark.state for mark in effects if isinstance(mark, Mark)] == shown
    told = [e.text for e in effects if isinstance(e, Tell) and e.conversation == OWN]
    assert [text.startswith("Not delivered to Carl by mail.") for text in told] == [True] * len(shown)
    assert not [e for e in effects if isinstance(e, Tell) and e.conversation == JOINT]


def channel(desk: Desk) -> Endpoint:
    """Carl's channel now."""
    return named(desk.database.committed.cases[CASE.id], "Carl").endpoint


async def test_each_mail_has_a_return_address_of_its_own(desk: Desk) -> None:
    await desk.carry(Text("hello"), item="i1")
    await desk.carry(Text("hello"), item="i2")
    first, second = desk.post_office.envelopes
    assert first != second
    for sent, state in zip((first, second), desk.database.committed.sent_mails.values(), strict=True):
        token = parse_recipient(sent, OWN_DOMAIN)
        assert isinstance(token, BounceToken)
        assert token_hash(token) == state.bounce_hash
        assert state.state is MailState.ACCEPTED


async def test_a_mail_that_comes_back_for_good_stops_the_channel_and_tells_the_desk(desk: Desk) -> None:
    known = await bounced(desk, dsn(BLOCK.format(action="failed", status="5.1.1")))
    assert (known.state, known.detail) == (MailState.FAILED, "5.1.1")
    assert channel(desk).stopped == "a mail came back (5.1.1)"
    (told,) = [effect for effect in desk.effects() if isinstance(effect, Tell)]
    assert told.conversation == DESK
    assert not desk.posts()


@pytest.mark.parametrize(
    ("action", "status", "state"),
    [
        ("failed", "4.4.7", MailState.FAILED),
        ("delayed", "4.0.0", MailState.DELAYED),
        ("delivered", "2.0.0", MailState.DELIVERED),
    ],
)
async def test_any_other_report_stops_nothing(desk: Desk, action: str, status: str, state: MailState) -> None:
    assert (await bounced(desk, dsn(BLOCK.format(action=action, status=status)))).state is state
    assert channel(desk).stopped is None


async def test_what_is_no_report_changes_nothing(desk: Desk) -> None:
    known = await bounced(desk, mail("I accept the offer! 5.1.1 failed", PASSED))
    assert known.state is MailState.ACCEPTED
    assert channel(desk).stopped is None
    assert not desk.posts()
    assert not desk.database.committed.journal


async def test_a_report_about_an_address_that_was_changed_since_stops_nothing(desk: Desk) -> None:
    moved = replace(CARL, endpoint=replace(CARL.endpoint, id=EndpointId("e99"), address="carl@example.com"))
    await bounced(desk, dsn(BLOCK.format(action="failed", status="5.1.1")), then=CASE.with_person(moved))
    assert channel(desk).stopped is None


def test_a_stored_mail_is_read_as_it_was_stored() -> None:
    stored = StoredMail("hash", "carl@example.net", "same", 2, b"\x00\xff\nbody\n")
    assert StoredMail.load(stored.dump()) == stored

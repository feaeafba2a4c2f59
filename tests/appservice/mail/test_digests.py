"""One mail of several: it leaves once, and what became of it became of everything in it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from appservice.mail import courier
from appservice.mail.reports import ReportReader
from appservice.mail.stored import StoredMail
from appservice.worker import Finished
from bridges.email.api import Refused
from bridges.unsent import NotSent, Unknown
from policies.case import DESK, JOINT, Conversation
from policies.effects import Tell
from policies.message import Content, Edit, File, FileRef, MessageId, Text
from policies.networks.states import MessageState
from policies.plan import label
from rooms.homeserver import Trouble
from rooms.letters import Enclosed, Letter
from rooms.mails import SentMail
from rooms.marks import Mark
from rooms.outcome import Cancelled, Outcome, Sent, Unanswered
from rooms.ports import Entry
from rooms.queue import Item, ItemId, Lane, State
from rooms.shown import mails_text
from tests.appservice.mail.test_courier_and_reader import AT, CARL, CASE, CODEC, HOUSE, OWN, Desk
from tests.bridges.email.builders import PASSED, mail
from tests.bridges.email.test_reports import BLOCK, dsn
from tests.fakes.memory import MemoryMailLedger
from tests.policies.builders import message


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk()
    monkeypatch.setattr(courier, "send", desk.post_office.send)
    async with desk.database.begin() as work:
        await work.cases.save(CASE)
        for number in range(1, 4):
            at = AT + timedelta(hours=number)
            await work.outbox.put(Item(ItemId(f"i{number}"), Lane("l"), "people", CASE.id, b"x", at))
    return desk


def item(desk: Desk, number: int) -> Item:
    return desk.database.committed.outbox.items[ItemId(f"i{number}")]


def letter(number: int) -> Letter:
    text = Text(f"words {number}")
    return Letter(CASE, JOINT, label(JOINT, CASE), CARL.id, (), "Alice", text, MessageId(f"m{number}"))


async def carry(desk: Desk, number: int, *more: int) -> Outcome:
    """Carry one letter, with others in it."""
    enclosed = tuple(Enclosed(item(desk, other), letter(other)) for other in more)
    return await desk.courier.carry(item(desk, number), replace(letter(number), more=enclosed))


async def test_several_are_one_mail_in_their_order_each_with_its_time_and_all_of_them_are_sent(desk: Desk) -> None:
    assert isinstance(await carry(desk, 1, 2, 3), Sent)
    for number in (2, 3):
        assert isinstance(await carry(desk, number), Sent)
    (found,) = desk.post_office.mailbox("carl@example.net")
    places = [found.text.index(f"2026-01-05 0{n}:00 UTC\nAlice wrote\n| words {n}") for n in (1, 2, 3)]
    assert places == sorted(places)
    async with desk.database.begin() as work:
        shelf = await work.shelf.laid_for(CASE.id, CARL.id, 9)
    assert [laid.item for laid in shelf] == ["i1", "i2", "i3"], "the page has them, too"


async def test_an_answer_to_it_is_cut_like_every_other(desk: Desk) -> None:
    await carry(desk, 1, 2)
    (sent,) = desk.post_office.delivered
    quote = "\n".join(f"> {line}".rstrip() for line in sent.text.splitlines())
    raw = mail(f"Agreed to both.\n\nOn Monday {sent.subject} wrote:\n\n{quote}\n", PASSED, to=sent.reply_address)
    await desk.reader.read(await desk.receive(raw, to=sent.reply_address))
    assert [(post.conversation, post.content) for post in desk.posts()] == [(JOINT, Text("Agreed to both."))]


@pytest.mark.parametrize("verdict", [NotSent("no connection"), Refused(451, False, "later")])
async def test_what_did_not_leave_leaves_together_or_alone_the_next_time(desk: Desk, verdict: NotSent) -> None:
    desk.post_office.verdicts = [verdict]
    with pytest.raises(Trouble):
        await carry(desk, 1, 2, 3)
    waiting = [item(desk, number) for number in (2, 3)]
    assert [(one.state, one.sending, one.progress) for one in waiting] == [(State.READY, False, None)] * 2
    assert all(one.failing_since for one in waiting)
    async with desk.database.begin() as work:
        await work.outbox.retry(ItemId("i1"), AT, "no connection", AT)
    assert isinstance(await carry(desk, 1, 2), Sent)
    assert isinstance(await carry(desk, 3), Sent)
    assert [mail.text.count("Alice wrote") for mail in desk.post_office.delivered] == [2, 1]


async def test_silence_about_it_is_silence_about_each_and_a_person_repeats_each_by_itself(desk: Desk) -> None:
    desk.post_office.verdicts = [Unknown("no answer")]
    for number, more in ((1, (2, 3)), (2, ()), (3, ())):
        assert isinstance(await carry(desk, number, *more), Unanswered)
        async with desk.database.begin() as work:
            await work.outbox.stop(ItemId(f"i{number}"), State.UNKNOWN, "no answer")
    assert not desk.post_office.delivered
    async with desk.database.begin() as work:
        await work.outbox.revive(ItemId("i2"))
    assert isinstance(await carry(desk, 2), Sent)
    (found,) = desk.post_office.delivered
    assert "words 2" in found.text
    assert "words 1" not in found.text


async def test_a_process_that_died_over_it_repeats_none_of_it(desk: Desk) -> None:
    async def dies(call: str) -> None:
        raise KeyboardInterrupt

    desk.post_office.hazard = dies
    with pytest.raises(KeyboardInterrupt):
        await carry(desk, 1, 2)
    desk.post_office.hazard = type(desk.post_office)().hazard
    assert isinstance(await carry(desk, 1), Unanswered)
    for _ in range(2):
        assert isinstance(await carry(desk, 2), Unanswered)
    assert isinstance(await carry(desk, 3), Sent)
    assert [mail.text.count("Alice wrote") for mail in desk.post_office.delivered] == [1]


async def test_what_another_process_has_sent_or_ended_meanwhile_does_not_go_along(desk: Desk) -> None:
    stale = [Enclosed(item(desk, number), letter(number)) for number in (2, 3)]
    async with desk.database.begin() as work:
        await work.outbox.mark_sending(ItemId("i2"), None)
        await work.outbox.stop(ItemId("i3"), State.CANCELLED, "gone")
    await desk.courier.carry(item(desk, 1), replace(letter(1), more=tuple(stale)))
    (found,) = desk.post_office.delivered
    assert found.text.count("Alice wrote") == 1
    assert item(desk, 3).state is State.CANCELLED


async def test_the_mediator_sees_what_waits_and_why(desk: Desk) -> None:
    lane = Lane(f"person:{CASE.id}:{CARL.id}")
    async with desk.database.begin() as work:
        for name in ("a", "b", "c"):
            await work.outbox.put(Item(ItemId(name), lane, "people", CASE.id, b"", AT))
        for name in ("a", "b"):
            await work.outbox.park(ItemId(name), "k", AT, "it goes with the digest of 2026-01-05 18:00 UTC")
        text = await mails_text(work, CASE, CARL.id)
    assert "2 not sent yet: it goes with the digest of 2026-01-05 18:00 UTC" in text
    assert "1 not sent yet: its turn comes" in text


async def test_what_else_can_be_said_is_said_in_it(desk: Desk) -> None:
    others: tuple[Content, ...] = (Edit(None, "new words"), File("secret name.pdf", "a/b", 3, FileRef("{}")))
    more = tuple(
        Enclosed(item(desk, number), replace(letter(number), content=content))
        for number, content in enumerate(others, 2)
    )
    await desk.courier.carry(item(desk, 1), replace(letter(1), more=more))
    (found,) = desk.post_office.delivered
    assert "corrected an earlier message" in found.text
    assert "shared a file" in found.text
    assert "secret name" not in found.text


# --- reports about it


async def said_in(desk: Desk, where: Conversation, *numbers: int) -> None:
    """Alice's words, or Mia's, that go in one mail, as the journal has them, and the mail has left."""
    author = "Mia" if where == OWN else "Alice"
    async with desk.database.begin() as work:
        for number in numbers:
            said = replace(message(CASE, author, where), id=MessageId(f"m{number}"))
            await work.journal.append(Entry(CASE.id, said))
    first, *more = (replace(letter(n), conversation=where, room_label=label(where, CASE)) for n in numbers)
    enclosed = tuple(Enclosed(item(desk, n), one) for n, one in zip(numbers[1:], more, strict=True))
    assert isinstance(await desk.courier.carry(item(desk, numbers[0]), replace(first, more=enclosed)), Sent)


async def reported(desk: Desk, action: str, status: str, name: str = "report") -> None:
    """A report about the latest mail comes."""
    *_, sent = desk.database.committed.sent_mails.values()
    raw = dsn(BLOCK.format(action=action, status=status))
    body = StoredMail(sent.bounce_hash, "", f"same {name}", 1, raw).dump()
    report = Item(ItemId(name), Lane("case:1042"), "mail.report", CASE.id, body, AT)
    async with desk.database.begin() as work:
        await work.inbox.put(report)
    assert await ReportReader(desk.database, CODEC, HOUSE).read(report) == Finished()


def marks(desk: Desk) -> list[tuple[MessageId, MessageState]]:
    return [(mark.message, mark.state) for mark in desk.effects() if isinstance(mark, Mark)]


def told_in(desk: Desk, where: Conversation) -> list[str]:
    return [effect.text for effect in desk.effects() if isinstance(effect, Tell) and effect.conversation == where]


@pytest.mark.parametrize(
    ("action", "status", "state"),
    [("failed", "5.1.1", MessageState.FAILED), ("delivered", "2.0.0", MessageState.DELIVERED)],
)
async def test_a_report_about_it_is_about_each_message_in_it_and_is_told_once(
    desk: Desk, action: str, status: str, state: MessageState
) -> None:
    await said_in(desk, OWN, 1, 2, 3)
    await reported(desk, action, status)
    await reported(desk, action, status, "and once more")
    assert marks(desk) == [(MessageId(f"m{n}"), state) for n in (1, 2, 3)]
    is_failed = state is MessageState.FAILED
    assert [text.startswith("A mail to Carl with 3 messages came back") for text in told_in(desk, DESK)] == [
        True
    ] * is_failed
    assert len(told_in(desk, OWN)) == is_failed, "in words once, however many they were"


async def test_of_words_to_all_that_came_back_the_desk_alone_hears(desk: Desk) -> None:
    await said_in(desk, JOINT, 1, 2)
    await reported(desk, "failed", "5.1.1")
    assert not marks(desk)
    assert not told_in(desk, JOINT) + told_in(desk, OWN)
    assert len(told_in(desk, DESK)) == 1


async def test_what_did_not_go_along_is_not_said_to_have_come_back(desk: Desk) -> None:
    await said_in(desk, OWN, 3)
    await said_in(desk, OWN, 1, 2)
    await reported(desk, "failed", "5.1.1")
    assert marks(desk) == [(MessageId(f"m{n}"), MessageState.FAILED) for n in (1, 2)]


async def test_a_report_that_comes_before_the_others_turn_is_not_undone_by_it(desk: Desk) -> None:
    await said_in(desk, OWN, 1, 2)
    async with desk.database.begin() as work:
        await work.outbox.done(ItemId("i1"), "sent")
    await reported(desk, "failed", "4.4.7")
    assert isinstance(await carry(desk, 2), Cancelled), "it is not shown as sent after all"
    assert len(desk.post_office.delivered) == 1


async def test_of_what_came_back_after_the_service_stopped_over_it_a_person_finds_all_or_nothing(desk: Desk) -> None:
    await said_in(desk, OWN, 1, 2, 3)
    await reported(desk, "failed", "5.1.1")
    for number in (1, 2, 3):
        assert isinstance(await carry(desk, number), Unanswered)
        async with desk.database.begin() as work:
            await work.outbox.stop(ItemId(f"i{number}"), State.UNKNOWN, "no answer")
    async with desk.database.begin() as work:
        await work.outbox.revive(ItemId("i2"))
    assert isinstance(await carry(desk, 2), Sent), "by itself"
    assert len(desk.post_office.delivered) == 2


async def test_a_report_that_is_about_the_first_alone_is_caught(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = MemoryMailLedger.by_bounce

    async def first_alone(mails: MemoryMailLedger, bounce_hash: str) -> SentMail | None:
        found = await genuine(mails, bounce_hash)
        return found and replace(found, more=())

    monkeypatch.setattr(MemoryMailLedger, "by_bounce", first_alone)
    await said_in(desk, OWN, 1, 2)
    await reported(desk, "failed", "5.1.1")
    assert marks(desk) == [(MessageId("m1"), MessageState.FAILED)]

"""A question in Matrix has a poll below its words: once, while it is open, and where the words stand."""

from dataclasses import replace

import pytest

from policies.case import DESK, Case
from policies.due import decide_due
from policies.effects import Decision, Pose, Tell
from policies.message import SignedDevice
from policies.questions.answers import decide_answer
from policies.questions.ask import Ask
from policies.questions.asking import Answer
from policies.questions.poll import Vote
from policies.schedule import Due, due_key
from rooms.ids import EventId
from rooms.outcome import Cancelled, Outcome, Parked, Sent
from rooms.outgoing import MATRIX, Outgoing
from rooms.polls import Poll, PollEnd, asked_in, being_posted, poll_item
from rooms.queue import Item, State
from tests.policies.builders import agreed_case, done, facts, named
from tests.rooms.builders import CODEC, Site, applier, handler

CASE, _ = agreed_case()
ALICE = named(CASE, "Alice").id
SEND = "!agreement send"
"""Everybody is asked to accept the agreement, anew."""


async def decided(site: Site, decision: Decision, item: str = "item") -> None:
    """A decision is applied."""
    async with site.database.begin() as work:
        await applier(work, item).apply(site.case, decision)
    site.case = decision.case


async def ordered(site: Site, line: str, code: str = "8KK8") -> None:
    """A command at the desk is carried out."""
    made = done(site.case, line, facts(code=code))
    decision = Decision(made.case, (Tell(DESK, made.answer), *made.effects), "command", "asked")
    await decided(site, decision, f"{line} {code}")


def waiting(site: Site) -> list[tuple[Item, Outgoing]]:
    """What is still to be sent into rooms, in order."""
    items = site.database.committed.outbox.items.values()
    return [(i, CODEC.load(i.body)) for i in items if i.state is State.READY and i.kind == MATRIX]


async def send(site: Site, item: Item, outgoing: Outgoing) -> Outcome:
    """One item is delivered, and what came of it noted, as the service does."""
    outcome, _ = await site.deliverer.deliver(item, outgoing)
    async with site.database.begin() as work:
        match outcome:
            case Sent(result):
                await work.outbox.done(item.id, result)
            case Parked(key, why):
                await work.outbox.park(item.id, key, None, why)
            case _:
                await work.outbox.stop(item.id, State.CANCELLED, "")
    return outcome


async def send_all(site: Site) -> list[Outcome]:
    return [await send(site, item, outgoing) for item, outgoing in waiting(site)]


def ask_of(case: Case) -> Ask:
    """What Alice is asked."""
    return next(a for a in case.asks if a.asked == ALICE)


async def polled() -> Site:
    """Alice was asked, in words and with a poll."""
    site = await Site(CASE).begin()
    await ordered(site, SEND)
    assert all(isinstance(one, Sent) for one in await send_all(site))
    return site


async def test_the_poll_stands_below_the_words_and_answers_them() -> None:
    site = await polled()
    words, poll = site.poster.posted[-2:]
    ask = ask_of(site.case)
    assert words.room == poll.room == site.room(ask.where).id
    assert f"“yes {ask.code}”" in str(words.content)
    assert isinstance(poll.content, Poll)
    assert poll.content.ballot.binds == ask.binds
    assert poll.audience == words.audience
    assert poll.reply_to == EventId(f"${len(site.poster.posted) - 1}")


async def test_who_is_asked_by_mail_gets_no_poll() -> None:
    site = await Site(CASE).begin()
    await ordered(site, SEND)
    polls = [o for o in site.outbox() if isinstance(o, Poll)]
    assert [poll.to for poll in polls] == [ALICE]


async def test_without_its_words_there_is_no_poll() -> None:
    site = await Site(CASE).begin()
    await ordered(site, SEND)
    [(words, _)] = [(i, o) for i, o in waiting(site) if isinstance(o, Pose)]
    [(item, poll)] = [(i, o) for i, o in waiting(site) if isinstance(o, Poll)]
    assert isinstance((await site.deliverer.deliver(item, poll))[0], Parked)
    async with site.database.begin() as work:
        await work.outbox.stop(words.id, State.DEAD, "too large")
    assert isinstance((await site.deliverer.deliver(item, poll))[0], Cancelled)


async def test_an_answer_ends_the_poll_whatever_brought_it() -> None:
    site = await polled()
    ask = ask_of(site.case)
    given = Answer(ask.code, True, ALICE, ask.where, SignedDevice())
    await decided(site, decide_answer(site.case, given, facts(ALICE)), "yes")
    before = len(site.poster.posted)
    await send_all(site)
    ends = [p for p in site.poster.posted[before:] if isinstance(p.content, PollEnd)]
    async with site.database.begin() as work:
        poll = await work.outbox.get(poll_item(site.case.id, ask))
    assert poll
    assert [end.reply_to for end in ends] == [poll.result]


@pytest.mark.parametrize("how", ["its time is up", "she takes part no more", "it was answered on paper"])
async def test_a_question_that_is_open_no_more_has_no_open_poll(how: str) -> None:
    site = await polled()
    ask = ask_of(site.case)
    match how:
        case "its time is up":
            await decided(site, decide_due(site.case, due_key(Due.ASK, ask.code), facts(None, at=ask.expires)), how)
        case "she takes part no more":
            await ordered(site, "!party remove Alice")
            mine = next(a for a in site.case.asks if a.where == DESK)
            given = Answer(mine.code, True, mine.asked, DESK, SignedDevice())
            await decided(site, decide_answer(site.case, given, facts(mine.asked)), how)
        case _:
            await ordered(site, "!agreement accepted Alice: signed")
    assert ask.code in [o.code for _, o in waiting(site) if isinstance(o, PollEnd)]


async def test_a_question_put_anew_ends_the_old_poll_and_has_its_own() -> None:
    site = await polled()
    await ordered(site, SEND, "9ZZ9")
    made = [type(o) for _, o in waiting(site)]
    assert made.count(Poll) == made.count(PollEnd) == 1


async def test_a_poll_that_was_never_posted_is_not_ended() -> None:
    site = await Site(CASE).begin()
    await ordered(site, SEND)
    ask = ask_of(site.case)
    given = Answer(ask.code, False, ALICE, ask.where, SignedDevice())
    await decided(site, decide_answer(site.case, given, facts(ALICE)), "no")
    outcomes = {type(o): await send(site, i, o) for i, o in waiting(site)}
    assert isinstance(outcomes[Poll], Cancelled | Parked)
    assert isinstance(outcomes[PollEnd], Cancelled)
    assert not [p for p in site.poster.posted if isinstance(p.content, Poll | PollEnd)]


async def test_a_question_of_before_there_were_polls_ends_without_one() -> None:
    site = await Site(CASE).begin()
    ask = ask_of(site.case)
    given = Answer(ask.code, True, ALICE, ask.where, SignedDevice())
    await decided(site, decide_answer(site.case, given, facts(ALICE)), "yes")
    assert not [o for o in site.outbox() if isinstance(o, PollEnd)]


async def test_the_same_decision_again_makes_no_second_poll() -> None:
    site = await Site(CASE).begin()
    before = site.case
    await ordered(site, SEND)
    site.case = before
    await ordered(site, SEND)
    assert len([o for o in site.outbox() if isinstance(o, Poll)]) == 1


async def test_the_poll_of_a_mediators_question_stands_at_the_desk() -> None:
    site = await Site(replace(CASE, agreements=())).begin()
    await ordered(site, "!party remove Carl")
    [poll] = [o for o in site.outbox() if isinstance(o, Poll)]
    assert (poll.to, poll.conversation) == (named(site.case, "Mia").id, DESK)
    assert ": “Carl takes part no more" in poll.ballot.question


async def test_it_is_known_whose_question_a_poll_asks_while_it_is_open() -> None:
    site = await polled()
    ask = ask_of(site.case)
    async with site.database.begin() as work:
        poll = await work.outbox.get(poll_item(site.case.id, ask))
        assert poll
        assert poll.result
        event = EventId(poll.result)
        assert await asked_in(work, site.case, event) == ask.code
        assert await asked_in(work, site.case, EventId("$other")) is None
        assert await asked_in(work, site.case, None) is None
        assert await asked_in(work, replace(site.case, asks=()), event) is None


async def test_a_vote_that_comes_before_the_polls_id_is_known_waits_for_it() -> None:
    site = await Site(CASE).begin()
    await ordered(site, SEND)
    ask = ask_of(site.case)
    name = poll_item(site.case.id, ask)
    async with site.database.begin() as work:
        poll = await work.outbox.get(name)
        assert poll
        outgoing = CODEC.load(poll.body)
        assert isinstance(outgoing, Poll)
        answers = [one for one, _ in outgoing.ballot.answers]
        assert await being_posted(work, site.case, answers) is None
        await work.outbox.mark_sending(name, b"ciphertext")
        assert await being_posted(work, site.case, answers) == name
        assert await being_posted(work, site.case, ["pizza"]) is None
        await work.outbox.done(name, "$poll")
        assert await being_posted(work, site.case, answers) is None


async def test_a_vote_is_handled_like_an_answer() -> None:
    site = await polled()
    ask = ask_of(site.case)
    [poll] = [p.content for p in site.poster.posted if isinstance(p.content, Poll)]
    vote = Vote(ALICE, ask.where, (poll.ballot.answers[0][0],), ask.code, SignedDevice())
    async with site.database.begin() as work:
        await handler(work, "vote").answer(site.case.id, vote, ask.at)
    assert site.database.committed.cases[site.case.id].accepted(ALICE)
    assert [o.code for o in site.outbox() if isinstance(o, PollEnd)] == [ask.code]

"""Write down a decision: the changed case, the record, and what is to be sent; all in the caller's unit of work.

This is the only place that makes outbox items, so it is the only place where an effect gets its lane and its id.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from policies.case import DESK, Case, CaseId, Conversation, Network, PersonId
from policies.documents.carrying import Cover, Enclose, Erase, Hand, Recall
from policies.effects import (
    AskWhose,
    Begun,
    CheckAddress,
    Confide,
    ConfirmIdentity,
    Decision,
    Effect,
    EndHold,
    Explain,
    Hold,
    Inform,
    Ingest,
    Introduce,
    Pose,
    Post,
    PostHeads,
    Publish,
    Reconcile,
    Redact,
    Relay,
    Resume,
    ResumeHold,
    Tell,
    Withhold,
    WriteToStranger,
)
from policies.message import Message, Text
from policies.moderation.guard import grams
from policies.networks.delivery import Cancel, Wait, channel_key, may_go_over, may_relay
from policies.people.membership import language_to
from policies.plan import code_key
from policies.questions.ask import Ask
from policies.questions.poll import ballot, shows
from policies.record import HEADS_EVERY, HEADS_RULE, in_words, next_heads, parts
from policies.schedule import Due, Schedule, due_key
from policies.showing import (
    DeadLetters,
    GiveCode,
    GiveLink,
    GivePin,
    Preview,
    ShowBoard,
    ShowHeaders,
    ShowHeld,
    ShowLog,
    ShowMails,
    ShowReferrals,
)
from rooms.board import board_item, slot_of
from rooms.clock import alarm
from rooms.endings import end_what_is_over
from rooms.ids import UserId
from rooms.lanes import case_lane, identity_wait_key, key_lane, person_lane, room_lane, stranger_lane
from rooms.noticing import DeskNotice, notice_lane, put_notices
from rooms.outgoing import (
    FILES,
    MATRIX,
    PEOPLE,
    ROOMS,
    Board,
    Codec,
    Decline,
    Enter,
    MailHeads,
    Outgoing,
    Say,
    Signal,
    ToSend,
)
from rooms.polls import Poll, PollEnd, poll_item
from rooms.ports import Entry, Held, Work
from rooms.queue import Item, ItemId, Lane, State, item_id
from rooms.recalling import withhold
from rooms.record import Line, entry
from rooms.shown import Showing, code_given, link_given, pin_text, text_of
from rooms.withheld import is_reaction
from rooms.wording import balloted, worded

REST_AT_MOST = timedelta(hours=1)
"""What waits for a change of its case, which wakes it, is looked at this often all the same."""


class Applier:
    """Applies decisions for one inbox item."""

    def __init__(self, work: Work, codec: Codec, item: ItemId, at: datetime) -> None:
        """`item` is what was decided about: the ids of all that follows are made from it, so that it follows once."""
        self._work, self._codec, self._item, self._at = work, codec, item, at
        self._rule, self._parts = "outside", 0
        self.shown: str | None = None
        """What the desk was shown that holds no words of anybody: fit for the command line, too (A4)."""

    async def apply(
        self, before: Case | None, decision: Decision, about: Message | None = None, *, by: PersonId | None = None
    ) -> None:
        """Store the decision, put it on record, and store everything that follows from it; `about` is what was said,
        `by` who brought it about otherwise."""
        # What is on record, and what is remembered, is what is said.
        case = decision.case
        decision = replace(decision, effects=tuple(worded(case, effect) for effect in decision.effects))
        if case != before:
            await self._work.cases.save(case)
            await self._work.identities.expect(_matrix_users(case) - (_matrix_users(before) if before else set()))
            await end_what_is_over(self._work, before, case)
        await self._put_on_record(decision, about)
        # One item may be decided about twice: that it can't be decrypted yet, and what it says once it can be.
        self._rule = decision.rule
        asks = [ask for ask in case.asks if not before or ask not in before.asks]
        for effect in decision.effects:
            await self._effect(case, effect)
            for ask in asks:
                if shows(effect, ask, case):
                    await self._put_poll(case, ask, self._named())
        for ask in [ask for ask in (before or case).asks if ask not in case.asks]:
            await self._end_poll(case, ask)
        await put_notices(self._work, self._codec, decision, about.author if about else by, self._at)
        if case.boards and before and before.boards == case.boards:
            slot, end = slot_of(self._at)
            await self._put_board(case, board_item(case.id, case.boards, slot), due_at=end)
        if decision.begins:
            await self._begin(decision.begins)

    async def _begin(self, begun: Begun) -> None:
        """The case that was opened from this one; where its party wrote to, they may be written to from there."""
        case, heard = begun.decision.case.id, begun.heard
        if heard:
            await self._work.whatsapp.heard(case, heard.endpoint, heard.number, heard.at)
        await self.apply(None, begun.decision)
        await self._work.journal.append(Entry(case, begun.first))

    async def _put_board(self, case: Case, identity: ItemId, *, due_at: datetime | None) -> None:
        """Post a board, or bring it up to date then, without holding up what is said at the desk meanwhile."""
        body = self._codec.dump(Board(case.boards, update=due_at is not None))
        state = State.PARKED if due_at else State.READY
        lane = room_lane(case, DESK)
        await self._work.outbox.put(Item(identity, lane, MATRIX, case.id, body, self._at, state=state, due_at=due_at))

    async def _put_poll(self, case: Case, ask: Ask, words: ItemId) -> None:
        """The poll of a question that was just put in words."""
        asked = ballot(case, ask)
        if asked:
            asked = balloted(asked, language_to(case, ask.asked, ask.where))
            body = self._codec.dump(Poll(ask.asked, ask.where, asked, words))
            lane = room_lane(case, ask.where)
            await self._work.outbox.put(Item(poll_item(case.id, ask), lane, MATRIX, case.id, body, self._at))

    async def _end_poll(self, case: Case, ask: Ask) -> None:
        """The poll of a question that is open no more, if it has one."""
        poll = poll_item(case.id, ask)
        if await self._work.outbox.get(poll):
            body = self._codec.dump(PollEnd(ask.where, ask.code, poll))
            name, lane = item_id(f"{poll}/end"), room_lane(case, ask.where)
            await self._work.outbox.put(Item(name, lane, MATRIX, case.id, body, self._at))

    async def _put_on_record(self, decision: Decision, about: Message | None) -> None:
        """One entry in the chain of each audience; the first since heads were posted has the next ones posted."""
        case = decision.case.id
        slot, words = next_heads(case, self._at), in_words(decision, about)
        lines: list[Line] = []
        for part in parts(decision, about):
            head = await self._work.record.head(case, part.audience.id)
            lines.append(entry(case, part, head, rule=decision.rule, words=words, at=self._at))
            if decision.rule != HEADS_RULE and (head is None or head.at < slot - HEADS_EVERY):
                due = Schedule(slot, due_key(Due.HEADS))
                await self._work.inbox.put(alarm(ItemId(f"heads/{case}"), case_lane(case), case, due, self._at))
        await self._work.record.append(*lines)

    async def outside(self, outgoing: Say | Enter | Decline | Signal) -> None:
        """Something to be done in a room that is no case's matter."""
        await self._put(None, Lane(f"lobby:{outgoing.room}"), MATRIX, outgoing)

    async def _effect(self, case: Case, effect: Effect) -> None:  # noqa: C901, PLR0912 (one arm a kind of effect)
        if isinstance(effect, ToSend):
            await self._send(case, effect)
            return
        match effect:
            case AskWhose(to):
                # Named after the day, so that there is one a day.
                name = item_id(f"whose/{case.id}/{to}/{self._at:%Y-%m-%d}")
                body = self._codec.dump(effect)
                await self._work.outbox.put(Item(name, person_lane(case.id, to), PEOPLE, case.id, body, self._at))
            case CheckAddress(person, address, code, network, invites):
                notice = DeskNotice(person, address, code, network, invites)
                await self._put(case.id, notice_lane(case, person), PEOPLE, notice)
            case GivePin(person):
                await self._effect(case, Tell(DESK, await pin_text(self._work, case, person)))
            case GiveLink():
                await self._tell_person(case, await link_given(self._work, case, effect, self._at))
            case GiveCode():
                await self._tell_person(case, await code_given(self._work, case, effect, self._at))
            case Hold() | EndHold() | ResumeHold():
                await self._hold(case.id, effect)
            case Withhold(message, people):
                await withhold(self._work, self._codec, case, people, message)
            case Resume(key):
                await self._work.outbox.wake(key)
            case ConfirmIdentity(person, key):
                await self._confirm(case, person, key)
            case Schedule():
                await self._work.inbox.put(alarm(self._item, case_lane(case.id), case.id, effect, self._at))
            case ShowBoard():
                await self._put_board(case, board_item(case.id, case.boards), due_at=None)
            case ShowMails() | ShowHeaders() | ShowHeld() | ShowLog() | ShowReferrals() | PostHeads() | DeadLetters():
                await self._show(case, effect)
            case _:
                assert_never(effect)

    async def _tell_person(self, case: Case, told: tuple[Inform | Confide, ...]) -> None:
        for each in told:
            await self._effect(case, worded(case, each))

    async def _send(self, case: Case, effect: ToSend) -> None:
        if isinstance(effect, Pose):
            asked = case.person(effect.to)
            if asked and asked.digest:
                # It may be about what waits for a digest: that goes first.
                await self._work.outbox.wake(channel_key(case, asked.endpoint.id))
        # The case can't change meanwhile: what may not leave now waits from the beginning (a reaction never waits).
        wait = _waits(case, effect) if isinstance(effect, Relay) and not is_reaction(effect) else None
        not_before = effect.not_before if isinstance(effect, Relay) else None
        await self._put(case.id, *_way(case, effect), effect, wait=wait, not_before=not_before)
        if heard := _remembered(effect):
            await self._work.echoes.note(case.id, heard[0].id, grams(heard[1]))
        if isinstance(effect, Post) and _reads_on_a_page(case, effect.author):
            await self._work.shelf.put(case.id, effect.author, self._named(), self._codec.dump(effect), self._at)

    async def _show(self, case: Case, effect: Showing) -> None:
        text = await text_of(self._work, case, effect, self._at)
        self.shown = text if isinstance(effect, ShowMails | PostHeads | DeadLetters | ShowReferrals) else self.shown
        await self._effect(case, Tell(DESK, text))
        for address in effect.to if isinstance(effect, PostHeads) else ():
            await self._put(case.id, Lane(f"heads:{case.id}"), PEOPLE, MailHeads(address, text))

    async def _hold(self, case: CaseId, effect: Hold | EndHold | ResumeHold) -> None:
        match effect:
            case Hold(message, why, audience):
                await self._work.holds.put(Held(case, message, why, self._at, audience))
            case EndHold(message, how):
                await self._work.holds.end(case, message, how, self._at)
            case ResumeHold(message):
                await self._work.holds.resume(case, message)

    async def _confirm(self, case: Case, person: PersonId, key: str) -> None:
        """What waited goes on in every case of that user, and the other desks, which were alarmed too, hear of it."""
        confirmed = case.person(person)
        user = UserId(confirmed.endpoint.address) if confirmed else None
        if user is None or not await self._work.identities.confirm(user, key):
            raise LookupError("an identity was confirmed that isn't there")
        for queue in (self._work.inbox, self._work.outbox):
            await queue.wake(identity_wait_key(user))
        for other_id in await self._work.cases.of_matrix_user(user):
            other = await self._work.cases.load(other_id) if other_id != case.id else None
            who = other.at_address(Network.MATRIX, user) if other else None
            if other and who:
                text = f"The new identity of {who.name} is confirmed, and what waited for it goes on."
                await self._effect(other, Tell(DESK, text))

    async def _put(
        self,
        case: CaseId | None,
        lane: Lane,
        kind: str,
        outgoing: Outgoing,
        *,
        wait: Wait | None = None,
        not_before: datetime | None = None,
    ) -> None:
        self._parts += 1
        # READY, so that what comes after it in its lane waits behind it.
        item = Item(self._named(), lane, kind, case, self._codec.dump(outgoing), self._at, due_at=not_before)
        if wait:
            due = self._at + REST_AT_MOST
            item = replace(item, state=State.PARKED, wait_key=wait.key, note=wait.why, due_at=due)
        await self._work.outbox.put(item)

    def _named(self) -> ItemId:
        """The id of the outbox item that was made last."""
        return item_id(f"{self._item}/{self._rule}/{self._parts}")


def _waits(case: Case, relay: Relay) -> Wait | None:
    """What a relay waits for from the beginning; what may not go at all waits for nothing, and is cancelled in its
    turn."""
    verdicts = may_go_over(case, relay), may_relay(case, relay.conversation, relay.to)
    if any(isinstance(verdict, Cancel) for verdict in verdicts):
        return None
    return next((verdict for verdict in verdicts if isinstance(verdict, Wait)), None)


def _reads_on_a_page(case: Case, person: PersonId) -> bool:
    found = case.person(person)
    return found is not None and found.endpoint.network is Network.EMAIL


def _way(case: Case, effect: ToSend) -> tuple[Lane, str]:  # noqa: C901 (one arm a kind of thing)
    """The lane and the kind of what is to be sent."""
    match effect:
        case (
            Post(conversation=conversation)
            | Tell(conversation)
            | Explain(conversation=conversation)
            | Redact(conversation)
            | Hand(conversation=conversation)
        ):
            return room_lane(case, conversation), MATRIX
        case Pose(to, conversation) | Inform(to, conversation):
            person = case.person(to)
            bridged = person is not None and person.endpoint.network is not Network.MATRIX
            return (person_lane(case.id, to), PEOPLE) if bridged else (room_lane(case, conversation), MATRIX)
        case Confide(to):
            return key_lane(case.id, code_key(to)), MATRIX
        case Publish(conversation=conversation, to=reader):
            return (person_lane(case.id, reader), PEOPLE) if reader else (room_lane(case, conversation), MATRIX)
        case Relay(to=to) | Introduce(to) | Enclose(to=to):
            return person_lane(case.id, to), PEOPLE
        case WriteToStranger(stranger):
            return stranger_lane(stranger), PEOPLE
        case Ingest(attached=Post(author=author)):
            # One at a time for each person, so that a flood of files from one keeps nobody else waiting.
            return Lane(f"files:{case.id}:{author}"), FILES
        case Ingest(message) | Erase(message):
            # One after another for each file: what is to be deleted was fetched before, or given up.
            return Lane(f"file:{case.id}:{message}"), FILES
        case Recall(document) | Cover(document):
            return Lane(f"document:{case.id}:{document}"), FILES
        case Reconcile() | Preview():
            return Lane(f"rooms:{case.id}"), ROOMS
        case _:
            assert_never(effect)


def _remembered(effect: ToSend) -> tuple[Conversation, str] | None:
    """Words that parties will read, and where, for the guard (`moderation.guard`). What they post in Matrix themselves
    was remembered when it was handled."""
    match effect:
        case (
            Post(where, content=Text(words))
            | Publish(conversation=where, words=words, to=None)
            | Inform(_, where, words)
            | Pose(conversation=where, words=words, of_the_case=True)
        ) if where != DESK:
            return where, words
        case _:
            return None


def _matrix_users(case: Case) -> set[UserId]:
    return {UserId(p.endpoint.address) for p in case.people if p.endpoint.network is Network.MATRIX}

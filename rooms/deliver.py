"""Send one outbox item: ask once more whether it may go, and hand it to the network that carries it (hop four).

A delivery ends as one of `Outcome`, or raises `Trouble`: transient trouble is tried again with its lane waiting, other
trouble makes a dead letter that the desk sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import assert_never

from policies.case import DESK, Case, CaseId, Network
from policies.documents.carrying import Cover, Erase, Hand, Recall
from policies.effects import (
    Confide,
    Explain,
    Inform,
    Ingest,
    Pose,
    Post,
    Publish,
    Reconcile,
    Redact,
    Relay,
    Tell,
    WriteToStranger,
)
from policies.message import MessageId, Text
from policies.networks.delivery import may_post
from policies.people.membership import readers
from policies.plan import label, room_key
from policies.showing import Preview
from policies.undoing.recalling import is_early
from rooms import noticing, passing
from rooms.board import board_of
from rooms.carriers import Courier, HeadsCourier, NoticeCourier, Poster, Posting
from rooms.clearance import kept_back, may_say, stopped, until_confirmed
from rooms.confiding import confide
from rooms.digests import gathered, is_gathered
from rooms.documents import DocumentWork
from rooms.homeserver import Homeserver, ReaderFrozen, Trouble
from rooms.ids import EventId, UserId
from rooms.lanes import awaited_identity, identity_wait_key
from rooms.letters import ToPerson, addressee, letter_to
from rooms.marks import Mark
from rooms.mending import not_while_mending
from rooms.noticing import DeskNotice
from rooms.outcome import STOPPED, Cancelled, Outcome, Parked, Sent, Unanswered
from rooms.outgoing import MATRIX, PEOPLE, Board, Codec, Decline, Enter, MailHeads, Outgoing, Say, Signal
from rooms.polls import Poll, PollEnd, stands_by
from rooms.ports import Database, Standing, Work
from rooms.postings import IntoRoom, Polling, event_of, expected_reader, html_of, unsigned_reader, words_of
from rooms.provision import Fit, Report, fitness, preview, previewed, reconcile, reconcile_codes, room_wait_key
from rooms.queue import Item
from rooms.reports import Reports, suspend
from rooms.triage import StrangerWork
from rooms.withheld import is_reaction, now_or_never, reaction_withheld, withheld

AFTER_YOU = "what was said before it goes first"
Outside = Say | Enter | Decline | Signal | Mark | MailHeads | DeskNotice
"""What no room of a conversation waits for."""


class Deliverer:
    """Sends outbox items."""

    def __init__(
        self,
        database: Database,
        homeserver: Homeserver,
        poster: Poster,
        couriers: Mapping[Network, Courier],
        documents: DocumentWork | None = None,
        *,
        codec: Codec | None = None,
        heads: HeadsCourier | None = None,
        strangers: StrangerWork | None = None,
        notices: Mapping[Network, NoticeCourier] = MappingProxyType({}),
        contacts: Mapping[str, str] = MappingProxyType({}),
        reports: Reports | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`couriers`: of the networks outside Matrix that are set up; `documents`: where there is a vault; `heads`:
        where they are mailed; `strangers`: who writes to those who take part in no case; `codec`: to send several
        things in one mail; `contacts`: what each of several numbers on WhatsApp is for, in a word, for the board;
        `reports`: what tells of rooms that are worked on."""
        self._clock, self._codec, self._heads, self._notices = clock, codec, heads, notices
        self._database, self._homeserver, self._poster, self._couriers = database, homeserver, poster, couriers
        self._documents, self._contacts, self._reports = documents, contacts, reports
        self._strangers = strangers or StrangerWork(database, {})

    async def deliver(self, item: Item, outgoing: Outgoing) -> tuple[Outcome, Report]:
        """Send one item; the report is what the desk must be told about it."""
        try:
            return await self._deliver(item, outgoing)
        except ReaderFrozen as frozen:
            return Parked(identity_wait_key(frozen.user), frozen.why), Report()

    async def _deliver(self, item: Item, outgoing: Outgoing) -> tuple[Outcome, Report]:  # noqa: C901, PLR0912 (one arm a kind of thing)
        match outgoing:
            case Say() | Enter() | Decline() | Signal() | Mark() | MailHeads() | DeskNotice():
                return await self._outside(item, outgoing), Report()
            case Board():
                return await self._board(item, _case_of(item), outgoing)
            case Poll() | PollEnd():
                return await self._poll(item, _case_of(item), outgoing)
            case Redact():
                return await self._redact(item, _case_of(item), outgoing), Report()
            case Ingest() | Erase() | Recall() | Cover():
                outcome = await self._filing().carry_out(item, _case_of(item), outgoing, self._clock())
                return outcome, Report()
            case Post() | Tell() | Explain() | Hand():
                return await self._post(item, _case_of(item), outgoing)
            case Confide():
                there = self._database, self._homeserver, self._poster
                return await confide(*there, item, _case_of(item), told=outgoing, at=self._clock())
            case Pose() | Inform() | Publish() if item.kind == MATRIX:
                return await self._post(item, _case_of(item), outgoing)
            case _ if isinstance(outgoing, ToPerson):
                return await self._to_person(item, _case_of(item), outgoing)
            case WriteToStranger():
                return await self._strangers.carry(item, _case_of(item), outgoing), Report()
            case Reconcile(codes_of=person) if person is not None:
                site = self._database, self._homeserver, _case_of(item)
                done = await reconcile_codes(*site, self._told().about(item), person)
                return Sent(f"{len(done)} changes"), Report()
            case Reconcile(again, leaving):
                site = self._database, self._homeserver, _case_of(item)
                done = await reconcile(*site, self._told().about(item), again=again, leaving=leaving)
                return Sent(f"{len(done)} changes"), Report()
            case Preview():
                changes = await preview(self._database, self._homeserver, _case_of(item))
                return Sent("previewed"), Report(tell=previewed(changes))
            case _:
                raise Trouble(f"{type(outgoing).__name__} is not something to send", transient=False)

    async def _outside(self, item: Item, outgoing: Outside) -> Outcome:
        match outgoing:
            case DeskNotice():
                return await self._notice(item, _case_of(item), outgoing)
            case MailHeads():
                return await self._heads.carry(item, outgoing) if self._heads else Cancelled("heads are mailed no more")
            case Say():
                return await self._say(item, outgoing)
            case Signal():
                return await passing.signal(self._database, self._homeserver, self._poster, item, outgoing)
            case Mark():
                return await passing.mark(self._database, self._homeserver, self._poster, item, outgoing)
            case Enter(room, user):
                await self._homeserver.join(room, user)
                return Sent("joined")
            case Decline(room, user):
                await self._homeserver.leave(room, user)
                return Sent("declined")
            case _:
                assert_never(outgoing)

    async def _notice(self, item: Item, case_id: CaseId, notice: DeskNotice) -> Outcome:
        async with self._database.begin() as work:
            if await work.epochs.unconfirmed(case_id):
                return until_confirmed(case_id)
            stopped = await noticing.kept_back(work, await _load(work, case_id), item, notice, self._clock())
        courier = self._notices.get(notice.network)
        if stopped or courier is None:
            return stopped or Cancelled(f"notices by {notice.network} are not set up any more")
        return await courier.carry(item, notice, case_id)

    async def stopped(self, work: Work, item: Item, outgoing: Outgoing) -> Parked | Cancelled | None:
        """Why a letter may not leave now; None for whatever has to be tried. Locks the case."""
        if item.kind != PEOPLE or isinstance(outgoing, Publish) or not isinstance(outgoing, ToPerson):
            return None
        if is_reaction(outgoing):
            return None  # the desk is told of one that may not go
        case = await _load(work, _case_of(item), lock=True)
        return kept_back(case, outgoing, item.received_at, self._clock())

    # --- into Matrix

    async def _board(self, item: Item, case_id: CaseId, board: Board) -> tuple[Outcome, Report]:
        """As the case is now. What is shown already isn't shown again."""
        async with self._database.begin() as work:
            at = self._clock()
            shown, stands = await board_of(work, case_id, board.number, self._contacts, at, update=board.update)
            is_shown = board.update and shown is not None and await work.cases.board_shows(case_id, shown.text)
        if shown is None or is_shown:
            return Cancelled("there is nothing to bring up to date, or a newer board stands"), Report()
        outcome, report = await self._post(item, case_id, Tell(DESK, shown.text), html=shown.html, replaces=stands)
        if isinstance(outcome, Sent):
            async with self._database.begin() as work:
                await work.cases.note_board(case_id, shown.text)
        return outcome, report

    async def _poll(self, item: Item, case_id: CaseId, outgoing: Polling) -> tuple[Outcome, Report]:
        async with self._database.begin() as work:
            belongs = await stands_by(work, case_id, outgoing)
        if not isinstance(belongs, str):
            return belongs, Report()
        return await self._post(item, case_id, outgoing, belongs=belongs)

    async def _say(self, item: Item, say: Say) -> Outcome:
        """In a direct chat only the one whom it is with may read."""
        actual = await self._homeserver.state(say.room)
        if actual is None or actual.joined != frozenset({say.to}):
            return Cancelled("the direct chat is not one between that person and the bot")
        if actual.encrypted is say.in_clear:
            return Cancelled("the direct chat was encrypted or decrypted in between")
        special = say.to if say.to_unsigned_devices else None
        posting = Posting(
            say.room,
            self._homeserver.bot,
            actual.joined,
            Text(say.text),
            is_notice=True,
            html=say.html,
            only_for=special,
            in_clear=say.in_clear,
        )
        return Sent(await self._poster.post(item, posting))

    async def _redact(self, item: Item, case_id: CaseId, effect: Redact) -> Outcome:
        """Even in a room that is suspended: it takes away, and shows nobody anything."""
        async with self._database.begin() as work:
            record = await work.rooms.get(case_id, room_key(effect.conversation))
            event = await event_of(work, case_id, effect.message)
        if record is None or record.room_id is None or event is None:
            return Cancelled("it does not stand in a room of ours")
        return Sent(await self._homeserver.redact(record.room_id, event, item.id))

    async def _post(
        self,
        item: Item,
        case_id: CaseId,
        effect: IntoRoom,
        *,
        html: str | None = None,
        replaces: EventId | None = None,
        belongs: EventId | None = None,
    ) -> tuple[Outcome, Report]:
        async with self._database.read() as work:
            case = await _load(work, case_id)
            author = effect.author if isinstance(effect, Post) else None
            why = stopped(may_say(case, effect, self._clock())) or stopped(may_post(case, effect.conversation, author))
            record = await work.rooms.get(case_id, room_key(effect.conversation))
            sender = await work.ghosts.of_person(case_id, author) if author else self._homeserver.bot
            quoted = await event_of(work, case_id, effect.reply_to) if isinstance(effect, Post) else None
            ahead = await work.outbox.ahead_of(item)
            # What was taken back after the backup was made would be granted again (I11).
            doubtful = isinstance(effect, Hand) and await work.epochs.unconfirmed(case_id)
        if doubtful:
            return until_confirmed(case_id), Report()
        if why:
            return why, withheld(effect, why)
        wait = Parked(room_wait_key(case_id, room_key(effect.conversation)), "the room does not stand yet")
        if record is None or record.standing is not Standing.MADE or record.room_id is None or sender is None:
            return wait, Report()
        fit = await fitness(self._database, self._homeserver, case_id, record)
        if isinstance(fit, str):
            await not_while_mending(self._database, case_id)
            name = label(effect.conversation, case)
            await suspend(self._database, self._told(), item, record, fit, name=name)
            return wait, Report()
        if author and sender not in fit.audience:
            # Its invitation is on its way: whoever came in by a code may write at once.
            raise Trouble("its author's ghost has not come into the room yet", transient=True)
        if all(self._homeserver.is_ours(user) for user in fit.audience):
            # Newcomers read nothing older, so what is said to an empty room is said to nobody.
            return replace(wait, why="nobody has come into the room yet"), Report()
        if isinstance(effect, Publish | Hand) and not fit.audience | fit.awaited <= self._shown_to(effect, case, fit):
            raise Trouble("its readers changed at this very moment", transient=True)
        special, expected = unsigned_reader(effect, case), expected_reader(effect, case)
        if expected and expected not in fit.audience:
            return replace(wait, why="whom it is for has not come into the room yet"), Report()
        posting = Posting(
            record.room_id,
            sender,
            fit.audience,
            await self._filing().file_of(item, case, effect, self._clock)
            if isinstance(effect, Hand)
            else words_of(effect, case),
            is_notice=not isinstance(effect, Post),
            awaited=fit.awaited,
            reply_to=belongs or quoted,
            only_for=special,
            html=html or html_of(effect, case),
            replaces=replaces,
            # A mediator's replaced identity must not keep the alarm about it from the others.
            but_for_the_frozen=isinstance(effect, Tell) and effect.conversation == DESK,
        )
        await self._let_pass(item, ahead, fit.audience)
        event = await self._poster.post(item, posting)
        if isinstance(effect, Hand):
            await self._filing().handed(item, event)
        return Sent(event, _shown_by(effect)), Report()

    def _filing(self) -> DocumentWork:
        if self._documents is None:
            raise Trouble("there is no vault of documents on this server", transient=False)
        return self._documents

    def _shown_to(self, effect: Publish | Hand, case: Case, fit: Fit) -> frozenset[UserId]:
        """Who may have what was released: for whom it was, and users of ours. The case may have changed since it was
        asked whether it may go. Whoever reads where a document goes was just asked for (`may_hand`)."""
        audience = effect.audience if isinstance(effect, Publish) else readers(case, effect.conversation)
        people = {UserId(p.endpoint.address) for p in case.people if p.id in audience}
        return frozenset(people | {user for user in fit.audience | fit.awaited if self._homeserver.is_ours(user)})

    async def _let_pass(self, item: Item, ahead: Sequence[Item], audience: frozenset[UserId]) -> None:
        """What was set aside just as it was to be woken, or for what is in its way no more, goes first: raises a
        transient Trouble, once, to let it. Where a reader's identity is in doubt nobody goes, so nothing is woken."""
        keys = {other.wait_key for other in ahead if other.wait_key}
        if item.note == AFTER_YOU or not keys:
            return
        async with self._database.begin() as work:
            waits_for = {key: user for key in keys if (user := awaited_identity(key))}
            known = await work.identities.known(audience.intersection(waits_for.values()))
            doubtful = {key for key, user in waits_for.items() if user in known and known[user].replaced}
            for key in sorted(keys - doubtful):
                await work.outbox.wake(key)
        if keys - doubtful:
            raise Trouble(AFTER_YOU, transient=True)

    def _told(self) -> Reports:
        if self._reports is None:
            raise Trouble("nobody would be told of what is done to rooms", transient=False)
        return self._reports

    # --- to other networks

    async def _to_person(self, item: Item, case_id: CaseId, effect: ToPerson) -> tuple[Outcome, Report]:
        carrying = self._carry(item, case_id, effect)
        if not is_reaction(effect):
            outcome = await carrying
            return outcome, withheld(effect, outcome)
        outcome = await now_or_never(carrying)
        if not isinstance(outcome, Cancelled) or outcome.quietly:
            return outcome, Report()
        async with self._database.read() as work:
            return outcome, reaction_withheld(await _load(work, case_id), effect, outcome)

    async def _carry(self, item: Item, case_id: CaseId, effect: ToPerson) -> Outcome:
        async with self._database.begin() as work:
            case = await _load(work, case_id)
            is_unconfirmed = await work.epochs.unconfirmed(case_id)
            now = await work.outbox.get(item.id)
            behind = await work.outbox.behind(item) if self._codec and is_gathered(case, effect) else ()
        has_left = now is not None and now.progress is not None
        if is_unconfirmed and not has_left:
            return until_confirmed(case_id)
        if isinstance(effect, Relay) and is_early(effect, self._clock()) and not has_left:
            # It waited for something else, too, which came sooner; its lane waits with it.
            raise Trouble("its author may still take it back", transient=True)
        why = None if has_left else kept_back(case, effect, item.received_at, self._clock())
        if why:
            # One that may have left is not "not shown", whatever has changed since.
            return Unanswered(STOPPED) if is_reaction(effect) and now and now.sending else why
        items, at = (item, *behind), self._clock()
        more = gathered(case, effect.conversation, items, self._codec, at) if self._codec and behind else ()
        reader = case.person(addressee(effect))
        # What left in one mail with others is that mail's affair, wherever its reader is by now.
        network = Network.EMAIL if has_left else reader.endpoint.network if reader else None
        courier = self._couriers.get(network) if network else None
        if courier is None:
            raise Trouble("the channel of whom it is for is not set up on this server", transient=False)
        letter = replace(letter_to(case, effect), more=more)
        return await courier.carry(now if now and has_left else item, letter)


def _shown_by(effect: IntoRoom) -> MessageId | None:
    """The message that its event is, once it is posted."""
    match effect:
        case Post(content=Text(), message=message) | Tell(about=message):
            return message
        case _:
            return None


def _case_of(item: Item) -> CaseId:
    if item.case is None:
        raise Trouble("the item names no case", transient=False)
    return item.case


async def _load(work: Work, case_id: CaseId, *, lock: bool = False) -> Case:
    case = await work.cases.load(case_id, lock=lock)
    if case is None:
        raise Trouble(f"there is no case {case_id}", transient=False)
    return case

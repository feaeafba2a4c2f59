"""The promises can be broken: each fault planted here is noticed, in a history that is harmless without it."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from appservice import reading
from appservice.mail import courier, reader
from appservice.mail.courier import MailCourier
from appservice.portal import page
from appservice.portal.store import Laid
from bridges.email.proof import Proven
from policies import plan, record, routing
from policies.case import DESK, JOINT, Case, CaseId, Conversation, Kind, Participation
from policies.effects import Decision, Relay, Tell
from policies.message import AuthenticatedMail, Message, MessageId, SignedDevice
from policies.moderation import keeping
from policies.networks.delivery import Go
from policies.people import membership
from policies.plan import room_key
from rooms import apply, clearance, deliver, provision, reconcile
from rooms import record as chain
from rooms.apply import Applier
from rooms.handle import Handler
from rooms.homeserver import Trouble
from rooms.letters import Enclosed, letter_to
from rooms.outgoing import PEOPLE
from rooms.provision import Fit
from rooms.queue import Item, ItemId, Lane
from rooms.reconcile import Remove
from tests.fakes.memory import MemoryPortalStore
from tests.invariants.canaries import words_of
from tests.invariants.histories import (
    FULL,
    SETTLED,
    Command,
    Confirm,
    Deliver,
    Enrol,
    Fault,
    Intrude,
    Keys,
    Mail,
    Phrase,
    Rest,
    Say,
    Vouched,
    Wait,
    Work,
    play,
)
from tests.invariants.people import Form, Post, Sealing, Words
from tests.invariants.promises import Broken, kept
from tests.invariants.world import ALICE, BEA, CARL, EVE, MALLORY, MIA, World, opened

Patch = pytest.MonkeyPatch
TALK: Phrase = (
    *(Say(ALICE, room) for room in range(4)),
    *(Say(MIA, room) for room in range(6)),
    *(Mail(who, pick=pick) for who in (CARL, BEA, EVE) for pick in range(4)),
    Rest(),
)


@dataclass(frozen=True)
class Plant:
    """A fault, and a history in which it shows."""

    name: str
    plant: Callable[[Patch], None]
    history: Phrase = (*FULL, *TALK)


def everyone_reads_a_caucus(patch: Patch) -> None:
    reads = membership._reads
    patch.setattr(membership, "_reads", lambda p, c: c.kind is Kind.CAUCUS or reads(p, c))


def the_other_side_reads_a_caucus_by_mail(patch: Patch) -> None:
    bridged = routing._bridged
    patch.setattr(routing, "_bridged", lambda case, conversation: bridged(case, JOINT))
    sending_does_not_ask_again(patch)  # which alone would stop it


def what_a_caucus_says_is_posted_jointly(patch: Patch) -> None:
    relayed = routing._relayed

    def wrong(case: Case, message: Message, *more: Any, **how: Any) -> Decision:
        return relayed(case, replace(message, conversation=JOINT), *more, **how)

    patch.setattr(routing, "_relayed", wrong)


def every_room_is_taken_for_the_joint_room(patch: Patch) -> None:
    def wrong(case: Case, record: Any) -> Conversation:
        return DESK if record.key == room_key(DESK) else JOINT

    patch.setattr(reading, "conversation_of", wrong)


def sending_does_not_ask_again(patch: Patch) -> None:
    patch.setattr(clearance, "may_relay", lambda *_: Go())


def words_are_mailed_without_a_consent(patch: Patch) -> None:
    patch.setattr(courier, "by_link", lambda _: False)


def the_page_shows_what_lies_ready_for_others(patch: Patch) -> None:
    async def wrong(store: MemoryPortalStore, case: CaseId, *_: Any) -> tuple[Laid, ...]:
        return tuple(laid for (of, _, _), laid in store._tables.shelf.items() if of == case)

    patch.setattr(MemoryPortalStore, "laid_for", wrong)
    patch.setattr(page, "readers", lambda case, _: frozenset(person.id for person in case.people))


def the_removed_stay_in_the_rooms(patch: Patch) -> None:
    diff = reconcile.diff

    def wrong(*a: Any, **k: Any) -> Any:
        return tuple(change for change in diff(*a, **k) if not isinstance(change, Remove))

    patch.setattr(provision, "diff", wrong)


def keys_go_to_everybody_who_joined(patch: Patch) -> None:
    async def wrong(database: Any, homeserver: Any, case_id: Any, record: Any) -> Any:
        actual = await homeserver.state(record.room_id)
        return Fit(actual.joined, frozenset()) if actual else "gone"

    patch.setattr(deliver, "fitness", wrong)


def a_digest_takes_other_rooms_along(patch: Patch) -> None:
    def wrong(case: Case, where: Conversation, items: Any, codec: Any, at: Any) -> tuple[Enclosed, ...]:
        more = ((item, codec.load(item.body)) for item in items[1:])
        return tuple(Enclosed(item, letter_to(case, each)) for item, each in more if isinstance(each, Relay))

    patch.setattr(deliver, "gathered", wrong)


def what_went_along_is_forgotten(patch: Patch) -> None:
    carry = MailCourier.carry

    async def wrong(self: MailCourier, item: Item, letter: Any) -> Any:
        return await carry(self, replace(item, progress=None, sending=False), letter)

    async def nobody(*_: object) -> bool:
        return False

    patch.setattr(MailCourier, "carry", wrong)
    patch.setattr(courier, "is_with_another", nobody)


def nobody_is_awaited(patch: Patch) -> None:
    fitness = provision.fitness

    async def wrong(*a: Any) -> Any:
        fit = await fitness(*a)
        return replace(fit, awaited=frozenset()) if isinstance(fit, Fit) else fit

    patch.setattr(deliver, "fitness", wrong)


def words_in_clear_are_believed(patch: Patch) -> None:
    """Both that hold them: that nothing proves their author, and the rule against them."""
    patch.setattr("appservice.opened.IN_CLEAR", SignedDevice())
    patch.setattr("policies.routing.breach", lambda *_: None)


def a_mediators_word_makes_a_mailbox_somebodys(patch: Patch) -> None:
    patch.setattr("rooms.handle.believed", lambda _, message: message)


def words_go_where_a_mediator_wrote_down(patch: Patch) -> None:
    patch.setattr(courier, "by_link", lambda person: person.endpoint.content_consent is None)


def what_was_held_goes_straight_to_all(patch: Patch) -> None:
    def wrong(message: Message, name: MessageId) -> Message:
        return replace(message, id=name, proof=AuthenticatedMail())

    patch.setattr("rooms.handle.counting", wrong)


def every_mail_is_believed(patch: Patch) -> None:
    patch.setattr(reader, "prove", lambda *_: Proven())


def a_mail_is_sent_again_after_a_crash(patch: Patch) -> None:
    carry = MailCourier.carry

    async def wrong(self: MailCourier, item: Item, letter: Any) -> Any:
        return await carry(self, replace(item, sending=False), letter)

    async def nobody(*_: object) -> bool:
        return False

    patch.setattr(MailCourier, "carry", wrong)
    patch.setattr(courier, "is_with_another", nobody)


def the_desk_is_told_the_words(patch: Patch) -> None:
    held = keeping.hold_back

    def wrong(case: Case, message: Message, why: str, **more: Any) -> Decision:
        decision = held(case, message, why, **more)
        return replace(decision, effects=(*decision.effects, Tell(DESK, words_of(message.content))))

    patch.setattr(routing, "hold_back", wrong)
    patch.setattr(keeping, "hold_back", wrong)


def a_log_line_shows_the_words(patch: Patch) -> None:
    message = Handler.message

    async def wrong(self: Handler, case: Any, said: Message, *more: Any) -> Decision:
        logging.getLogger("rooms.handle").debug("handling %s", said.content)
        return await message(self, case, said, *more)

    patch.setattr(Handler, "message", wrong)


def each_message_has_a_lane_of_its_own(patch: Patch) -> None:
    put = Applier._put

    async def wrong(self: Applier, case: Any, lane: Lane, kind: str, outgoing: Any, **wait: Any) -> None:
        many = Lane(f"{lane}:{self._parts}:{self._item}")
        await put(self, case, many if kind == PEOPLE else lane, kind, outgoing, **wait)

    patch.setattr(Applier, "_put", wrong)


def what_is_decided_second_is_dropped(patch: Patch) -> None:
    async def wrong(self: Applier, case: Any, lane: Lane, kind: str, outgoing: Any, **wait: Any) -> None:
        self._parts += 1
        identity = ItemId(hashlib.sha256(f"{self._item}/{self._parts}".encode()).hexdigest()[:40])
        await self._work.outbox.put(Item(identity, lane, kind, case, self._codec.dump(outgoing), self._at))

    patch.setattr(Applier, "_put", wrong)


def a_transient_no_is_taken_for_good(patch: Patch) -> None:
    one = deliver.Deliverer.deliver

    async def wrong(self: deliver.Deliverer, item: Item, outgoing: Any) -> Any:
        try:
            return await one(self, item, outgoing)
        except Trouble as trouble:
            raise Trouble(trouble.why, transient=False) from trouble

    patch.setattr(deliver.Deliverer, "deliver", wrong)


def an_interpreter_reads_every_side(patch: Patch) -> None:
    reads = membership._reads

    def wrong(seat: Participation, conversation: Conversation) -> bool:
        return seat.role == "interpreter" or reads(seat, conversation)

    patch.setattr(membership, "_reads", wrong)


def anybody_speaks_whatever_the_mode(patch: Patch) -> None:
    patch.setattr(routing, "objection", lambda *_: None)


def a_turn_is_forgotten_in_the_levels(patch: Patch) -> None:
    patch.setattr(plan, "has_the_word", lambda *_: False)


REMOVED: Phrase = (Command("!party remove Alice"), Rest(), Confirm(), Rest())
LATE = Words(Form.TEXT, Sealing.LATE)


def what_is_said_is_not_on_record(patch: Patch) -> None:
    patch.setattr(apply, "parts", lambda decision, about: record.parts(decision, None))


def an_entry_follows_another_than_the_last(patch: Patch) -> None:
    def wrong(case: Any, part: Any, head: Any, **more: Any) -> Any:
        return chain.entry(case, part, replace(head, hash="0" * 64) if head else None, **more)

    patch.setattr(apply, "entry", wrong)


DIGEST: Phrase = (*SETTLED, Command("!digest Carl 18:00"), Rest(), *TALK, *TALK, Wait(), Rest())
LOCKED: Phrase = (Command("!mode locked"), Rest())
TURN: Phrase = (Command("!turn Alice"), Rest())
VOUCHED: Phrase = (*SETTLED, Vouched(CARL), Mail(CARL), Mail(CARL, pick=1), Rest())
CLAIMED: Phrase = (*VOUCHED, Enrol(CARL), Rest())
PLANTS = (
    Plant("everyone reads a caucus", everyone_reads_a_caucus),
    Plant("the other side reads a caucus by mail", the_other_side_reads_a_caucus_by_mail),
    Plant("what a caucus says is posted jointly", what_a_caucus_says_is_posted_jointly),
    Plant("every room is taken for the joint room", every_room_is_taken_for_the_joint_room),
    Plant(
        "sending does not ask again",
        sending_does_not_ask_again,
        (*SETTLED, Command("!mail pause Carl"), Rest(), *TALK),
    ),
    Plant(
        "words are mailed without a consent",
        words_are_mailed_without_a_consent,
        (*SETTLED, Command("!party add Bea bea@example.com on Smith"), Rest(), *TALK),
    ),
    Plant("a digest takes other rooms along", a_digest_takes_other_rooms_along, DIGEST),
    Plant("what went along is forgotten", what_went_along_is_forgotten, DIGEST),
    Plant("the page shows what lies ready for others", the_page_shows_what_lies_ready_for_others),
    Plant("the removed stay in the rooms", the_removed_stay_in_the_rooms, (*FULL, *REMOVED, *TALK)),
    Plant(
        "keys go to everybody who joined",
        keys_go_to_everybody_who_joined,
        (
            *FULL,
            *(
                step
                for room in range(8)
                for step in (Mail(CARL, pick=room), Intrude(MALLORY, room), Deliver(9), Work((0,) * 6))
            ),
        ),
    ),
    Plant(
        "nobody is awaited",
        nobody_is_awaited,
        (
            *SETTLED,
            *(
                step
                for moment, who in ((0, "Dan @dan:example.org"), (2, "Bob @bob:example.org"))
                for step in (
                    Command(f"!party add {who} as counsel on Smith"),
                    Rest(joined=False),
                    Mail(CARL, pick=1),
                    Fault("arrival", moment),
                    Rest(),
                )
            ),
        ),
    ),
    Plant(
        "words in clear are believed",
        words_in_clear_are_believed,
        (*FULL, *(Say(ALICE, room, Words(Form.TEXT, Sealing.CLEAR)) for room in range(4)), Rest()),
    ),
    Plant("a mediator's word makes a mailbox somebody's", a_mediators_word_makes_a_mailbox_somebodys, VOUCHED),
    Plant(
        "words go where a mediator wrote down",
        words_go_where_a_mediator_wrote_down,
        (*SETTLED, Vouched(CARL), *TALK),
    ),
    Plant("what was held goes straight to all", what_was_held_goes_straight_to_all, CLAIMED),
    Plant("every mail is believed", every_mail_is_believed, (*FULL, Mail(CARL, Post.FORGED), Rest())),
    Plant(
        "a mail is sent again after a crash",
        a_mail_is_sent_again_after_a_crash,
        (*FULL, *(step for n in range(24, 44) for step in (Say(ALICE, 0), Say(ALICE, 1), Fault("crash", n), Rest()))),
    ),
    Plant("the desk is told the words", the_desk_is_told_the_words, (*FULL, Mail(CARL, Post.FORGED), Rest())),
    Plant("a log line shows the words", a_log_line_shows_the_words),
    Plant(
        "each message has a lane of its own",
        each_message_has_a_lane_of_its_own,
        (*FULL, *(Say(ALICE, n % 2) for n in range(6)), Deliver(50), Work((0, *(-1,) * 40)), Rest()),
    ),
    Plant(
        "what is decided second is dropped",
        what_is_decided_second_is_dropped,
        (*FULL, *(Say(ALICE, room, LATE) for room in range(4)), *(Rest(), Wait()) * 4, Rest(), Keys(), Rest()),
    ),
    Plant(
        "a transient no is taken for good",
        a_transient_no_is_taken_for_good,
        (*FULL, *(step for n in range(8, 20) for step in (Say(ALICE, 0), Fault("failure", n), Rest()))),
    ),
    Plant("an interpreter reads every side", an_interpreter_reads_every_side),
    Plant("anybody speaks, whatever the mode", anybody_speaks_whatever_the_mode, (*FULL, *LOCKED, *TALK)),
    Plant("what is said is not on record", what_is_said_is_not_on_record),
    Plant("an entry follows another than the last", an_entry_follows_another_than_the_last),
    Plant("a turn is forgotten in the levels", a_turn_is_forgotten_in_the_levels, (*FULL, *LOCKED, *TURN)),
)


HARMLESS: set[Phrase] = set()
"""Histories that were lived without a fault."""


async def lived(history: Phrase) -> World:
    """A world after a history, its promises checked."""
    with opened() as world:
        await play(world, history)
        kept(world)
        return world


@pytest.mark.parametrize("planted", PLANTS, ids=lambda planted: planted.name)
async def test_a_planted_fault_is_noticed(planted: Plant, monkeypatch: Patch) -> None:
    if planted.history not in HARMLESS:
        world = await lived(planted.history)
        assert any(said.handled_at for said in world.said.values())
        HARMLESS.add(planted.history)
    planted.plant(monkeypatch)
    with pytest.raises(Broken):
        await lived(planted.history)

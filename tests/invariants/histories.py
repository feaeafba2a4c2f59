"""Random histories: what people, networks and faults may do, in any order. Each step says what it does when printed."""

from dataclasses import dataclass
from typing import assert_never

from hypothesis import strategies as st

from bridges.email.api import Refused, SendResult
from bridges.unsent import NotSent, Unknown
from policies.case import CaseId
from rooms.ids import UserId
from tests.invariants.people import PLAIN, Form, Post, Sealing, Words, open_chat, order, send_mail, write
from tests.invariants.world import (
    ALICE,
    BEA,
    BOB,
    CARL,
    DAN,
    EVE,
    INES,
    MAIL_PEOPLE,
    MALLORY,
    MATRIX_PEOPLE,
    MIA,
    World,
)


@dataclass(frozen=True)
class Command:
    """A mediator gives a command, at a desk or elsewhere."""

    text: str
    case: int = 0
    by: UserId = MIA
    api: bool = False


@dataclass(frozen=True)
class Confirm:
    """The mediator, or whoever it was put to, says yes to the last question."""

    case: int = 0
    by: UserId = MIA


@dataclass(frozen=True)
class Say:
    """Somebody posts in a room they are in."""

    who: UserId
    room: int
    words: Words = PLAIN


@dataclass(frozen=True)
class Mail:
    """Somebody writes a mail."""

    who: str
    kind: Post = Post.REPLY
    pick: int = 0


@dataclass(frozen=True)
class Come:
    """Somebody accepts their invitations."""

    who: UserId


@dataclass(frozen=True)
class Go:
    """Somebody leaves a room, or turns an invitation down."""

    who: UserId
    room: int


@dataclass(frozen=True)
class Intrude:
    """An administrator of the homeserver forces somebody into a room, or breaks its settings."""

    who: UserId
    room: int


@dataclass(frozen=True)
class Keys:
    """Keys that were late arrive."""


@dataclass(frozen=True)
class Work:
    """The service works on so many items, chosen so."""

    choices: tuple[int, ...]


@dataclass(frozen=True)
class Deliver:
    """The homeserver tells of so many events."""

    number: int


@dataclass(frozen=True)
class Repeat:
    """The homeserver tells of old events again."""

    start: int
    number: int


@dataclass(frozen=True)
class Garbage:
    """Something comes that nobody should send."""

    room: int
    kind: str
    sender: UserId


@dataclass(frozen=True)
class Rest:
    """Nothing happens until the service has nothing left to do."""

    joined: bool = True


@dataclass(frozen=True)
class Fault:
    """After so many boundaries, something goes wrong."""

    kind: str
    after: int


@dataclass(frozen=True)
class Smtp:
    """The mail server answers the next mail so."""

    verdict: SendResult


@dataclass(frozen=True)
class Look:
    """Everybody who takes part by mail opens the page."""


@dataclass(frozen=True)
class Enrol:
    """Somebody confirms their mailbox, with link and PIN, wherever they take part by it, and agrees to words."""

    who: str


@dataclass(frozen=True)
class Vouched:
    """A mailbox is nobody's but on a mediator's word, as earlier versions left it; its owner has mails to answer."""

    who: str


@dataclass(frozen=True)
class Wait:
    """Time passes."""


@dataclass(frozen=True)
class Restart:
    """The service is stopped and started."""


Step = (
    Command | Confirm | Say | Mail | Come | Go | Intrude | Keys | Work | Deliver | Repeat | Garbage | Rest | Fault
    | Smtp | Enrol | Vouched | Wait | Look | Restart
)  # fmt: skip

ADDITIONS = (
    "Alice @alice:example.org on Smith",
    "Alice @alice:example.org on Jones",
    "Bob @bob:example.org as counsel on Jones",
    "Bob @bob:example.org as supporter on Smith",
    "Dan @dan:example.org as interpreter on Smith",
    "Dan @dan:example.org as interpreter on Jones",
    "Dan @dan:example.org as observer",
    "Carl carl@example.net on Jones",
    "Carl carl@example.net on Smith",
    "Bea bea@example.com",
    "Bea bea@example.com as counsel on Smith",
    "Bea bea@example.com as counsel on Jones",
    "Eve eve@example.net as expert",
    "Eve eve@example.net as interpreter on Jones",
    "Eve eve@example.net as interpreter on Smith",
    "Mallory @mallory:elsewhere.example",
    "Ghost @_mediatrix_x:example.org",
    "Carlos carl@example.net on Smith",
)
ORDERS = (
    "!board",
    "!mediator add Ines @ines:example.org",
    "!side add Brown",
    "!side list",
    "!open",
    "!status",
    "!held",
    "!held 1",
    "!held 2",
    "!dead",
    "!dead retry 1",
    "!dead discard 1",
    "!opne",
    "!mail pause Carl",
    "!mail resume Carl",
    "!mail links Carl",
    "!mail invite Carl",
    "!mail pin Carl",
    "!mail status Bea",
    "!digest Carl 18:00",
    "!digest Bea 8:00,18:00",
    "!digest Carl off",
    "!help",
    "!dry party remove Carl",
    "!dry close",
    "!dry held 1 post",
)
COURSE = (
    "!pause",
    "!pause for 2d",
    "!resume",
    "!resume",
    "!withdraw Alice",
    "!withdraw Carl",
    "!resume Alice",
    "!settle",
)
FLOOR = (
    "!mode open",
    "!mode open",
    "!mode open for 1h",
    "!mode released",
    "!mode locked for 1h",
    "!mode moderated",
    "!mode closed",
    "!turn Alice 10m",
    "!turn Carl",
    "!turn Bob 5m",
    "!turn off",
    "!mute Carl 1h",
    "!mute Alice",
    "!unmute Carl",
    "!unmute Alice",
    "!slow 10m",
    "!slow off",
    "!cool 30m",
    "!cool off",
    "!undo",
    "!undo",
    "!timezone Europe/Berlin",
    "!timezone Carl America/New_York",
    "!rules late-edit dry",
    "!rules joint-file dry",
    "!rules edits 30m",
)
CORRECTIONS = (
    "!party side Alice on Jones",
    "!party side Alice on Smith",
    "!party side Bob on Smith",
    "!party side Carl on Smith",
    "!party side Carl on Brown",
    "!party side Bea on Jones",
)
SECOND = (
    "add Alice eve@example.net",
    "add Alice bea@example.com",
    "add Carl @dan:example.org",
    "add Carl @bob:example.org",
    "add Bob eve@example.net",
    "add Bea @alice:example.org",
    "leave Alice (mail)",
    "leave Alice (matrix)",
    "leave Carl (mail)",
    "leave Carl (matrix)",
    "leave Bob (matrix)",
)
"""Channels of people who take part already."""
NAMES = ("Alice (mail)", "Carl (mail)", "Alice", "Bob", "Dan", "Carl", "Bea", "Eve", "Ines", "Mia")
GARBAGE = ("m.room.encrypted", "m.room.member", "m.room.message", "m.room.redaction", "x")
VERDICTS = (NotSent("down"), Unknown("no answer"), Refused(451, False, "later"), Refused(550, True, "never"))
FAULTS = ("crash", "crash", "failure", "silence", "surprise", "arrival")

Phrase = tuple[Step, ...]


def _one(*steps: st.SearchStrategy[Step]) -> st.SearchStrategy[Phrase]:
    return st.one_of(*steps).map(lambda step: (step,))


NUMBERS = st.integers(0, 7)
CASES = st.sampled_from((0, 0, 0, 1))
RESTS: st.SearchStrategy[Phrase] = st.sampled_from(((Rest(),), (Rest(),), (Rest(joined=False),), ()))
WORDS = st.builds(Words, st.sampled_from(Form), st.sampled_from(Sealing), st.integers(0, 30))


def _command(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Step]:
    return st.builds(Command, texts, CASES, st.sampled_from((MIA, MIA, MIA, INES, ALICE)), st.booleans())


def _then(first: st.SearchStrategy[Step], *more: st.SearchStrategy[Phrase]) -> st.SearchStrategy[Phrase]:
    return st.tuples(first.map(lambda step: (step,)), *more).map(lambda parts: tuple(s for part in parts for s in part))


WRITING = _one(
    st.builds(Say, st.sampled_from((ALICE, BOB, DAN, MIA)), NUMBERS),
    st.builds(Mail, st.sampled_from(MAIL_PEOPLE), pick=NUMBERS),
    st.builds(Say, st.sampled_from(MATRIX_PEOPLE), NUMBERS, WORDS),
    st.builds(Mail, st.sampled_from(MAIL_PEOPLE), st.sampled_from(Post), NUMBERS),
)
MEDIATING = st.one_of(
    _then(_command(st.sampled_from(ADDITIONS).map("!party add {}".format)), RESTS),
    _then(_command(st.sampled_from(NAMES).map("!consent {}: yes".format)), RESTS),
    _then(_command(st.sampled_from(NAMES).map("!party remove {}".format)), RESTS, st.just((Confirm(),)), RESTS),
    _then(_command(st.sampled_from(CORRECTIONS)), RESTS, st.just((Confirm(),)), RESTS),
    _then(_command(st.sampled_from(SECOND).map("!channel {}".format)), RESTS, st.just((Confirm(),)), RESTS),
    _then(_command(st.just("!handover Ines @ines:example.org")), RESTS, st.just((Confirm(by=INES),)), RESTS),
    _then(_command(st.just("!repair")), RESTS, st.just((Confirm(),)), RESTS),
    _then(_command(st.sampled_from(ORDERS)), RESTS),
    _then(_command(st.sampled_from(FLOOR)), RESTS),
    _then(_command(st.sampled_from((*COURSE, "!close"))), RESTS, st.just((Confirm(),)), RESTS),
)
MOVING = _one(
    st.builds(Come, st.sampled_from(MATRIX_PEOPLE)),
    st.builds(Go, st.sampled_from(MATRIX_PEOPLE), NUMBERS),
    st.builds(Enrol, st.sampled_from(MAIL_PEOPLE)),
    st.builds(Vouched, st.sampled_from(MAIL_PEOPLE)),
    st.builds(Intrude, st.sampled_from((MALLORY, ALICE, BOB, DAN)), NUMBERS),
)
WORKING = _one(
    st.builds(Work, st.lists(st.integers(0, 9), min_size=1, max_size=12).map(tuple)),
    st.builds(Deliver, st.integers(1, 10)),
    st.builds(Rest, st.booleans()),
)
MISHAPS = _one(
    st.builds(Fault, st.sampled_from(FAULTS), st.integers(0, 40)),
    st.builds(Smtp, st.sampled_from(VERDICTS)),
    st.builds(Repeat, st.integers(0, 200), st.integers(1, 20)),
    st.builds(Garbage, NUMBERS, st.sampled_from(GARBAGE), st.sampled_from(MATRIX_PEOPLE)),
    st.sampled_from((Keys(), Wait(), Look(), Restart())),
)
PHRASES = st.one_of(WRITING, WRITING, WRITING, MEDIATING, MEDIATING, MOVING, WORKING, WORKING, MISHAPS)

BEGUN: Phrase = (
    Command("!case new Smith and Jones"),
    Rest(),
    Command("!party add Alice @alice:example.org on Smith"),
    Command("!party add Carl carl@example.net on Jones"),
    Command("!consent Carl: yes"),
    Rest(joined=False),
    Enrol(CARL),
    Command("!open"),
    Command("!mode open"),
)
"""A case with a party on each side, one of them by mail, everything still under way."""
SETTLED: Phrase = (
    *BEGUN,
    Rest(),
    Say(ALICE, 0),
    Say(ALICE, 1),
    Rest(),
    Mail(CARL),
    Mail(CARL, pick=1),
    Rest(),
)
"""The same, with everyone in, and some words said on all sides."""
TWO: Phrase = (
    *SETTLED,
    Command("!case new Blue and Green"),
    Rest(),
    Command("!party add Carl carl@example.net on Blue", 1),
    Command("!party add Alice @alice:example.org on Green", 1),
    Command("!party add Bob @bob:example.org on Blue", 1),
    Rest(),
)
"""And a second case, in which the same people are on other sides."""
FULL: Phrase = (
    *SETTLED,
    *(
        Command(f"!party add {who}")
        for who in (
            "Bea bea@example.com as counsel on Smith",
            "Eve eve@example.net as interpreter on Jones",
            "Eve eve@example.net as interpreter on Smith",
            "Bob @bob:example.org as counsel on Jones",
            "Dan @dan:example.org as observer",
        )
    ),
    Command("!mediator add Ines @ines:example.org"),
    Command("!consent Bea: yes"),
    Command("!consent Eve: yes"),
    Rest(),
    Enrol(BEA),
    Enrol(EVE),
    Rest(),
)
"""Everybody in one case: on both sides somebody by mail, and an interpreter on both."""


def _histories(phrases: int) -> st.SearchStrategy[tuple[Step, ...]]:
    """Of so many phrases: left to itself, hypothesis makes few and short lists."""
    return st.builds(
        lambda start, said: tuple(step for phrase in (start, *said) for step in phrase),
        st.sampled_from((BEGUN, SETTLED, FULL, FULL, TWO)),
        st.lists(PHRASES, min_size=phrases, max_size=phrases),
    )


HISTORIES = st.integers(0, 30).flatmap(_histories)


async def play(world: World, steps: tuple[Step, ...]) -> None:
    """Live through a history, to its end."""
    await world.start()
    await open_chat(world)
    for step in steps:
        world.now += 1
        await happen(world, step)
    await world.finish()
    await world.ask_the_api()
    await world.look()


async def happen(world: World, step: Step) -> None:  # noqa: C901, PLR0912 (one arm a kind of step)
    """One step; what isn't possible at the moment doesn't happen."""
    match step:
        case Command():
            await _order(world, step)
        case Confirm(case, by):
            await _confirm(world, case, by)
        case Say(who, number, words):
            rooms = [room for room in world.rooms_of(who, "join") if world.place(room.id)]
            if rooms:
                await write(world, who, rooms[number % len(rooms)], words)
        case Mail(who, kind, pick):
            await send_mail(world, who, kind, pick)
        case Come(who):
            for room in world.rooms_of(who, "invite"):
                await world.join(who, room)
        case Go(who, number):
            rooms = world.rooms_of(who, "join", "invite")
            if rooms and rooms[number % len(rooms)].id != world.lobby:
                await world.leave(who, rooms[number % len(rooms)])
        case Intrude(who, number):
            world.intrude(who, number)
        case Enrol(who):
            await world.enrol(who)
        case Vouched(who):
            await world.vouch(who)
        case Keys():
            await world.keys_arrive()
        case Work(choices):
            for choice in choices:
                await world.work(choice)
        case Deliver(number):
            await world.deliver(number)
        case Repeat(start, number):
            await world.deliver_again(start, number)
        case Garbage(number, kind, sender):
            await world.garbage(number, kind, sender)
        case Rest(joined):
            await world.settle()
            if joined:
                await world.everyone_joins()
                await world.settle()
        case Fault(kind, after):
            world.fault = (kind, after)
        case Smtp(verdict):
            world.post_office.verdicts.append(verdict)
            world.refusals = True
        case Look():
            await world.look()
        case Wait():
            await world.time_passes()
        case Restart():
            await world.restart()
        case _:
            assert_never(step)


async def _order(world: World, step: Command) -> None:
    world.repeated = world.repeated or "retry" in step.text
    if step.text.startswith("!case new"):
        assert world.lobby is not None
        await order(world, world.synapse.all_rooms[world.lobby], step.text)
        return
    cases = list(world.database.committed.cases)
    case = cases[step.case % len(cases)] if cases else None
    if case is None:
        return
    if step.api:
        await world.api(case, step.text)
    elif desk := world.desk(case):
        await order(world, desk, step.text, step.by)


async def _confirm(world: World, number: int, by: UserId) -> None:
    cases = list(world.database.committed.cases)
    case = cases[number % len(cases)] if cases else CaseId("none")
    desk, code = world.desk(case), world.question(case)
    if desk and code:
        await order(world, desk, code, by)

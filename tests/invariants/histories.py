"""Random histories: what people, networks and faults may do, in any order. Each step says what it does when printed."""

from dataclasses import dataclass
from typing import assert_never

from hypothesis import strategies as st

from bridges.email.api import NotSent, Refused, SendResult, Unknown
from policies.case import CaseId
from rooms.ports import UserId
from tests.invariants.people import PLAIN, Form, Post, Sealing, Words, open_chat, order, send_mail, write
from tests.invariants.world import ALICE, BOB, CARL, DAN, INES, MAIL_PEOPLE, MALLORY, MATRIX_PEOPLE, MIA, World


@dataclass(frozen=True)
class Command:
    """A mediator gives a command, at a desk or elsewhere."""

    text: str
    case: int = 0
    by: UserId = MIA
    api: bool = False


@dataclass(frozen=True)
class Confirm:
    """The mediator says yes to the last question."""

    case: int = 0


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
class Wait:
    """Time passes."""


@dataclass(frozen=True)
class Restart:
    """The service is stopped and started."""


Step = (
    Command | Confirm | Say | Mail | Come | Go | Intrude | Keys | Work | Deliver | Repeat | Garbage | Rest | Fault
    | Smtp | Wait | Restart
)  # fmt: skip

COMMANDS = (
    "!party add Alice @alice:example.org on Smith",
    "!party add Alice @alice:example.org on Jones",
    "!party add Bob @bob:example.org as counsel on Jones",
    "!party add Bob @bob:example.org as supporter on Smith",
    "!party add Dan @dan:example.org as interpreter on Smith",
    "!party add Dan @dan:example.org as interpreter on Jones",
    "!party add Dan @dan:example.org as observer",
    "!party add Carl carl@example.net on Jones",
    "!party add Carl carl@example.net on Smith",
    "!party add Bea bea@example.com",
    "!party add Bea bea@example.com as counsel on Smith",
    "!party add Eve eve@example.net as expert",
    "!party add Eve eve@example.net as interpreter on Jones",
    "!party add Eve eve@example.net as interpreter on Smith",
    "!party remove Alice",
    "!party remove Bob",
    "!party remove Carl",
    "!party remove Bea",
    "!party remove Eve",
    "!party remove Dan",
    "!mediator add Ines @ines:example.org",
    "!party remove Ines",
    "!side add Brown",
    "!side list",
    "!consent Carl: yes",
    "!consent Bea: yes",
    "!consent Eve: yes",
    "!open",
    "!status",
    "!repair",
    "!held",
    "!held 1",
    "!held 2",
    "!dead",
    "!dead retry 1",
    "!dead discard 1",
    "!opne",
    "!party add Mallory @mallory:elsewhere.example",
    "!party add Ghost @_mediatrix_x:example.org",
    "!party add Carlos carl@example.net on Smith",
)
GARBAGE = ("m.room.encrypted", "m.room.member", "m.room.message", "m.room.redaction", "x")
ROOMS = st.integers(0, 7)
WORDS = st.builds(Words, st.sampled_from(Form), st.sampled_from(Sealing), st.integers(0, 30))
SAY = st.builds(Say, st.sampled_from(MATRIX_PEOPLE), ROOMS, WORDS)
TALK = st.builds(Say, st.sampled_from((ALICE, BOB, DAN, MIA)), ROOMS)
MAIL = st.builds(Mail, st.sampled_from(MAIL_PEOPLE), st.sampled_from(Post), st.integers(0, 9))
ANSWER = st.builds(Mail, st.sampled_from(MAIL_PEOPLE), pick=st.integers(0, 9))
COMMAND = st.builds(
    Command, st.sampled_from(COMMANDS), st.integers(0, 1), st.sampled_from((MIA, MIA, INES)), st.booleans()
)
WORK = st.builds(Work, st.lists(st.integers(0, 9), min_size=1, max_size=12).map(tuple))
FAULT = st.builds(Fault, st.sampled_from(("crash", "crash", "failure", "silence", "surprise")), st.integers(0, 40))
SMTP = st.builds(
    Smtp,
    st.sampled_from((NotSent("down"), Unknown("no answer"), Refused(451, False, "later"), Refused(550, True, "never"))),
)
STEP: st.SearchStrategy[Step] = st.one_of(
    TALK, ANSWER, SAY, MAIL, COMMAND, COMMAND, WORK, WORK, FAULT,
    st.builds(Rest, st.booleans()), st.builds(Rest),
    st.builds(Confirm, st.integers(0, 1)), st.builds(Confirm),
    st.builds(Come, st.sampled_from(MATRIX_PEOPLE)),
    st.builds(Go, st.sampled_from(MATRIX_PEOPLE), ROOMS),
    st.builds(Intrude, st.sampled_from((MALLORY, ALICE, BOB, DAN)), ROOMS),
    st.builds(Deliver, st.integers(1, 10)),
    st.builds(Repeat, st.integers(0, 200), st.integers(1, 20)),
    st.builds(Garbage, ROOMS, st.sampled_from(GARBAGE), st.sampled_from(MATRIX_PEOPLE)),
    SMTP, st.just(Keys()), st.just(Wait()), st.just(Restart()),
)  # fmt: skip

BEGUN: tuple[Step, ...] = (
    Command("!case new Smith and Jones"),
    Rest(),
    Command("!party add Alice @alice:example.org on Smith"),
    Command("!party add Carl carl@example.net on Jones"),
    Command("!consent Carl: yes"),
    Command("!open"),
)
"""A case with a party on each side, one of them by mail, everything still under way."""
SETTLED: tuple[Step, ...] = (
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
TWO: tuple[Step, ...] = (
    *SETTLED,
    Command("!case new Blue and Green"),
    Rest(),
    Command("!party add Carl carl@example.net on Blue", 1),
    Command("!party add Alice @alice:example.org on Green", 1),
    Command("!party add Bob @bob:example.org on Blue", 1),
    Rest(),
)
"""And a second case, in which the same people are on other sides."""

HISTORIES: st.SearchStrategy[tuple[Step, ...]] = st.builds(
    lambda start, steps: (*start, *steps), st.sampled_from((BEGUN, SETTLED, SETTLED, TWO)), st.lists(STEP, max_size=25)
)


async def play(world: World, steps: tuple[Step, ...]) -> None:
    """Live through a history, to its end."""
    await world.start()
    await open_chat(world)
    for step in steps:
        world.now += 1
        await happen(world, step)
    await world.finish()
    await world.ask_the_api()


async def happen(world: World, step: Step) -> None:  # noqa: C901, PLR0912 (one arm a kind of step)
    """One step; what isn't possible at the moment doesn't happen."""
    match step:
        case Command():
            await _command(world, step)
        case Confirm(case):
            await _confirm(world, case)
        case Say(who, number, words):
            rooms = world.rooms_of(who, "join")
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
        case Wait():
            await world.time_passes()
        case Restart():
            await world.restart()
        case _:
            assert_never(step)


async def _command(world: World, step: Command) -> None:
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


async def _confirm(world: World, number: int) -> None:
    cases = list(world.database.committed.cases)
    case = cases[number % len(cases)] if cases else CaseId("none")
    desk, code = world.desk(case), world.question(case)
    if desk and code:
        await order(world, desk, code)

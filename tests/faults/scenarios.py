"""What goes on while something is cut off, and what must have come of it however it was cut."""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta

from policies.case import DESK
from rooms.ids import UserId
from rooms.queue import State
from tests.appservice.crypto.megolm import message_index
from tests.fakes.synapse import Room
from tests.faults.boundaries import Cut
from tests.faults.clock import Clock
from tests.faults.house import CASE, PEOPLE, PLAIN, House, Setting, in_session
from tests.invariants.world import ALICE, BOB, BOT, CARL, MIA

FAR = 10**6
"""A boundary that is never reached."""
ROOMS_OF_A_CASE = 7
"""A desk, a joint room, two caucuses, and three Spaces."""


class Broken(AssertionError):
    """A promise was broken."""


@dataclass(frozen=True)
class Scenario:
    """Something that goes on, with a word of its own each time; and what must have come of it."""

    name: str
    goes_on: Callable[[House, str], Awaitable[None]]
    kept: Callable[[House, str], Awaitable[None]]
    setting: Setting = PLAIN
    begins: Callable[[House], Awaitable[None]] = in_session
    """Before anything is cut, once."""
    fails: str | None = None
    """How the desk is told of what is refused in it, if something is: then `kept` looks for who is told so."""


async def cut_at(house: House, scenario: Scenario, cut: Cut, boundary: int, only: str | None = None) -> str | None:
    """Play it once, cut there (`only`: of the boundaries of one name); the name, None if it was over before."""
    word = re.sub(r"\W", "", f"{cut.name.lower()}{boundary}{only or ''}")
    await house.rotate()
    house.played += 1
    house.boundaries.cut(cut, boundary, only)
    await scenario.goes_on(house, word)
    fell_before = house.boundaries.fell
    await house.drain()
    fell = house.boundaries.uncut()
    if fell and not fell_before:
        await house.drain()  # of which that may have been the last round
    try:
        await scenario.kept(house, word)
        await nothing_is_wrong(house, scenario.fails)
    except Broken as broken:
        raise Broken(f"{cut.value}, at boundary {boundary}, {fell!r}: {broken}") from broken
    await house.discard_unknown()
    return fell


_TO_DECIDE = re.compile(
    "people unknown: "
    "((a mail to|a WhatsApp message to|a notice for) (Carl|Bea)|an answer to S|the release|the document)"
)
"""What may have left by a network that can't be asked, in the words of the desk."""
_WHAT_THE_DESK_DECIDES = (
    "Perhaps not delivered",
    "Not delivered:\n",
    "Trying number ",
)
"""Of each there is an item; and what Mia is shown of those when she asks."""


async def nothing_is_wrong(house: House, fails: str | None = None) -> None:
    """Everything is done, but for mails that a person has to decide about; everybody can read everything."""
    left = [item for item in await house.unfinished() if not _TO_DECIDE.match(item)]
    unread = [
        text
        for user in PEOPLE
        for room in house.synapse.all_rooms.values()
        for text in await house.reads(user, room)
        if not (fails and text.startswith(fails))
        and (
            text.startswith(("UNDECRYPTABLE", "Not delivered"))
            or ("could not be" in text and not text.startswith(_WHAT_THE_DESK_DECIDES))
        )
    ]
    sent = [event.content for event in house.synapse.history if event.type == "m.room.encrypted"]
    indexes = Counter((content["session_id"], message_index(content["ciphertext"])) for content in sent)
    twice = [index for index, count in indexes.items() if count > 1]
    for what, found in (("left", left), ("unread", unread), ("used twice", twice), ("said", house.synapse.complaints)):
        if found:
            raise Broken(f"{what}: {found}")


# --- from Matrix to mail


async def alice_posts(house: House, word: str) -> None:
    for text in _numbered(word):
        await house.post(ALICE, await house.room(), text)
    await house.work_off()


async def carl_is_mailed(house: House, word: str) -> None:
    """Each once at most, in order; and the desk heard of each."""
    await left_once(house, _numbered(word), [mail.text for mail in house.post_office.mailbox(CARL)])
    texts = await house.reads(MIA, await house.room(DESK))
    notices = [text for text in texts if text.startswith("Alice wrote in EVERYONE")]
    if len(notices) - house.noticed != len(_numbered(word)):
        raise Broken(f"the desk was told of {len(notices) - house.noticed} posts")
    house.noticed = len(notices)


async def left_once(house: House, words: Sequence[str], mails: Sequence[str]) -> None:
    """Each once at most, in order; what was under way when the process died, a mediator sees."""
    found = [text for mail in mails for text in words if f"| {text}\n" in mail]
    _equal(found, [text for text in words if text in found], "mailed")
    await the_rest_is_unknown(house, len(found), len(words))


async def the_rest_is_unknown(house: House, arrived: int, wanted: int) -> None:
    """What did not arrive; and the desk was told of it."""
    unknown = await house.items(State.UNKNOWN)
    if arrived + unknown < wanted:
        raise Broken(f"{arrived} of {wanted} arrived, and {unknown} are unknown")
    texts = await house.reads(MIA, await house.room(DESK))
    if len([text for text in texts if "Perhaps not delivered" in text]) < unknown:
        raise Broken("the desk was not told of what is unknown")


async def alice_posts_before_a_digest(house: House, word: str) -> None:
    """What she says goes together, when its time has come."""
    soon = Clock.now(UTC) + timedelta(minutes=30)
    await house.post(MIA, await house.room(DESK), f"!digest Carl {soon:%H:%M} UTC")
    await house.drain()
    await alice_posts(house, word)
    Clock.ahead += timedelta(hours=1)
    await house.work_off()


async def carl_is_mailed_once(house: House, word: str) -> None:
    """What he got at all, he got together; but for what was taken only when the time of the digest was past."""
    late = any("it goes with the digest" in item for item in await house.unfinished())
    if late:
        Clock.ahead += timedelta(days=1)
        await house.drain()
    await carl_is_mailed(house, word)
    mails = [mail for mail in house.post_office.mailbox(CARL) if f"| {word} " in mail.text]
    if len(mails) > 1 + late:
        raise Broken(f"{len(mails)} mails instead of one")


# --- from mail to Matrix


async def carl_writes(house: House, word: str) -> None:
    letter = house.letter(CARL, "EVERYONE")
    for text in _numbered(word):
        await house.mail(letter, text)
    await house.work_off()


async def everyone_reads(house: House, word: str) -> None:
    for user in PEOPLE:
        shown = [text for text in await house.reads(user, await house.room()) if text.startswith(f"{word} ")]
        _equal(shown, _numbered(word), f"what {user} reads")
    if await house.items(State.UNKNOWN):
        raise Broken("something is unknown that was no mail")


# --- somebody is removed, and comes back


async def bob_is_removed_and_comes_back(house: House, word: str) -> None:
    desk = await house.room(DESK)
    await agreed_by_mia(house, "!party remove Bob")
    await house.post(ALICE, await house.room(), f"{word} without Bob")
    await house.drain()
    await house.post(MIA, desk, f"!party add Bob {BOB} as counsel on Jones")
    await house.drain()
    await house.mail(house.letter(CARL, "EVERYONE"), f"{word} with Bob")
    await house.drain()


async def agreed_by_mia(house: House, command: str) -> None:
    """She says it at the desk, and says yes."""
    desk = await house.room(DESK)
    await house.post(MIA, desk, command)
    await house.drain()
    await house.post(MIA, desk, await code_asked(house, desk))
    await house.drain()


async def code_asked(house: House, room: Room, user: UserId = MIA) -> str:
    """The yes to what somebody was asked last in a room."""
    asked = [text for text in await house.reads(user, room) if "“yes " in text]
    return asked[-1].partition("“")[2].partition("”")[0]


async def bob_missed_what_was_said_without_him(house: House, word: str) -> None:
    joint, desk = await house.room(), await house.room(DESK)
    for user in PEOPLE:
        shown = [text for text in await house.reads(user, joint) if text.startswith(f"{word} ")]
        wanted = [f"{word} without Bob"] if user == MIA else []
        _equal(shown, [*wanted, f"{word} with Bob"], f"what {user} reads")
    if BOB not in joint.joined or BOB in desk.joined:
        raise Broken("Bob is not where he belongs")


# --- words are released


async def alices_words_are_released(house: House, word: str) -> None:
    """She submits them and agrees; the mediator looks at them and releases them."""
    desk, private = await house.room(DESK), await house.room(await house.caucus_of("Alice"))
    await house.post(ALICE, private, f"!submit: {word} released")
    await house.drain()
    await house.post(ALICE, private, await code_asked(house, private, ALICE))
    await house.drain()
    numbers = [found for text in await house.reads(MIA, desk) for found in re.findall(r"\bR\d+\b", text)]
    await agreed_by_mia(house, f"!release {numbers[-1]}")


async def alices_words_are_released_by_votes(house: House, word: str) -> None:
    """The same, answered in the polls."""
    desk, private = await house.room(DESK), await house.room(await house.caucus_of("Alice"))
    await house.post(ALICE, private, f"!submit: {word} released")
    await house.drain()
    await house.vote(ALICE, private)
    await house.drain()
    numbers = [found for text in await house.reads(MIA, desk) for found in re.findall(r"\bR\d+\b", text)]
    await house.post(MIA, desk, f"!release {numbers[-1]}")
    await house.drain()
    await house.vote(MIA, desk)
    await house.drain()


async def they_stand_once_where_all_read(house: House, word: str) -> None:
    quoted = f"> {word} released"
    for user in PEOPLE:
        shown = [text for text in await house.reads(user, await house.room()) if quoted in text]
        if len(shown) != 1:
            raise Broken(f"{user} reads {shown}")
    mailed = [mail for mail in house.post_office.mailbox(CARL) if f"{word} released" in mail.text]
    if len(mailed) > 1 or len(mailed) + await house.items(State.UNKNOWN) < 1:
        raise Broken(f"Carl was mailed {len(mailed)} times")
    await each_question_had_one_poll(house, ALICE, await house.room(await house.caucus_of("Alice")))
    await each_question_had_one_poll(house, MIA, await house.room(DESK))


async def each_question_had_one_poll(house: House, user: UserId, room: Room) -> None:
    """And it is over, for the question was answered."""
    text = "\n".join(await house.reads(user, room))
    asked = Counter(re.findall(r"yes or no to this \((\w{4})\)", text))
    ended = Counter(re.findall(r"The question (\w{4}) is closed", text))
    if not asked or max(asked.values()) > 1 or asked != ended:
        raise Broken(f"polls {asked}, and ended {ended}")


# --- what was held is posted


async def what_carl_wrote_is_held_and_posted(house: House, word: str) -> None:
    """In a room where only the mediator writes."""
    desk = await house.room(DESK)
    await house.post(MIA, desk, "!mode released")
    await house.drain()
    await house.mail(house.letter(CARL, "EVERYONE"), f"{word} held")
    await house.drain()
    await house.post(MIA, desk, "!held")
    await house.drain()
    listed = [text for text in await house.reads(MIA, desk) if text.startswith("Held (")]
    await agreed_by_mia(house, f"!held {re.findall(r'^([0-9]+)[.]', listed[-1], re.MULTILINE)[-1]} post")


async def it_stands_once_where_it_was_meant(house: House, word: str) -> None:
    for user in PEOPLE:
        shown = [text for text in await house.reads(user, await house.room()) if f"{word} held" in text]
        _equal(shown, [f"Carl’s words, released by the mediator:\n> {word} held"], f"what {user} reads")


# --- a case is opened


async def no_case_is_there(_: House) -> None:
    """It is yet to be opened."""


async def a_case_is_opened(house: House, _: str) -> None:
    await house.open_case()
    await house.work_off()
    if not house.post_office.links:
        await house.rest()  # whoever has not got the link yet confirms nothing
    await house.enrol(CARL)
    await house.work_off()


async def it_stands_once(house: House, _: str) -> None:
    made = [room for room in house.synapse.all_rooms.values() if room.creator == BOT]
    if len(made) != ROOMS_OF_A_CASE:
        raise Broken(f"{len(made)} rooms were made")
    ghosts = {user for user in house.synapse.users if user.startswith("@_mediatrix_")} - {BOT}
    if len(ghosts) != 1:
        raise Broken(f"{len(ghosts)} ghosts were made for one person")
    for event in house.synapse.history:
        if event.content.get("membership") == "leave":
            raise Broken(f"{event.state_key} was sent away")
    _equal(sorted((await house.room(case=CASE)).joined), sorted({BOT, *ghosts, *PEOPLE}), "who is in the joint room")
    subjects = [mail.subject for mail in house.post_office.mailbox(CARL)]
    if max(Counter(subjects).values(), default=0) > 1 or len(subjects) + await house.items(State.UNKNOWN) < 2:
        raise Broken(f"Carl was sent {subjects}")
    if len(house.post_office.links) + await house.items(State.UNKNOWN) < 1 or len(house.post_office.links) > 1:
        raise Broken(f"Carl was sent {len(house.post_office.links)} links")


def _numbered(word: str) -> list[str]:
    return [f"{word} first", f"{word} second"]


def _equal(found: list[str] | list[UserId], wanted: list[str] | list[UserId], what: str) -> None:
    if found != wanted:
        raise Broken(f"{what}: {found} instead of {wanted}")


POST = Scenario("a post becomes a mail", alice_posts, carl_is_mailed)
DIGEST = Scenario("posts become one mail", alice_posts_before_a_digest, carl_is_mailed_once)
MAIL = Scenario("a mail becomes a post", carl_writes, everyone_reads)
REMOVAL = Scenario(
    "somebody is removed and comes back", bob_is_removed_and_comes_back, bob_missed_what_was_said_without_him
)
RELEASE = Scenario("words are released", alices_words_are_released, they_stand_once_where_all_read)
HELD = Scenario("what was held is posted", what_carl_wrote_is_held_and_posted, it_stands_once_where_it_was_meant)
OPENING = Scenario("a case is opened", a_case_is_opened, it_stands_once, begins=no_case_is_there)
VOTES = Scenario("words are released by votes", alices_words_are_released_by_votes, they_stand_once_where_all_read)

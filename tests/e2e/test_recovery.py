"""Whatever dies: nothing accepted is lost, nothing is doubled into Matrix, and everything can be read in the end."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest
import pytest_asyncio

from sandbox.client import TIMEOUT, Client
from sandbox.mail import Behaviour, MailboxItem, Stamp, composed
from sandbox.node import Node
from sandbox.world import World
from tests.e2e.cases import Desk, Staff, arriving, events_of, flaws, mail_address, until

pytest_plugins = ["tests.e2e.cases"]

ROUNDS, EACH = 3, 8


@dataclass(frozen=True)
class Session:
    """A case in session: Alice in Matrix, Carl by mail."""

    desk: Desk
    alice: Client
    carl: str
    joint: str
    caucus: str

    @property
    def world(self) -> World:
        return self.desk.world

    async def letter(self, room: str = "EVERYONE") -> MailboxItem:
        """Carl's first letter of a room, which has the address in it."""
        return await self.world.mail.wait_for(self.carl, lambda mail: mail.subject.startswith(room))

    async def carl_writes(self, text: str) -> None:
        """By mail, to everyone. His mail server tries until it was told 250, as mail servers do."""
        letter = await self.letter()
        mail = self.world.mail
        raw = mail.stamped(composed(self.carl, letter.reply_address, text), self.carl, Stamp.PASS)
        while True:
            try:
                [answer] = await mail.deliver_raw(self.carl, [letter.reply_address], raw)
            except (OSError, TimeoutError):
                answer = "4"
            if answer.startswith("250"):
                return
            assert answer.startswith("4"), answer
            await asyncio.sleep(0.1)

    def mailed(self, texts: Iterable[str]) -> Counter[str]:
        """How often each of these is in Carl's mailbox."""
        bodies = [mail.text for mail in self.world.mail.mailbox(self.carl)]
        return Counter({text: sum(f"{text}\n" in body + "\n" for body in bodies) for text in texts})

    def noticed(self, name: str) -> int:
        """How many posts of that person in the joint room the desk was told of."""
        return self.desk.notices().count(f"{name} wrote in EVERYONE · {self.desk.number}.")

    async def has_noticed(self, name: str, count: int) -> bool:
        return self.noticed(name) == count

    def shown(self, client: Client, texts: Iterable[str]) -> Counter[str]:
        """How often a client shows each of these in the joint room."""
        bodies = Counter(event.body for event in events_of(client, self.joint))
        return Counter({text: bodies[text] for text in texts})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def session(mia: Staff, case_node: Node) -> AsyncIterator[Session]:
    """One case for all tests here: whatever one has done to the service, the next goes on with it."""
    async with arriving(mia.world, case_node) as arrive:
        desk, alice = await asyncio.gather(mia.open_case(), arrive("alice"))
        yield await in_session(desk, alice)


async def in_session(desk: Desk, alice: Client) -> Session:
    carl = mail_address("carl")
    await desk.add("Alice", alice.user_id)
    await desk.add("Carl", carl)
    await desk.confirm("Carl", carl)
    caucus = await desk.caucus(alice)
    return Session(desk, alice, carl, await desk.open(alice), caucus)


@pytest.fixture(autouse=True)
def mail_flows_again(session: Session) -> Iterator[None]:
    """Whatever a test made of the mail server."""
    yield
    session.world.mail.behaviour = Behaviour.DELIVER


async def test_keys_that_the_homeserver_lost_while_the_service_was_away_are_swept(session: Session) -> None:
    world, alice, desk = session.world, session.alice, session.desk
    earlier = session.noticed("Alice")
    await alice.text(session.joint, "Before")
    await until(lambda: session.has_noticed("Alice", earlier + 1), "a notice")
    await world.kill_service()
    await alice.discard_session(session.joint)
    await alice.text(session.joint, "While the service was away")
    await world.homeserver.restart()
    await alice.text(session.joint, "After the homeserver's restart")
    await world.start_service()
    words = ["Before", "While the service was away", "After the homeserver's restart"]

    async def all_mailed() -> bool:
        return all(session.mailed(words).values())

    await until(all_mailed, "all three mailed")
    assert session.mailed(words) == Counter(dict.fromkeys(words, 1))
    await until(lambda: session.has_noticed("Alice", earlier + len(words)), "one notice for each")
    assert not any("could not decrypt" in notice for notice in desk.notices())


async def test_a_key_that_came_over_a_broken_session_is_asked_for_and_the_session_mended(session: Session) -> None:
    """Of a client that knows nothing of it: the service has lost the Olm sessions that Alice's device goes on with."""
    world, alice, desk = session.world, session.alice, session.desk
    await session.letter()
    await world.kill_service()
    with closing(sqlite3.connect(world.config.parent / "mediatrix.db")) as database, database:
        assert database.execute("DELETE FROM crypto_olm_sessions").rowcount
    await world.start_service()
    forwarded = _forwarded(world)
    await alice.discard_session(session.joint)
    await alice.text(session.joint, "On a broken session")
    await world.mail.wait_for(session.carl, lambda item: "On a broken session" in item.text)
    assert _forwarded(world) > forwarded, "its key came by itself"
    forwarded = _forwarded(world)
    await alice.discard_session(session.joint)
    await alice.text(session.joint, "On the mended one")
    await world.mail.wait_for(session.carl, lambda item: "On the mended one" in item.text)
    assert _forwarded(world) == forwarded, "its key had to be asked for, too"
    await session.carl_writes("To Alice, whose session is another now")
    await alice.wait_for_text(session.joint, "To Alice, whose session is another now")
    assert await flaws(alice) == []
    assert not any("could not decrypt" in notice for notice in desk.notices())


def _forwarded(world: World) -> int:
    """How many keys the service has because it asked for them."""
    with closing(sqlite3.connect(world.config.parent / "mediatrix.db")) as reader:
        [[count]] = reader.execute("SELECT count(*) FROM crypto_inbound WHERE origin = 'forwarded'")
        return int(count)


async def test_what_was_accepted_while_the_homeserver_was_away_is_posted_once_it_is_back(session: Session) -> None:
    world = session.world
    await session.letter()
    await world.homeserver.stop()
    await session.carl_writes("Accepted while the homeserver was down")
    await world.kill_service()
    await world.homeserver.start()
    await world.start_service()
    await session.carl_writes("Accepted, and then the lights went out")
    await world.kill_service()
    await world.start_service()
    words = ["Accepted while the homeserver was down", "Accepted, and then the lights went out"]
    for text in words:
        await session.alice.wait_for_text(session.joint, text)
    await session.desk.ask("!dead", "Everything was delivered")
    assert session.shown(session.alice, words) == Counter(dict.fromkeys(words, 1))
    assert await flaws(session.alice) == []


async def test_a_refused_mail_is_shown_and_sent_once_when_the_mediator_retries_it(session: Session) -> None:
    desk, mail = session.desk, session.world.mail
    await session.letter()
    mail.behaviour = Behaviour.REFUSE_RECIPIENT
    await session.alice.text(session.joint, "To a full mailbox")
    shown = await desk.told("Not delivered: a mail to Carl from EVERYONE")
    assert "To a full mailbox" not in shown
    assert session.carl not in shown
    listed = await desk.ask("!dead", "Not delivered:")
    assert "1. a mail to Carl" in listed
    assert "(dead)" in listed
    mail.behaviour = Behaviour.DELIVER
    await desk.ask("!dead retry 2", "There is no undelivered item 2")
    await desk.ask("!dead retry 1", "Trying number 1 again")
    await mail.wait_for(session.carl, lambda item: "To a full mailbox" in item.text)
    await desk.ask("!dead", "Everything was delivered")
    assert session.mailed(["To a full mailbox"])["To a full mailbox"] == 1


async def test_a_mail_that_nobody_answered_for_is_unknown_and_never_repeated_by_itself(session: Session) -> None:
    desk, mail, world = session.desk, session.world.mail, session.world
    await session.letter()
    mail.behaviour = Behaviour.DELIVER_AND_HANG_UP
    await session.alice.text(session.joint, "Taken, but not answered")
    await desk.told("Perhaps not delivered: a mail to Carl from EVERYONE")
    mail.behaviour = Behaviour.HANG_UP
    await session.alice.text(session.joint, "Lost after the dot")
    await until(lambda: _listed(desk, 2), "both listed")
    mail.behaviour = Behaviour.DELIVER
    await world.kill_service()
    await world.start_service()
    await session.alice.text(session.joint, "Later words")
    await mail.wait_for(session.carl, lambda item: "Later words" in item.text)
    words = ["Taken, but not answered", "Lost after the dot"]
    assert session.mailed(words) == Counter({words[0]: 1})
    await desk.ask("!dead discard 1", "Number 1 is discarded")
    await desk.ask("!dead retry 1", "Trying number 1 again")
    await mail.wait_for(session.carl, lambda item: words[1] in item.text)
    await desk.ask("!dead", "Everything was delivered")
    assert session.mailed(words) == Counter(dict.fromkeys(words, 1))


async def _listed(desk: Desk, count: int) -> bool:
    return (await desk.ask("!dead", "elivered")).count("(unknown)") == count


async def test_a_mail_server_that_says_later_is_asked_again(session: Session) -> None:
    mail = session.world.mail
    await session.letter()
    mail.behaviour = Behaviour.DEFER
    earlier = session.noticed("Alice")
    await session.alice.text(session.joint, "Greylisted")
    await until(lambda: session.has_noticed("Alice", earlier + 1), "a notice")
    mail.behaviour = Behaviour.DELIVER
    await mail.wait_for(session.carl, lambda item: "Greylisted" in item.text)
    assert session.mailed(["Greylisted"])["Greylisted"] == 1
    await session.desk.ask("!dead", "Everything was delivered")


@dataclass(frozen=True)
class Said:
    """Everything that everyone says to all while the service dies again and again."""

    alice: list[str]
    mia: list[str]
    carl: list[str]

    @property
    def native(self) -> list[str]:
        return [*self.alice, *self.mia]

    @property
    def once_each(self) -> Counter[str]:
        return Counter([*self.native, *self.carl])


async def say_it_all(session: Session, said: Said) -> None:
    """All at once, and the service killed at random moments."""
    chance = random.Random(20261122)
    world = session.world

    async def write(client: Client, words: list[str]) -> None:
        for text in words:
            await client.text(session.joint, text)
            await asyncio.sleep(chance.uniform(0, 0.3))

    async def mail() -> None:
        for text in said.carl:
            await session.carl_writes(text)

    async def kill() -> None:
        for _ in range(ROUNDS):
            await asyncio.sleep(chance.uniform(0.3, 1.5))
            await world.kill_service()
            await world.start_service()

    await session.letter()
    await asyncio.gather(write(session.alice, said.alice), write(session.desk.mediator, said.mia), mail(), kill())


async def test_killed_again_and_again_under_load_it_loses_and_doubles_nothing(session: Session) -> None:
    said = Said(*([f"{who} number {n}" for n in range(ROUNDS * EACH)] for who in ("Alice", "Mia", "Carl")))
    earlier = {who: session.noticed(who) for who in ("Alice", "Carl")}
    await say_it_all(session, said)

    async def all_shown() -> bool:
        return all(
            all(session.shown(client, said.once_each).values()) for client in (session.alice, session.desk.mediator)
        )

    async def accounted_for() -> bool:
        answer = await session.desk.ask("!dead", "elivered")
        return len(said.native) - session.mailed(said.native).total() <= answer.count("(unknown)")

    async def noticed() -> bool:
        return all(session.noticed(who) == count + ROUNDS * EACH for who, count in earlier.items())

    await until(all_shown, "everything shown to everyone")
    await until(noticed, "one notice for each post of a party")
    await until(accounted_for, "each message mailed, or known to be uncertain", within=2 * TIMEOUT)
    assert max(session.mailed(said.native).values()) == 1
    for client in (session.alice, session.desk.mediator):
        assert session.shown(client, said.once_each) == said.once_each
        assert [e.body for e in events_of(client, session.joint) if e.body in said.carl] == said.carl
        assert await flaws(client, session.joint, session.desk.room) == []

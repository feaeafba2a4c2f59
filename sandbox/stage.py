"""What the story is played on: people at real clients, the places where they meet, and a narrator who checks each step.

Nothing is taken on trust: a post counts once every client that should read it has it, decrypted and without a
warning; each mail and each notice at the desk must be one that the story expects, and none may be left over.
"""

import asyncio
import textwrap
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar
from urllib.parse import quote

from sandbox.client import Client, NotSeen
from sandbox.node import CommandFailed
from sandbox.seen import Room, SeenEvent, SeenMembership
from sandbox.world import World

BOT = "_mediatrix_bot"
PATIENCE = 120.0  # seconds that a step may take at most
_LOOK_EVERY = 0.05
_WIDTH = 100
_NAMES = 9

T = TypeVar("T")


class StoryDiffers(Exception):
    """A step did not go as the story has it."""

    def __init__(self, step: str, expected: str, seen: str) -> None:
        super().__init__(f"the story differs in “{step}”\n  expected: {expected}\n  seen:     {seen}")
        self.step, self.expected, self.seen = step, expected, seen


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody at one device."""

    name: str
    client: Client


@dataclass(slots=True)
class Place:
    """A room, and who reads it at this moment: in Matrix, the reply address of who does by mail, and the number of ours
    with which who does by WhatsApp has a chat."""

    name: str
    room: str
    readers: list[Actor]
    mailed: str | None = None
    chat: str | None = None

    @property
    def title(self) -> str:
        """The room's name, and who reads it: rooms of several sides have the same name."""
        names = [reader.name for reader in self.readers]
        outside = [*(["Carl by mail"] if self.mailed else []), *(["Bea by WhatsApp"] if self.chat else [])]
        return f"{self.name}   ({', '.join([*names, *outside])})"


@dataclass(frozen=True, slots=True)
class Posted:
    """What was said in a place, in all its versions, to be found exactly once by each who read it then."""

    event: str
    words: frozenset[str]
    place: Place
    readers: tuple[Actor, ...]


@dataclass(slots=True)
class Stage:
    """The narrator. `say` takes one line of the transcript at a time.

    `desk` is where the mediator's notices come, once it stands. Every method raises StoryDiffers.
    """

    world: World
    say: Callable[[str], None]
    patience: float = PATIENCE
    desk: Place | None = None
    posted: list[Posted] = field(default_factory=list)
    _step: str = ""
    _scenes: int = 0
    _shown: str = ""
    _notices: set[str] = field(default_factory=set)

    # --- telling

    def scene(self, title: str) -> None:
        """A new scene begins."""
        self._scenes += 1
        self._step, self._shown = title, ""
        self.say("")
        self.say(f"{self._scenes}. {title}")
        self.say("─" * (len(title) + len(str(self._scenes)) + 2))

    def narrate(self, text: str) -> None:
        """What happens outside of the rooms."""
        self._shown = ""
        self.say("")
        self._wrapped(text, "", "")

    def proved(self, fact: str) -> None:
        """Says what the steps before have shown."""
        self._wrapped(fact, "  ✓ ", "    ")

    def holds(self, fact: str, so: bool, seen: object) -> None:
        """Checks a fact that a reader should know, and says it."""
        self.require(fact, so, seen)
        self.proved(fact)

    def require(self, expected: str, so: bool, seen: object) -> None:
        """Checks, without a line."""
        if not so:
            raise StoryDiffers(self._step, expected, str(seen))

    def show(self, place: str, author: str, words: str) -> None:
        """One line of a conversation, under the name of its place."""
        if place != self._shown:
            self._shown = place
            self.say("")
            self.say(f"  ┌ {place}")
        indent = f"  │ {'':<{_NAMES}} " if author else "  │ "
        for i, line in enumerate(words.splitlines() or [""]):
            self._wrapped(line, f"  │ {author:<{_NAMES}} " if author and i == 0 else indent, indent)

    def aside(self, what: str) -> None:
        """What follows from a line of a conversation, elsewhere."""
        self._wrapped(what, f"  │ {'':<{_NAMES}} → ", f"  │ {'':<{_NAMES}}   ")

    def _wrapped(self, text: str, first: str, then: str) -> None:
        for line in textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=then) or [first.rstrip()]:
            self.say(line)

    # --- waiting

    @contextmanager
    def expecting(self, what: str) -> Iterator[None]:
        """Whatever fails inside is a difference from the story."""
        try:
            yield
        except (NotSeen, CommandFailed, TimeoutError, ConnectionError) as error:
            raise StoryDiffers(self._step, what, str(error) or type(error).__name__) from error

    async def until(self, what: str, look: Callable[[], Awaitable[T | None]], seen: Callable[[], object]) -> T:
        """Looks again and again until there is something; `seen` describes what there was instead."""
        with self.expecting(what):
            try:
                async with asyncio.timeout(self.patience):
                    while True:
                        if (found := await look()) is not None:
                            return found
                        await asyncio.sleep(_LOOK_EVERY)
            except TimeoutError:
                raise TimeoutError(f"{seen()}") from None

    # --- people in Matrix

    async def post(self, author: Actor, place: Place, words: str, *, reply_to: str | None = None) -> str:
        """Somebody writes, or replies, and all who should read it do."""
        with self.expecting(f"{author.name} writes in {place.name}"):
            if reply_to:
                event = await author.client.reply(place.room, reply_to, words)
            else:
                event = await author.client.text(place.room, words)
        self.show(place.title, author.name, f"(in reply) {words}" if reply_to else words)
        await self.reaches(place, event, f"“{words}”", lambda seen: seen.body == words)
        self.posted.append(Posted(event, frozenset({words}), place, tuple(place.readers)))
        return event

    async def edit(self, author: Actor, place: Place, event: str, words: str) -> str:
        """Somebody changes a message."""
        with self.expecting(f"{author.name} changes a message"):
            edit = await author.client.edit(place.room, event, words)
        self.show(place.title, author.name, f"(changes that to) {words}")

        def changes_it(seen: SeenEvent) -> bool:
            new = seen.content.get("m.new_content", {})
            return new.get("body") == words and (seen.relates_to or {}).get("event_id") == event

        await self.reaches(place, edit, f"a change to “{words}”", changes_it)
        self.posted = [replace(p, words=p.words | {words}) if p.event == event else p for p in self.posted]
        return edit

    async def react(self, author: Actor, place: Place, event: str, key: str) -> None:
        """Somebody reacts: in clear, which is why a reaction binds nobody."""
        with self.expecting(f"{author.name} reacts"):
            reaction = await author.client.react(place.room, event, key)
        self.show(place.title, author.name, f"(reacts) {key}")
        for reader in place.readers:
            with self.expecting(f"{reader.name} sees the reaction {key}"):
                await reader.client.wait_for(
                    lambda seen: seen.event_id == reaction and (seen.relates_to or {}).get("key") == key,
                    f"reaction {key}",
                    self.patience,
                )

    async def take_back(self, author: Actor, place: Place, event: str) -> None:
        """Somebody removes a message of theirs: it is empty for everyone."""
        with self.expecting(f"{author.name} removes a message"):
            await author.client.redact(place.room, event)
        self.show(place.title, author.name, "(removes that message)")
        self.posted = [posted for posted in self.posted if posted.event != event]
        for reader in place.readers:
            with self.expecting(f"{reader.name} sees the message removed"):
                await reader.client.wait_for(
                    lambda seen: seen.event_id == event and seen.redacted and not seen.content,
                    "removed message",
                    self.patience,
                )

    async def hand_over(self, author: Actor, place: Place, name: str, data: bytes) -> None:
        """Somebody sends a file, and everyone else there opens it."""
        with self.expecting(f"{author.name} sends the file {name}"):
            event = await author.client.send_file(place.room, name, data, mimetype="text/csv")
        self.show(place.title, author.name, f"(sends the file {name}, encrypted)")
        for reader in place.readers:
            await self.opens(reader, await self._trusted(reader, place, event, name, lambda e: e.body == name), data)

    async def opens(self, reader: Actor, event: SeenEvent, data: bytes) -> None:
        """The file of an event, downloaded and decrypted by a client, is what was sent."""
        with self.expecting(f"{reader.name} decrypts a file"):
            file = await reader.client.download_file(event)
        self.require("an encrypted file with the bytes that were sent", file.encrypted and file.data == data, file)

    async def reaches(self, place: Place, event: str, what: str, matches: Callable[[SeenEvent], bool]) -> None:
        """Everyone who reads that place has the event, decrypted, without a warning."""
        for reader in place.readers:
            await self._trusted(reader, place, event, what, matches)

    async def hears(self, reader: Actor, place: Place, words: str) -> SeenEvent:
        """Somebody reads words of which only the service knows the event: those of a ghost or of the bot."""
        return await self._trusted(reader, place, None, f"“{words}”", lambda seen: words in (seen.body or ""))

    async def invited(self, actor: Actor, name: str) -> str:
        """The room or Space of that name into which somebody is invited."""
        rooms: list[Room] = []

        async def look() -> str | None:
            rooms[:] = await actor.client.rooms()
            return next((room.room_id for room in rooms if (room.name, room.membership) == (name, "invite")), None)

        return await self.until(f"{actor.name} is invited to “{name}”", look, lambda: [r.name for r in rooms])

    async def enters(self, actor: Actor, name: str) -> Place:
        """Somebody accepts the invitation to the room of that name."""
        room = await self.invited(actor, name)
        with self.expecting(f"{actor.name} joins “{name}”"):
            await actor.client.join(room)
        return Place(name, room, [actor])

    # --- the desk

    async def command(self, mediator: Actor, line: str, *answers: str) -> str:
        """The mediator gives a command at the desk; the answer has all these words."""
        desk = self._the_desk()
        await self.post(mediator, desk, line)
        answer = await self._notice(*answers)
        self.show(desk.title, "the bot", answer)
        return answer

    async def noticed(self, notice: str) -> None:
        """The desk is told, in exactly these words: so without a word of what was said."""
        found = await self._notice(notice)
        self.require(f"the notice “{notice}” and nothing more", found == notice, found)
        self.aside(f"the desk is told: {notice}")

    async def told_at_the_desk(self, *fragments: str) -> str:
        """The bot says something at the desk that nobody asked for."""
        told = await self._notice(*fragments)
        self.show(self._the_desk().title, "the bot", told)
        return told

    async def left_over_notices(self) -> list[str]:
        """What the bot said at the desk and the story does not have."""
        return [event.body or "" for event in await self._bot_at_the_desk() if event.event_id not in self._notices]

    # --- what the homeserver refuses

    async def refused(self, what: str, attempt: Awaitable[object]) -> None:
        """The homeserver does not let somebody do that."""
        try:
            result = await attempt
        except CommandFailed as refusal:
            self.require(f"the homeserver refuses {what}", refusal.status in {403, 404}, refusal)
        else:
            self.require(f"the homeserver refuses {what}", False, result)

    async def is_removed(self, actor: Actor, place: Place) -> None:
        """Somebody is put out of a room."""

        def removed(seen: SeenMembership) -> bool:
            return (seen.room_id, seen.membership) == (place.room, "leave")

        with self.expecting(f"{actor.name} is put out of {place.name}"):
            await actor.client.wait_for_membership(removed, f"removal from {place.name}", self.patience)
        place.readers.remove(actor)

    async def is_shut_out(self, actor: Actor, place: Place, event: str) -> None:
        """Somebody has neither the event nor its key, and can't fetch it."""
        known = {seen.event_id for seen in await actor.client.timeline(place.room)}
        self.require(f"{actor.name}'s client does not have the event", event not in known, event)
        path = f"/_matrix/client/v3/rooms/{quote(place.room)}/event/{quote(event)}"
        wire = await place.readers[0].client.request("GET", path)
        session = wire["content"]["session_id"]
        self.require(f"{actor.name}'s client lacks its key", session not in await actor.client.export_keys(), session)
        await self.refused("the event", actor.client.request("GET", path))

    # --- the end

    def count(self, seen: SeenEvent, place: Place) -> None:
        """Words that came from outside Matrix count among what was said."""
        self.posted.append(Posted(seen.event_id, frozenset({seen.body or ""}), place, tuple(place.readers)))

    async def each_exactly_once(self) -> None:
        """All that was said stands once, and only once, at each who read it then, later devices included."""
        for posted in self.posted:
            for reader in posted.readers:
                timeline = await reader.client.timeline(posted.place.room)
                found = [event for event in timeline if event.body in posted.words]
                same = [p for p in self.posted if p.words & posted.words and p.place.room == posted.place.room]
                what = f"{reader.name} has {set(posted.words)} {len(same)} times"
                self.require(what, len(found) == len(same), found)
        self.proved(f"Each of {len(self.posted)} messages arrived at each of its readers exactly once")

    async def all_is_readable(self, actors: Sequence[Actor], closed: frozenset[tuple[str, str]]) -> None:
        """No client shows a warning, or a message it can't read; `closed` are those it must not: device and event."""
        count = 0
        for actor in actors:
            for room in await actor.client.rooms():
                count += await self._reads_all(actor, room, closed)
        self.proved(f"Of {count} encrypted messages on {len(actors)} devices all can be read, without a warning")

    async def _reads_all(self, actor: Actor, room: Room, closed: frozenset[tuple[str, str]]) -> int:
        """All encrypted messages of a room, but those that are closed to this device; how many."""
        events: list[SeenEvent] = []

        async def look() -> int | None:
            timeline = await actor.client.timeline(room.room_id)
            events[:] = [e for e in timeline if e.encrypted and (actor.client.device_id, e.event_id) not in closed]
            return len(events) if all(map(_is_fine, events)) else None

        what = f"{actor.name} reads everything in {room.name}"
        return await self.until(what, look, lambda: [event for event in events if not _is_fine(event)])

    # --- how it is seen

    async def _trusted(
        self, reader: Actor, place: Place, event: str | None, what: str, matches: Callable[[SeenEvent], bool]
    ) -> SeenEvent:
        with self.expecting(f"{reader.name} reads {what} in {place.name}"):
            seen = await reader.client.wait_for(
                lambda e: e.room_id == place.room and e.event_id == (event or e.event_id) and matches(e),
                what,
                self.patience,
            )
        self.require(f"{what} is encrypted", seen.encrypted, seen)
        self.require(f"{reader.name} sees no warning at {what}", seen.shield is None and seen.failure is None, seen)
        return seen

    def _the_desk(self) -> Place:
        assert self.desk is not None, "the desk stands before anything is said at it"
        return self.desk

    async def _notice(self, *fragments: str) -> str:
        """The first notice at the desk, of those not accounted for, that has all these words."""
        new: list[SeenEvent] = []

        async def look() -> SeenEvent | None:
            new[:] = [event for event in await self._bot_at_the_desk() if event.event_id not in self._notices]
            return next((event for event in new if all(f in (event.body or "") for f in fragments)), None)

        what = f"the bot says at the desk: {' … '.join(fragments)}"
        event = await self.until(what, look, lambda: [event.body for event in new] or "nothing")
        self._notices.add(event.event_id)
        self.require(f"{what}, encrypted and without a warning", event.encrypted and event.shield is None, event)
        return event.body or ""

    async def _bot_at_the_desk(self) -> list[SeenEvent]:
        desk = self._the_desk()
        timeline = await desk.readers[0].client.timeline(desk.room)
        bot = self.world.homeserver.user_id(BOT)
        return [event for event in timeline if event.sender == bot and event.content.get("msgtype") == "m.notice"]


def _is_fine(event: SeenEvent) -> bool:
    return event.redacted or (not event.pending and event.failure is None and event.shield is None)

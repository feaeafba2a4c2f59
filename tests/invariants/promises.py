"""What the service promises of every history: nothing crosses, and everything arrives. Each function raises Broken."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from appservice.codec import JsonCodec
from policies.case import DESK, JOINT, Case, CaseId, Conversation, Kind, Network, Person, caucus
from policies.effects import Post, Relay, Tell
from policies.message import MessageId
from policies.plan import desk_label, room_key
from policies.record import digest
from rooms.clock import TIME
from rooms.ids import RoomId, UserId
from rooms.outgoing import Outgoing
from rooms.queue import Item, State
from rooms.record import Walk
from tests.fakes.post_office import Delivered, LinkMail
from tests.fakes.synapse import Event
from tests.invariants.canaries import (
    Fate,
    Said,
    canaries_in,
    is_one,
    is_staff,
    may_read,
    may_speak,
    own_level,
    private_level,
    speaking_level,
    words_of,
)
from tests.invariants.world import BOT, Page, World

CODEC = JsonCodec()
ALIVE = {State.READY, State.PARKED, State.UNKNOWN, State.DEAD}
HELD_ANSWER = "Held message "
_SHOWN = {Fate.CARRIED, Fate.ASIDE}


class Broken(AssertionError):
    """A promise was broken."""


def kept(world: World) -> None:
    """All promises; after `finish`."""
    nothing_crosses(world)
    everything_arrives(world)
    levels_are_as_intended(world)
    the_record_is_whole(world)


def levels_are_as_intended(world: World) -> None:
    """In every room exactly those have the power to speak who may speak there (M1, R5, I9)."""
    tables = world.database.committed
    for case in tables.cases.values():
        for conversation in (JOINT, *(caucus(side.id) for side in case.sides)):
            record = tables.rooms.get((case.id, room_key(conversation)))
            if record is not None and record.room_id is not None:
                levels = world.synapse.all_rooms[record.room_id].content("m.room.power_levels")
                _check_levels(world, case, conversation, levels)


def _check_levels(world: World, case: Case, conversation: Conversation, levels: Mapping[str, Any]) -> None:
    joint = conversation == JOINT
    speak = speaking_level(case) if joint else private_level(case, conversation)
    types = {"m.room.encrypted": speak, "m.room.message": speak, "m.reaction": speak}
    wanted = {**types, "m.room.redaction": max(speak, 75) if joint else speak}
    if levels["events"] != wanted or levels["events_default"] != max(speak, 75):
        raise Broken(f"{conversation.id} takes {levels['events']} to speak, and not {speak}")
    people = [person for person in case.people if may_read(case, person.id, conversation)]
    users = {_user(world, case, person): _level(case, person) if joint else _staff(case, person) for person in people}
    if levels["users"] != {user: level for user, level in users.items() if level}:
        raise Broken(f"in {conversation.id} people have {levels['users']}, and not {users}")


def _staff(case: Case, person: Person) -> int:
    return 75 if is_staff(case, person.id) else 0


def the_record_is_whole(world: World) -> None:
    """Every chain verifies, and every message that was handled stands in that of its audience (A1)."""
    lines = sorted(world.database.committed.record.values(), key=lambda n: (n.case, n.audience, n.seq))
    walk = Walk()
    faults = [*(fault for line in lines for fault in walk.next(line)), *walk.end()]
    if faults:
        raise Broken(f"the record is not whole: {faults}")
    kept = {
        (line.case, line.audience, content) for line in lines for content in json.loads(line.private or "")["contents"]
    }
    for entry in world.database.committed.journal.values():
        message = entry.message
        if (entry.case, message.conversation.id, digest(message.content)) not in kept:
            raise Broken(f"not on record: {message.id}")


def _level(case: Case, person: Person) -> int:
    """A ghost speaks when its person was let speak, so it isn't silenced for having spoken."""
    rests = person.endpoint.network is Network.MATRIX and not may_speak(case, person.id)
    level = own_level(case, person.id)
    return -1 if rests and level == 0 and any(is_one(case, s.person, person.id) for s in case.floor.resting) else level


def _user(world: World, case: Case, person: Person) -> str:
    if person.endpoint.network is Network.MATRIX:
        return person.endpoint.address
    return world.database.committed.ghosts[case.id, person.id]


def nothing_crosses(world: World) -> None:
    """No event, key, notice, mail, log line, note or answer shows words to somebody who must not have them (I1, I7)."""
    for event in world.synapse.events():
        _check_event(world, event)
    for envelope in world.envelopes.made.values():
        if envelope.by_service:
            for canary in canaries_in(json.dumps(envelope.content)):
                for reader in sorted(envelope.holders):
                    _check_reader(world, world.said[canary], reader, (envelope.made_at, envelope.made_at), "a key")
    for mail in world.post_office.delivered:
        _check_mail(world, mail)
    for link in world.post_office.links:
        _check_link(world, link)
    for page in world.pages:
        _check_page(world, page)
    _check_records(world)


# --- nothing crosses ----------------------------------------------------------------------------------------------


def _check_event(world: World, event: Event) -> None:
    envelope = world.envelopes.of(event.content)
    text = json.dumps(envelope.content if envelope else event.content)
    readers = event.seen_by & envelope.holders if envelope else event.seen_by
    ours = event.sender.startswith("@_mediatrix_")
    if canaries_in(json.dumps(event.content)) and (ours or event.state_key is not None):
        raise Broken(f"words in clear, in an event of ours: {event}")
    for canary in canaries_in(text):
        said = world.said[canary]
        start = event.at if ours else max(at for at in world.quiet_since if at <= event.at)
        for reader in sorted(readers):
            if ours or (reader, event.room) not in world.intruders:
                _check_reader(world, said, reader, (start, event.at), "an event")
        if ours:
            _check_words_of_ours(world, event, said, _shown(envelope.content) if envelope else "")
    if event.sender == BOT and envelope:
        _check_names(world, event.room, _shown(envelope.content), event.at)


def _shown(content: Mapping[str, Any]) -> str:
    """What a client shows of it; of a poll, what stands there for clients without polls; of what became of a message,
    the reason."""
    if "status" in content:
        return str(content.get("message", ""))
    return str(content["body"] if "body" in content else content["org.matrix.msc1767.text"])


def _check_reader(world: World, said: Said, reader: UserId, when: tuple[int, int], how: str) -> None:
    """Whether a Matrix user may have these words, by what they were entitled to from the one time to the other."""
    if reader.startswith("@_mediatrix_"):
        return
    if said.conversation is None:
        if world.chronicle.entitled(said.case, DESK, reader, *when):
            return
    elif any(world.chronicle.entitled(said.case, where, reader, *when) for where in _places(said)):
        return
    raise Broken(f"{how} shows {reader} what was said in {said.conversation}: {said}")


def _places(said: Said) -> list[Conversation]:
    """Whose readers may have these words: where they were said, and where they stand aside."""
    return [where for where in (said.conversation, said.stands if said.fate is Fate.ASIDE else None) if where]


def _check_words_of_ours(world: World, event: Event, said: Said, body: str) -> None:
    """What the bot says has nobody's words in it, but for `!held`; what a ghost says, only its person's own."""
    place = world.place(event.room)
    if place is None:
        raise Broken("words in a room that is of no case")
    if event.sender == BOT:
        if place[1].kind is Kind.DESK and (body.startswith(HELD_ANSWER) or said.conversation == place[1]):
            return
        raise Broken(f"the bot repeats in {place[1]}: {said}")
    ghost = world.database.committed.ghosts.get((place[0], said.author.id)) if said.author else None
    if place != (said.case, said.stands) or ghost != event.sender or said.fate not in _SHOWN:
        raise Broken(f"a ghost says in {place[1]} what was not said there, or not by its person: {said}")


def _check_names(world: World, room: RoomId, body: str, at: int) -> None:
    """In a caucus no notice names anybody of another side, nor any side (R2)."""
    place = world.place(room)
    if place is None or place[1].kind is not Kind.CAUCUS:
        return
    for person in next(world.chronicle.during(place[0], at, at)).people:
        entitled = world.chronicle.entitled(place[0], place[1], person.endpoint.address, 0, at)
        if not entitled and person.name in body.split():
            raise Broken(f"a notice in {place[1]} names {person.name}: {body}")


def _check_mail(world: World, mail: Delivered) -> None:
    case, conversation = world.conversation_of(mail.reply_address)
    if not world.chronicle.entitled(case, conversation, mail.to, mail.at, mail.at):
        raise Broken(f"a mail of {conversation} went to somebody who takes no part in it")
    for canary in canaries_in(mail.everything):
        said = world.said[canary]
        if (said.case, said.stands) != (case, conversation) or said.fate not in _SHOWN:
            raise Broken(f"a mail of {conversation} shows what was not said there: {said}")
        reader = next(
            r for r in next(world.chronicle.during(case, mail.at, mail.at)).people if r.endpoint.address == mail.to
        )
        if reader.endpoint.content_consent is None:
            raise Broken(f"a mail shows words without a consent to that: {said}")
        if reader.endpoint.enrolled is None:
            raise Broken(f"a mail shows words to whom no act of their own shows: {said}")
        if reader.endpoint.silence is not None:
            raise Broken(f"a mail went to a mailbox where nothing was to be sent: {said}")
        if mail.to not in {reader.endpoint.address for reader in said.readers} and not _is_asked(said, mail.to):
            raise Broken(f"a mail shows words to somebody who was no reader when they were said, or said them: {said}")


def _check_link(world: World, link: LinkMail) -> None:
    """A mail without words names nothing of any case: no room, no person, no number."""
    for case, versions in world.chronicle.versions.items():
        names = {person.name for _, version in versions for person in version.people}
        # As words: a random boundary or token may have the digits of a number in it.
        if canaries_in(link.everything) or {case, *names} & set(re.findall(r"\w+", link.everything)):
            raise Broken(f"a mail that should have nothing but a link in it says more: {link.everything}")


def _check_page(world: World, page: Page) -> None:
    """A page shows its person what was said by or for them, in rooms that they read when it is shown (I1)."""
    if page.view is None:
        return
    for room in page.view.rooms:
        for shown in room.shown:
            for canary in canaries_in(shown.text):
                said = world.said[canary]
                if said.case != page.case or said.stands is None or said.stands.id != room.id:
                    raise Broken(f"the page shows in {room.name} what was not said there: {said}")
                if not world.chronicle.entitled(said.case, said.stands, page.address, page.at, page.at):
                    raise Broken(f"the page shows {page.address} a room that is not theirs: {said}")
                theirs = said.author is not None and said.author.endpoint.address == page.address
                if said.fate not in _SHOWN or not (
                    theirs or page.address in {reader.endpoint.address for reader in said.readers}
                ):
                    raise Broken(f"the page shows what was not said by its reader, or for them: {said}")
    asked = {c for c in canaries_in(str(page.view.questions)) if not _is_asked(world.said[c], page.address)}
    doubted = canaries_in(str([one.beginning for one in page.view.doubtful]))
    asked |= {c for c in doubted if not _came_as(world.said[c], page.address)}
    if asked or canaries_in(page.view.name):
        raise Broken(f"the page repeats words outside of a room: {page}")


def _is_asked(said: Said, address: str) -> bool:
    """Whether somebody is asked about words of their own that stand aside."""
    return said.fate is Fate.ASIDE and said.author is not None and said.author.endpoint.address == address


def _came_as(said: Said, address: str) -> bool:
    """Whether it came, unproven, in the name of whoever is reached there."""
    doubtful = not said.proven or said.waits is not None
    return not said.native and doubtful and said.author is not None and said.author.endpoint.address == address


def _check_records(world: World) -> None:
    """Logs, decisions, notes and results have nobody's words in them; logs have no address and no token either."""
    tables = world.database.committed
    items = [*tables.inbox.items.values(), *tables.outbox.items.values()]
    texts = [
        *(str(text) for item in items for text in (item.note, item.result, item.id, item.lane, item.wait_key)),
        *(line.public + (line.private or "") for line in tables.record.values()),
        *(held.why for held in tables.holds.values()),
        *(f"{record.reason} {record.room_id}" for record in tables.rooms.values()),
        *world.synapse.names.values(),
        *world.answers,
    ]
    for text in texts:
        if any(world.said[c].conversation != DESK for c in canaries_in(text) if c in world.said):
            raise Broken(f"a record repeats words: {text}")
    secrets = [address.token for address in tables.addresses.values()]
    secrets += [
        person.endpoint.address for versions in world.chronicle.versions.values() for person in _people(versions)
    ]
    for line in world.log.lines:
        if canaries_in(line) or any(secret in line for secret in secrets):
            raise Broken(f"a log line shows words, an address or a token: {line}")


def _people(versions: list[tuple[int, Case]]) -> Iterator[Person]:
    return (person for _, case in versions for person in case.people if not person.endpoint.address.startswith("@"))


# --- everything arrives -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """A canary as it was delivered."""

    said: Said
    to: str


def everything_arrives(world: World) -> None:
    """Everything proven and readable arrives, once, in order; everything else is held, and the desk knows (I5)."""
    posts = Counter(canary for event in world.synapse.events() for canary in _posted(world, event))
    mails = Counter((canary, mail.to) for mail in world.post_office.delivered for canary in canaries_in(mail.text))
    for said in world.said.values():
        if said.handled_at is None:
            if said.traceable and _was_taken(world, said) and not _is_dead(world, said):
                raise Broken(f"words were lost: {said}")
            continue
        if said.fate in {Fate.HELD, Fate.ASIDE}:
            _check_held(world, said)
        if said.traceable:
            _check_posted(world, said, posts[said.canary])
            for address in {to for _, to in mails} | {reader.endpoint.address for reader in said.readers}:
                _check_mailed(world, said, address, mails[said.canary, address])
    for event in world.synapse.events():
        _check_readable(world, event)
    _check_order(world)
    for case in world.database.committed.cases.values():
        _check_desk(world, case)
    _check_nothing_stuck(world)


def _check_readable(world: World, event: Event) -> None:
    """Whoever belongs in a room and was there when something of ours appeared can read it."""
    envelope, place = world.envelopes.of(event.content), world.place(event.room)
    if envelope is None or place is None or not envelope.by_service:
        return
    for reader in sorted(event.seen_by - envelope.holders):
        if world.chronicle.entitled(*place, reader, event.at, event.at):
            raise Broken(f"{reader} has no key of what was said in {place[1]}: {envelope}")


def _posted(world: World, event: Event) -> set[str]:
    envelope = world.envelopes.of(event.content)
    ghost = event.sender.startswith("@_mediatrix_") and event.sender != BOT
    return set(canaries_in(json.dumps(envelope.content))) if envelope and ghost else set()


def _was_taken(world: World, said: Said) -> bool:
    """Whether the service was told; what a fault lost on its way to us is the sender's to repeat."""
    return not said.native or any(event["event_id"] == said.event for event in world.told)


def _is_dead(world: World, said: Said) -> bool:
    """Whether it came too late: its author took part no more, and the desk hears that something came."""
    return any(said.canary.encode() in item.body and _came_too_late(item) for item in _inbox(world))


def _came_too_late(item: Item) -> bool:
    return item.state is State.DEAD and item.note == "a mail came from somebody who takes part no more"


def _inbox(world: World) -> list[Item]:
    return list(world.database.committed.inbox.items.values())


def _check_held(world: World, said: Said) -> None:
    tables = world.database.committed
    held = [
        entry
        for (case, message) in tables.holds
        if (entry := tables.journal.get((case, message)))
        and (entry.event == said.event if said.native else said.canary in words_of(entry.message.content))
    ]
    if not held and said.traceable:
        raise Broken(f"it should be held: {said}")


def _check_posted(world: World, said: Said, count: int) -> None:
    expected = 1 if said.fate in _SHOWN and not said.native else 0
    if count == expected:
        return
    if count > expected or not (_pending(world, said, None) or _left(world, said, said.author)):
        raise Broken(f"posted {count} times instead of {expected}: {said}")


def _check_mailed(world: World, said: Said, address: str, count: int) -> None:
    reader = next((r for r in said.readers if r.endpoint.address == address), None)
    expected = 1 if said.fate in _SHOWN and reader else 0
    if count == expected or (count == 1 and _is_asked(said, address)):
        return
    waits = _pending(world, said, reader) or _left(world, said, reader) or _laid(world, said, reader)
    if count > expected or not waits:
        raise Broken(f"mailed {count} times instead of {expected} to {address}: {said}")


def _laid(world: World, said: Said, reader: Person | None) -> bool:
    """Whether it lies ready on a reader's page: all that those get who did not agree to words by mail."""
    tables = world.database.committed
    return reader is not None and any(
        said.canary.encode() in laid.body
        for (case, who, _), laid in tables.shelf.items()
        if (case, who) == (said.case, reader.id)
    )


def _pending(world: World, said: Said, reader: Person | None) -> bool:
    """Whether what would mail it to a reader, or post it, still waits, or ended where a mediator sees it."""
    return any(
        item.state in ALIVE - {State.READY}
        and (outgoing.to == reader.id if reader and isinstance(outgoing, Relay) else isinstance(outgoing, Post))
        and said.canary in words_of(outgoing.content)
        for item, outgoing in _outbox(world)
        if isinstance(outgoing, Relay | Post) and item.case == said.case
    )


def _outbox(world: World) -> Iterator[tuple[Item, Outgoing]]:
    """What was to be sent and isn't done."""
    for item in world.database.committed.outbox.items.values():
        if item.body:
            yield item, CODEC.load(item.body)


def _left(world: World, said: Said, person: Person | None) -> bool:
    """Whether somebody took part no more at some moment after the words were handled."""
    if person is None or said.conversation is None or said.handled_at is None:
        return True
    versions = world.chronicle.during(said.case, said.handled_at, world.now)
    return not all(case.person(person.id) for case in versions) or _discarded(world, said)


def _discarded(world: World, said: Said) -> bool:
    """Whether a mediator gave it up."""
    return any(item.state is State.CANCELLED and said.canary.encode() in item.body for item, _ in _outbox(world))


def _check_order(world: World) -> None:
    """Words of one conversation reach each reader in the order in which they were handled."""
    if world.repeated:
        return
    lists: dict[object, list[Said]] = {}
    for mail in world.post_office.delivered:
        for canary in canaries_in(mail.text):
            lists.setdefault(mail.reply_address, []).append(world.said[canary])
    for event in world.synapse.events():
        for canary in _posted(world, event):
            lists.setdefault(event.room, []).append(world.said[canary])
    for said in world.said.values():
        sender = next((e.sender for e in world.synapse.events() if e.event_id == said.event), None)
        if said.native and said.handled_at:
            lists.setdefault((said.case, said.conversation, sender), []).append(said)
    for found in lists.values():
        places = [said.place for said in found if not said.late]
        if places != sorted(places):
            raise Broken(f"out of order: {[said.canary for said in found]}")


def _check_desk(world: World, case: Case) -> None:
    """The desk hears of each post and each hold exactly once."""
    expected: Counter[str] = Counter()
    for said in world.said.values():
        if said.case == case.id and said.author and said.conversation and said.fate is Fate.CARRIED:
            then = next(world.chronicle.during(case.id, said.handled_at or 0, said.handled_at or 0))
            if not is_staff(then, said.author.id):
                expected[f"{said.author.name} {said.did} in {desk_label(said.conversation, then)}."] += 1
    heard = Counter(_desk_texts(world, case.id))
    for text, count in expected.items():
        if heard[text] != count:
            raise Broken(f"the desk heard {heard[text]} times instead of {count}: {text}")
    holds = sum(1 for (of, _) in world.database.committed.holds if of == case.id)
    told = sum(count for text, count in heard.items() if text.startswith("Held: "))
    if told != holds:
        raise Broken(f"{holds} messages are held, and the desk heard of {told}")
    ended = [item for item in world.database.committed.outbox.items.values() if item.case == case.id and _gave_up(item)]
    told = sum(count for text, count in heard.items() if "erhaps not delivered: " in text or "Not delivered: " in text)
    if told < len(ended) and not world.repeated:
        raise Broken(f"{len(ended)} were not delivered, and the desk heard of {told}")
    late = sum(1 for item in _inbox(world) if item.case == case.id and _came_too_late(item))
    told = sum(count for text, count in heard.items() if "takes part no more" in text and "could not be read" in text)
    if told != late:
        raise Broken(f"{late} mails came too late, and the desk heard of {told}")


def _gave_up(item: Item) -> bool:
    return item.state in {State.DEAD, State.UNKNOWN} and not item.lane.endswith(":desk")


def _desk_texts(world: World, case: CaseId) -> Iterator[str]:
    """What the desk was told, or will be when somebody is there."""
    tables = world.database.committed
    record = tables.rooms.get((case, room_key(DESK)))
    if record and record.room_id:
        for event in world.synapse.all_rooms[record.room_id].timeline:
            envelope = world.envelopes.of(event.content)
            if envelope and event.sender == BOT:
                yield _shown(envelope.content)
    for item, outgoing in _outbox(world):
        if item.case == case and item.state in ALIVE and isinstance(outgoing, Tell):
            yield outgoing.text if outgoing.conversation == DESK else ""


def _check_nothing_stuck(world: World) -> None:
    """Nothing waits in the inbox; what died was refused for good."""
    resting = {item.id for item in _inbox(world) if item.kind == TIME and item.state is State.PARKED}
    stuck = [i for i in _inbox(world) if i.state in ALIVE and not _came_too_late(i) and i.id not in resting]
    if stuck:
        raise Broken(f"the inbox has {stuck}")
    dead = [i for i in world.database.committed.outbox.items.values() if i.state in {State.DEAD, State.READY}]
    if dead and not world.refusals:
        raise Broken(f"the outbox has {dead}")


def message_of(world: World, said: Said) -> MessageId | None:
    """The message that brought these words."""
    entries = world.database.committed.journal.values()
    return next((e.message.id for e in entries if said.canary in words_of(e.message.content)), None)

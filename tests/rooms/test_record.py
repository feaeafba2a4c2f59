"""The record: every decision stands in the chain of its audience, and nothing in it can be changed unnoticed (A1)."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from policies.case import DESK, JOINT, Conversation
from policies.commands.waiting import ShowHeads
from policies.effects import Decision, Publish, Tell
from policies.message import AuthenticatedMail, Content, File, FileRef, MessageId, Text
from policies.names import ReleaseId
from policies.record import HEADS_EVERY, digest, next_heads, parts
from policies.schedule import Due, due_key
from policies.words.phrase import verbatim
from rooms.handle import Handler
from rooms.outgoing import MailHeads
from rooms.queue import Item, ItemId, State
from rooms.record import Line, Walk, posted
from tests.policies.builders import caucus_of, message
from tests.rooms.builders import AT, CODEC, HOUSE, Site, handler

WORDS = "I would accept four thousand"


async def lived() -> Site:
    """A case in which something was said on all sides, and some commands were given."""
    site = await Site().begin()
    said = (("Alice", caucus_of(site.case, "Smith")), ("Alice", JOINT), ("Carl", JOINT), ("Mia", JOINT))
    for number, (who, where) in enumerate(said):
        await hears(site, who, where, f"{WORDS} {number}")
    for command in ("!mode locked", "!turn Alice", "!status", "!nonsense"):
        await hears(site, "Mia", DESK, command)
    return site


async def hears(site: Site, who: str, where: Conversation, text: str) -> None:
    case = site.database.committed.cases[site.case.id]
    said = message(case, who, where, Text(text))
    number = len(site.database.committed.record)
    async with site.database.begin() as work:
        unique = replace(said, id=MessageId(f"m{number}"))
        await handler(work, f"item {number}", AT + timedelta(minutes=number)).message(case.id, unique, None, None)


def lines(site: Site) -> list[Line]:
    """All entries, as an audit reads them."""
    return sorted(site.database.committed.record.values(), key=lambda n: (n.case, n.audience, n.seq))


def faults(entries: list[Line], kept: str = "") -> list[str]:
    walk = Walk(posted(kept))
    return [*(fault for line in entries for fault in walk.next(line)), *walk.end()]


async def heads(site: Site) -> str:
    """The heads as they are posted to the desk."""
    async with site.database.begin() as work:
        return (await handler(work, "heads").command(site.case.id, ShowHeads(), AT)).text


async def test_what_was_said_stands_in_the_chain_of_its_audience_without_its_words() -> None:
    site = await lived()
    chains = {line.audience for line in lines(site)}
    assert chains == {"desk", "joint", caucus_of(site.case, "Smith").id}
    for line in lines(site):
        assert WORDS not in f"{line.public} {line.private}"
        assert "Alice" not in line.public
    [said] = [line for line in lines(site) if line.audience.startswith("caucus")]
    assert json.loads(said.private or "")["contents"] == [digest(Text(f"{WORDS} 0"))]
    assert said.words.startswith("Alice: said")


async def test_heads_are_mailed_as_they_are_posted_to_the_desk() -> None:
    site = await lived()
    kept_by = ("records@example.org", "notary@example.net")
    async with site.database.begin() as work:
        house = replace(HOUSE, heads_to=kept_by)
        await Handler(work, CODEC, house, ItemId("heads"), AT).due(site.case.id, due_key(Due.HEADS))
    sent = [CODEC.load(item.body) for item in site.database.committed.outbox.items.values()]
    [posted_to_desk] = [one.text for one in sent if isinstance(one, Tell) and "Record of case" in one.text]
    assert [one for one in sent if isinstance(one, MailHeads)] == [MailHeads(to, posted_to_desk) for to in kept_by]
    assert not {"Alice", "Carl", "Mia", "Smith", "Jones"} & set(posted_to_desk.replace("@", " ").split())


async def test_without_addresses_heads_go_to_the_desk_alone() -> None:
    site = await lived()
    async with site.database.begin() as work:
        await handler(work, "heads").due(site.case.id, due_key(Due.HEADS))
    sent = [CODEC.load(item.body) for item in site.database.committed.outbox.items.values()]
    assert not [one for one in sent if isinstance(one, MailHeads)]


async def test_an_undo_is_an_entry_that_names_the_one_it_takes_back() -> None:
    site = await lived()
    await hears(site, "Mia", DESK, "!mode closed")
    done = [line for line in lines(site) if line.audience == "desk"][-1]
    await hears(site, "Mia", DESK, "!undo")
    undone = [line for line in lines(site) if line.audience == "desk"][-1]
    assert undone.seq == done.seq + 1
    assert f"Taken back: entry {done.seq} of Desk" in undone.words
    assert done in lines(site)
    assert faults(lines(site)) == []


async def test_who_looked_at_the_header_of_a_mail_stands_on_record() -> None:
    site = await Site().begin()
    await hears(site, "Mia", DESK, "!mail headers 1")
    [entry] = [line for line in lines(site) if line.audience == "desk"]
    assert "Mia" in entry.words
    assert "The header of the mail of held message 1 is shown" in entry.words


async def test_the_header_of_a_mail_is_shown_at_the_desk_alone_for_a_reply_in_its_private_room() -> None:
    site = await Site().begin()
    own = caucus_of(site.case, "Jones")
    mailed = message(site.case, "Carl", own, Text("by mail"), AuthenticatedMail(), native=False)
    async with site.database.begin() as work:
        await work.mails.keep(site.case.id, mailed.id, b"From: carl@example.net\r\n\r\nthe words")
        await handler(work, "mail").message(site.case.id, mailed, None, None)
        asked = replace(
            message(site.case, "Mia", own, Text("!mail headers")), id=MessageId("asked"), reply_to=mailed.id
        )
        await handler(work, "asks").message(site.case.id, asked, None, None)
    told = [CODEC.load(item.body) for item in site.database.committed.outbox.items.values()]
    [shown] = [one for one in told if isinstance(one, Tell) and "carl@example.net" in one.text]
    assert shown.conversation == DESK
    assert "the words" not in shown.text
    assert any("is shown here; that stands on record" in line.words for line in lines(site) if line.audience == own.id)


async def test_what_follows_in_another_room_stands_in_that_rooms_chain_too() -> None:
    site = await Site().begin()
    await hears(site, "Mia", DESK, "!mode locked")
    rules = {(line.audience, json.loads(line.public)["rule"]) for line in lines(site)}
    assert rules == {("desk", "command"), ("joint", "command")}


async def test_a_record_that_was_left_alone_is_in_order() -> None:
    site = await lived()
    assert faults(lines(site)) == []
    kept = await heads(site)
    assert faults(lines(site), kept) == []


def _changed(line: Line, **fields: object) -> Line:
    """Changed by somebody who knows how entries are made, and mends the hash of this one."""
    public = json.dumps({**json.loads(line.public), **fields}, sort_keys=True, separators=(",", ":"))
    return replace(line, public=public, hash=hashlib.sha256(public.encode()).hexdigest())


def removed(entries: list[Line]) -> list[Line]:
    return entries[:1] + entries[2:]


def changed(entries: list[Line]) -> list[Line]:
    return [_changed(entries[0], rule="something else"), *entries[1:]]


def changed_clumsily(entries: list[Line]) -> list[Line]:
    return [replace(one, public=one.public.replace("command", "nothing")) for one in entries]


def exchanged(entries: list[Line]) -> list[Line]:
    one, other = entries[1], entries[2]
    return [entries[0], replace(other, seq=one.seq), replace(one, seq=other.seq), *entries[3:]]


def moved_to_another_chain(entries: list[Line]) -> list[Line]:
    last = entries[-1]
    return [*entries, replace(last, audience=JOINT.id, seq=1)]


def repeated(entries: list[Line]) -> list[Line]:
    return [entries[0], *entries]


def with_other_words(entries: list[Line]) -> list[Line]:
    return [replace(one, private=(one.private or "").replace("Mia", "Ina")) for one in entries]


def not_even_json(entries: list[Line]) -> list[Line]:
    return [replace(entries[0], public="x"), *entries[1:]]


@pytest.mark.parametrize(
    "tamper",
    [
        removed,
        changed,
        changed_clumsily,
        exchanged,
        moved_to_another_chain,
        repeated,
        with_other_words,
        not_even_json,
    ],
)
async def test_tampering_is_found(tamper: Callable[[list[Line]], list[Line]]) -> None:
    site = await lived()
    desk = [line for line in lines(site) if line.audience == DESK.id]
    assert faults(desk) == []
    assert faults(tamper(desk))


async def test_what_was_cut_off_at_the_end_is_found_by_the_posted_head_alone() -> None:
    site = await lived()
    kept, whole = await heads(site), lines(site)
    short = [line for line in whole if (line.audience, line.seq) != ("desk", 4)]
    upto = [line for line in short if line.audience != "desk" or line.seq < 4]
    assert faults(upto) == []
    assert [fault for fault in faults(upto, kept) if "missing" in fault]


async def test_a_chain_that_was_written_anew_as_a_whole_is_found_by_the_posted_head_alone() -> None:
    site = await lived()
    kept = await heads(site)
    anew: list[Line] = []
    for line in lines(site):
        if line.audience == DESK.id:
            prev = anew[-1].hash if anew and anew[-1].audience == DESK.id else ""
            anew.append(_changed(line, rule="harmless", prev=prev))
        else:
            anew.append(line)
    assert faults(anew) == []
    assert [fault for fault in faults(anew, kept) if "another entry than the posted head says" in fault]


async def test_where_the_key_was_destroyed_the_chain_is_still_whole_and_says_nothing() -> None:
    site = await lived()
    erased = [replace(line, private=None) for line in lines(site)]
    assert faults(erased) == []
    assert {line.words for line in erased} == {"(erased)"}


async def test_the_desk_reads_the_record_in_words() -> None:
    site = await lived()
    await hears(site, "Mia", DESK, "!log 3")
    told = [out.text for out in site.outbox() if isinstance(out, Tell) and "On record" in out.text]
    assert len(told[-1].splitlines()) == 4
    assert "Desk · 1042" in told[-1]
    assert WORDS not in told[-1]


def waiting(site: Site) -> list[Item]:
    return [item for item in site.database.committed.inbox.items.values() if item.state is State.PARKED]


async def test_once_a_day_the_heads_leave_the_machine_if_anything_happened() -> None:
    site = await Site().begin()
    await hears(site, "Mia", DESK, "!status")
    await hears(site, "Mia", DESK, "!status")
    [alarm] = [item for item in waiting(site) if item.due_at == next_heads(site.case.id, AT)]
    async with site.database.begin() as work:
        await work.inbox.done(alarm.id)
        assert alarm.due_at
        await handler(work, alarm.id, alarm.due_at).due(site.case.id, "heads:")
    told = [out.text for out in site.outbox() if isinstance(out, Tell) and out.text.startswith("Record of case")]
    assert len(told) == 1
    assert posted(told[0]).heads
    assert alarm.due_at - AT <= HEADS_EVERY
    nothing_else = next_heads(site.case.id, alarm.due_at)
    assert nothing_else not in {item.due_at for item in waiting(site)}


def test_heads_are_found_in_whatever_text_they_were_copied_into() -> None:
    text = "On Monday Mia wrote:\n1042 desk 4 " + "a" * 64 + "\nkey KEY signature SIG\nRegards"
    kept = posted(text)
    assert kept.heads == ((("1042", "desk"), 4, "a" * 64),)
    assert kept.signed[0][0] == f"1042 desk 4 {'a' * 64}"
    assert posted("nothing of the kind").heads == ()


def test_a_digest_tells_contents_apart() -> None:
    files = (File("a", "text/plain", size, FileRef("r")) for size in (1, 2))
    contents: tuple[Content, ...] = (Text("a"), Text("b"), *files)
    assert len({digest(content) for content in contents}) == len(contents)


def test_released_words_stand_in_the_chain_of_those_who_read_them() -> None:
    site = Site()
    publish = Publish(ReleaseId("R1"), JOINT, verbatim("Alice’s words:"), WORDS, frozenset())
    decision = Decision(site.case, (Tell(DESK, "R1 is released"), publish), "answer", "R1 is released")
    answer = message(site.case, "Alice", caucus_of(site.case, "Smith"), Text("yes 4F2A"))
    asked, released = parts(decision, answer)
    assert (released.audience, released.effects, released.contents) == (JOINT, ("Publish",), (digest(Text(WORDS)),))
    assert "Publish" not in asked.effects

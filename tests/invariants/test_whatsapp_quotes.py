"""No quotation or correction, in either direction, shows or names anything of another conversation (I1), and what
answers something of the same one quotes just that; a reaction names a message's room, and repeats none of its words.
In the other direction a mediator's reaction stands on the message of hers that it was put to, and no other on any.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.whatsapp import courier
from appservice.whatsapp.reacting import reacting
from policies import routing
from policies.case import JOINT, Conversation
from policies.effects import Announce, Tell
from policies.message import Content, Edit, Message, MessageId, Reaction, Removal, SignedDevice, Text, Unproven
from policies.networks import reactions
from policies.networks.whatsapp import decide_reaction
from policies.outcome import Reacted
from policies.plan import label
from policies.words.phrase import verbatim
from rooms.handle import Handler
from rooms.ports import Entry
from rooms.queue import ItemId
from tests.appservice.whatsapp.house import CODEC, WhatsAppHouse
from tests.bridges.whatsapp.builders import message, webhook
from tests.policies.builders import caucus_of, named

IN_CLEAR = Unproven("it is in clear, so the homeserver could have written it", "")


@dataclass
class Talk:
    """What was said, by whom, where; and as which messages Bea's telephone knows it."""

    there: WhatsAppHouse
    said: list[tuple[MessageId, Conversation]] = field(default_factory=list)
    shown: dict[str, Conversation] = field(default_factory=dict)
    """By the ids on her telephone: hers and ours."""
    wanted: list[tuple[str, bool]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    hers: dict[MessageId, str] = field(default_factory=dict)
    """As what her telephone knows the messages of hers that stand in a room."""

    def where(self, pick: int) -> Conversation:
        return JOINT if pick % 2 else caucus_of(self.there.case, "Jones")

    async def bea(self, pick: int, about: int) -> None:
        """She writes, and maybe quotes whatever her telephone shows, in either chat."""
        wamid, where = f"wamid.bea{len(self.shown)}", self.where(pick)
        number = self.there.numbers.of(where)
        quoted = self.any_of(about)
        context = {"context": {"id": quoted}} if quoted else {}
        before = len(self.there.posts())
        await self.there.says(f"{wamid} in {where.id}", number, wamid=wamid, **context)
        (post,) = self.there.posts()[before:]
        self.said.append((post.message, where))
        self.hers[post.message] = wamid
        self.shown[wamid] = where
        if (post.reply_to is not None) is not (quoted is not None and self.shown[quoted] == where):
            self.problems.append(f"{wamid} answers {post.reply_to}, and quoted {quoted}")
        if post.reply_to and dict(self.said)[post.reply_to] != where:
            self.problems.append(f"{wamid} answers something of another room")

    async def held(self, *_: int) -> None:
        """She was moved just now, so what she writes waits for a mediator: her telephone shows it, and no room does."""
        wamid, where, there = f"wamid.held{len(self.shown)}", self.where(0), self.there
        posts, holds = len(there.posts()), set(there.database.committed.holds)
        await self.settled(there.now + timedelta(minutes=10))
        await there.says(f"{wamid} in {where.id}", wamid=wamid)
        await self.settled(None)
        (held,) = [message for case, message in set(there.database.committed.holds) - holds]
        assert len(there.posts()) == posts
        self.said.append((held, where))
        self.shown[wamid] = where

    async def settled(self, at: datetime | None) -> None:
        """From then on what she writes is surely meant for those whom she knows to read there."""
        endpoint = replace(self.there.bea.endpoint, settled=at)
        async with self.there.database.begin() as work:
            await work.cases.save(self.there.case.with_person(replace(self.there.bea, endpoint=endpoint)))

    async def react(self, pick: int, about: int) -> None:
        """She reacts to whatever her telephone shows, be it held, changed or taken back by now."""
        target = self.any_of(about)
        if target is None:
            return
        emoji = {"message_id": target, "emoji": "👍"}
        number = self.there.numbers.of(self.where(pick))
        wamid = f"wamid.r{len(self.there.effects())}"
        await self.there.receive(webhook(message("reaction", emoji, wamid=wamid), number=number))
        told = self.there.effects()[-1]
        assert isinstance(told, Tell)
        if told.conversation != caucus_of(self.there.case, "Jones"):
            self.problems.append(f"a reaction is told in {told.conversation.id}")
        on = f"It is on a message in {label(self.shown[target], self.there.case)}."
        if told.text != f"Bea reacted with 👍 on WhatsApp.\n{on}":
            self.problems.append(f"a reaction to {target} says {told.text}")

    async def staff(self, pick: int, about: int) -> None:
        """The mediator, or Alice, reacts in any room to whatever was said in any, or was not."""
        where, there, count = self.where(pick), self.there, len(self.there.graph.accepted)
        target, at = self.said[about % len(self.said)]
        who = "Alice" if about % 7 == 0 and where == JOINT else "Mia"
        name = MessageId(f"react{len(there.database.committed.journal)}")
        reacted = Message(
            name, named(there.case, who).id, where, Reaction(target, "👍"), IN_CLEAR, there.now, native=True
        )
        there.later(seconds=10)
        async with there.database.begin() as work:
            await Handler(work, CODEC, there.house, ItemId(name), there.now).message(there.case.id, reacted, None, None)
        await there.deliver()
        sent = [(number, one["reaction"]) for number, one in there.graph.accepted[count:] if one["type"] == "reaction"]
        right = who == "Mia" and where == at and target in self.hers
        number = there.numbers.of(where)
        wanted = [(number, {"message_id": self.hers[target], "emoji": "👍"})] if right else []
        if sent != wanted:
            self.problems.append(f"{who} in {where.id} to {target} of {at.id}: {sent}, not {wanted}")

    async def alice(self, pick: int, about: int) -> None:
        """The mediator, or Alice, writes, answers, corrects or takes back whatever there is, in any room."""
        where, there = self.where(pick), self.there
        name = MessageId(f"m{len(self.said)}")
        target = self.said[about % len(self.said)] if self.said and about else None
        said: Content = Text(f"{name} in {where.id}")
        if target and about % 5 in {1, 2}:
            said = Edit(target[0], f"{name} in {where.id}") if about % 5 == 1 else Removal(target[0])
        author = named(there.case, "Alice" if where == JOINT else "Mia").id
        answers = target[0] if target and isinstance(said, Text) else None
        new = Message(name, author, where, said, SignedDevice(), there.now, native=True, reply_to=answers)
        async with there.database.begin() as work:
            await work.journal.append(Entry(there.case.id, new))
        number = len(there.graph.accepted)
        there.later(seconds=10)
        await there.carry(said, where, f"i{name}", said=name, answers=answers)
        self.said.append((name, where))
        for wamid, (_, sent) in enumerate(there.graph.accepted[number:], number + 1):
            self.look(f"wamid.out{wamid}", sent, where, target)

    def look(self, wamid: str, sent: Any, where: Conversation, target: tuple[MessageId, Conversation] | None) -> None:
        quoted = sent.get("context", {}).get("message_id")
        self.shown[wamid] = where
        if quoted and self.shown[quoted] != where:
            self.problems.append(f"{wamid} in {where.id} quotes {quoted} of {self.shown[quoted].id}")
        if target and target[1] == where and not quoted:
            self.problems.append(f"{wamid} answers {target[0]}, and quotes nothing")

    def any_of(self, about: int) -> str | None:
        return list(self.shown)[about % len(self.shown)] if self.shown and about else None


Steps = list[tuple[str, int, int]]
STEPS = st.lists(
    st.tuples(st.sampled_from(["bea", "alice", "held", "react", "staff"]), st.integers(0, 1), st.integers(0, 30)),
    max_size=12,
)


def talked(steps: Steps, *, two_numbers: bool) -> list[str]:
    """What should not be as it is, after these steps."""

    async def talk() -> Talk:
        there = await WhatsAppHouse(two_numbers=two_numbers).begin()
        talk = Talk(there)
        for where in range(2 if two_numbers else 1):
            await talk.bea(where, 0)
        for what, pick, about in steps:
            await getattr(talk, what)(pick if two_numbers or what in {"alice", "staff"} else 0, about)
        return talk

    return asyncio.run(talk()).problems


@given(STEPS, st.booleans())
def test_nothing_of_another_conversation_is_quoted_and_what_is_answered_is(steps: Steps, two_numbers: bool) -> None:
    assert not talked(steps, two_numbers=two_numbers)


def any_words_are_quoted_out(patch: pytest.MonkeyPatch) -> None:
    quoted = courier._answered

    async def wrong(work: Any, letter: Any, line: Any) -> Any:
        entry = await work.journal.get(line.case.id, letter.reply_to) if letter.reply_to else None
        return await quoted(work, replace(letter, conversation=entry.message.conversation) if entry else letter, line)

    patch.setattr(courier, "_answered", wrong)


def reactions_show_words(patch: pytest.MonkeyPatch) -> None:
    """Those that were first said, whatever became of them."""

    def wrong(case: Any, person: Any, emoji: str, to: Any = None) -> Any:
        decision = decide_reaction(case, person, emoji, to)
        shown = Announce(caucus_of(case, "Jones"), verbatim(f"It is on this:\n> {to.content}"))
        return replace(decision, effects=(shown,))

    patch.setattr("appservice.whatsapp.reader.decide_reaction", wrong)


def nothing_is_quoted(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> None:
        return None

    patch.setattr(courier, "_answered", nothing)


def reactions_go_wherever_they_are_put(patch: pytest.MonkeyPatch) -> None:
    """Neither the decision nor the courier asks of which room the message is."""
    written, carried = reactions._written_by, reacting

    def wrong(case: Any, said: Message, on: Reacted) -> Any:
        return written(case, replace(said, conversation=on.target.conversation), on)

    async def blind(work: Any, letter: Any, person: Any, number: str, at: datetime) -> Any:
        entry = await work.journal.get(letter.case.id, letter.content.target)
        where, theirs = entry.message.conversation, entry.message.proof.number
        return await carried(work, replace(letter, conversation=where), person, theirs, at)

    patch.setattr(reactions, "_written_by", wrong)
    patch.setattr(courier, "reacting", blind)


def parties_react_as_we_do(patch: pytest.MonkeyPatch) -> None:
    decided = reactions.decide_reacted

    def wrong(case: Any, said: Message, author: Any, on: Any) -> Any:
        return decided(case, said, named(case, "Mia"), on)

    patch.setattr(routing, "decide_reacted", wrong)
    patch.setattr("appservice.whatsapp.reacting.still_stands", lambda *_: True)  # which asks once more whose it is


def no_reaction_is_shown(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reactions, "_written_by", lambda *_: None)


PLANTS: list[tuple[Callable[[pytest.MonkeyPatch], None], Steps]] = [
    (any_words_are_quoted_out, [("alice", 1, 0), ("alice", 0, 5)]),
    (reactions_show_words, [("held", 0, 0), ("react", 0, 2)]),
    (reactions_show_words, [("alice", 0, 0), ("alice", 0, 2), ("react", 0, 2)]),
    (nothing_is_quoted, [("alice", 1, 3)]),
    (reactions_go_wherever_they_are_put, [("bea", 0, 0), ("staff", 1, 2)]),
    (parties_react_as_we_do, [("bea", 1, 0), ("staff", 1, 7)]),
    (no_reaction_is_shown, [("staff", 0, 2)]),
]


@pytest.mark.parametrize(("plant", "steps"), PLANTS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_planted_fault_is_noticed(plant: Callable[[pytest.MonkeyPatch], None], steps: Steps) -> None:
    assert not talked(steps, two_numbers=True)
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        assert talked(steps, two_numbers=True)

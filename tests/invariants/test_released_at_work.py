"""Releases in the whole service, through crashes, failures, replays and changes of mode, against what was agreed to.

A mediator has a party's words released; the party says yes, or no, or nothing, or somebody else says yes for it.
Whatever breaks meanwhile: they stand before the others if and only if the party said yes to them, once, and a mail of
them that may have been lost is shown as such.
"""

import re
from dataclasses import dataclass, field
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.case import JOINT, CaseId, Conversation, Kind
from policies.plan import room_key
from policies.releases import releasing
from rooms.queue import State
from tests.fakes.synapse import Room
from tests.invariants.histories import SETTLED, Command, Deliver, Fault, Repeat, Rest, Restart, Step, Work, happen
from tests.invariants.people import open_chat, order
from tests.invariants.promises import Broken, levels_are_as_intended, the_record_is_whole
from tests.invariants.world import ALICE, BOT, CARL, MIA, World, opened


@dataclass
class Release:
    """What Alice said in private, and what became of the wish to have it shown."""

    world: World
    words: str = ""
    said: str | None = None
    agreed: bool = False
    refused: bool = False
    yeses: list[str] = field(default_factory=list)

    @property
    def case(self) -> CaseId:
        return next(iter(self.world.database.committed.cases))

    def room(self, where: Conversation) -> Room:
        room = self.world.database.committed.rooms[self.case, room_key(where)].room_id
        assert room
        return self.world.synapse.all_rooms[room]

    @property
    def hers(self) -> Room:
        rooms = self.world.rooms_of(ALICE, "join")
        return next(room for room in rooms if (at := self.world.place(room.id)) and at[1].kind is Kind.CAUCUS)

    async def say(self) -> None:
        """Alice says it, in her private room."""
        said = self.world.canary(self.case, None, native=True, proven=True, readable=True)
        del self.world.said[said.canary]
        self.words = said.canary
        self.said = await self.world.seal(ALICE, self.hers, {"msgtype": "m.text", "body": self.words})

    async def begin(self) -> None:
        """The mediator replies to it, and confirms the preview."""
        relation = {"m.in_reply_to": {"event_id": self.said}}
        await self.world.seal(MIA, self.hers, {"msgtype": "m.text", "body": "!release", "m.relates_to": relation})
        await self.world.settle()
        desk, code = self.world.desk(self.case), self.world.question(self.case)
        if desk and code:
            await order(self.world, desk, code)

    async def answer(self, how: str) -> None:
        """Alice answers what she was asked last; or somebody does in her place."""
        asked = [text for text, _ in self.world.shown(self.hers, ALICE) if self.words in text]
        codes = [code for text in asked for code in re.findall(r"“yes (\w{4})”", text)]
        if not codes:
            return
        yes, no = f"yes {codes[-1]}", f"no {codes[-1]}"
        match how:
            case "yes":
                self.agreed = self.agreed or not self.refused
                await order(self.world, self.hers, yes, ALICE)
            case "no":
                self.refused = True
                await order(self.world, self.hers, no, ALICE)
            case "thief":
                content = {"msgtype": "m.text", "body": yes}
                await self.world.seal(ALICE, self.hers, content, signed=False)
            case "mediator":
                await order(self.world, self.hers, yes, MIA)
            case "in clear":
                await self.world.send(ALICE, self.hers, "m.room.message", {"msgtype": "m.text", "body": yes})
            case "reaction":
                relation = {"rel_type": "m.annotation", "event_id": self.said, "key": yes}
                await self.world.send(ALICE, self.hers, "m.reaction", {"m.relates_to": relation})
            case _:
                raise AssertionError(how)

    # --- what is to be seen

    def stands(self) -> int:
        """How often the words stand in the joint room; anybody else's than ours there is none of theirs."""
        shown = 0
        for event in self.room(JOINT).timeline:
            envelope = self.world.envelopes.of(event.content)
            if envelope and self.words in str(envelope.content):
                if event.sender != BOT or not str(envelope.content["body"]).startswith("Alice’s words, released by"):
                    raise Broken(f"they stand there as no release: {envelope.content}")
                shown += 1
        return shown

    def mailed(self) -> int:
        """How often Carl was mailed them."""
        return sum(self.words in mail.text for mail in self.world.post_office.mailbox(CARL))

    def check(self) -> None:
        levels_are_as_intended(self.world)
        the_record_is_whole(self.world)
        stands, mailed = self.stands(), self.mailed()
        if (stands or mailed) and not self.agreed:
            raise Broken("words crossed to which nobody agreed")
        if stands > 1 or mailed > 1:
            raise Broken(f"they arrived {stands} and {mailed} times")
        lost = [
            i for i in self.world.database.committed.outbox.items.values() if i.state in {State.UNKNOWN, State.DEAD}
        ]
        if self.agreed and (not stands or (not mailed and not lost)):
            raise Broken(f"what was agreed to did not arrive: {stands}, {mailed}")


ANSWERS = st.sampled_from(("yes", "yes", "yes", "no", "thief", "mediator", "in clear", "reaction"))
TROUBLE: st.SearchStrategy[Step] = st.one_of(
    st.builds(Fault, st.sampled_from(("crash", "crash", "failure", "surprise")), st.integers(0, 40)),
    st.builds(Repeat, st.integers(0, 200), st.integers(1, 20)),
    st.builds(Work, st.lists(st.integers(0, 9), min_size=1, max_size=8).map(tuple)),
    st.builds(Deliver, st.integers(1, 10)),
    st.builds(
        Command, st.sampled_from(("!mode locked", "!mode open", "!mute Alice", "!turn Carl", "!board", "!repair"))
    ),
    st.sampled_from((Rest(), Restart())),
)
TROUBLES = st.lists(TROUBLE, max_size=4)


async def released(
    world: World, before: list[Step], answers: list[str], between: list[Step], after: list[Step]
) -> Release:
    await world.start()
    await open_chat(world)
    for step in SETTLED:
        await happen(world, step)
    release = Release(world)
    await release.say()
    for step in before:
        await happen(world, step)
    await release.begin()
    for step in between:
        await happen(world, step)
    world.fault = None
    await world.settle()
    for how in answers:
        await release.answer(how)
        await world.deliver()
    for step in after:
        await happen(world, step)
    await world.finish()
    return release


@settings(max_examples=8)
@given(TROUBLES, st.lists(ANSWERS, max_size=3), TROUBLES, TROUBLES)
async def test_words_cross_if_and_only_if_their_author_agreed_and_once(
    before: list[Step], answers: list[str], between: list[Step], after: list[Step]
) -> None:
    with opened() as world:
        (await released(world, before, answers, between, after)).check()


async def test_a_yes_that_is_given_arrives_whatever_breaks_then() -> None:
    with opened() as world:
        release = await released(world, [], ["yes"], [], [Fault("crash", 7), Repeat(0, 50)])
        release.check()
        assert (release.stands(), release.mailed()) == (1, 1)


@pytest.mark.parametrize("how", ["thief", "mediator", "in clear", "reaction", "no"])
async def test_nothing_else_than_her_own_yes_has_it_shown(how: str) -> None:
    with opened() as world:
        release = await released(world, [], [how], [], [])
        release.check()
        assert (release.stands(), release.mailed()) == (0, 0)


async def test_a_release_to_which_nobody_agreed_is_noticed() -> None:
    with patch.object(releasing, "_need_not_agree", lambda case, release: True), opened() as world:
        release = await released(world, [], [], [], [])
        with pytest.raises(Broken):
            release.check()

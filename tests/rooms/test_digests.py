"""What waits for a digest goes together, room by room and in order; and nothing goes along that may not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from policies.case import JOINT, Case, Conversation, Network
from policies.effects import Inform, Introduce, Pose, Publish, Relay
from policies.message import Edit, MessageId, Reaction, Text
from policies.names import ReleaseId
from policies.networks.digest import Digest
from policies.people.membership import readers
from policies.words.phrase import verbatim
from rooms import digests
from rooms.deliver import Deliverer
from rooms.lanes import person_lane
from rooms.letters import Letter
from rooms.outcome import Cancelled, Outcome, Parked, Sent
from rooms.outgoing import PEOPLE, Outgoing
from rooms.queue import Item, ItemId, State
from tests.policies.builders import AT, both_sides, caucus_of, done, facts, named
from tests.rooms.builders import CODEC, Site, applier

PLAIN = both_sides()
CARL, ALICE, OWN = named(PLAIN, "Carl"), named(PLAIN, "Alice"), caucus_of(PLAIN, "Jones")
CASE = PLAIN.with_person(replace(CARL, digest=Digest((18 * 60,), "UTC")))
DUE = AT.replace(hour=18)


def relay(text: str, where: Conversation = JOINT) -> Relay:
    return Relay(MessageId(text), where, ALICE.id, Text(text), CARL.id)


class Post:
    """A case with Carl, who gets digests; what is put for him, and carried."""

    def __init__(self, case: Case = CASE) -> None:
        self.site, self.now = Site(case), AT

    async def begin(self) -> "Post":
        await self.site.begin()
        clock: Callable[[], datetime] = lambda: self.now  # noqa: E731
        self.deliverer = Deliverer(
            self.site.database,
            self.site.builder,
            self.site.poster,
            dict.fromkeys(Network, self.site.courier),
            codec=CODEC,
            clock=clock,
        )
        return self

    async def put(self, *outgoing: Outgoing) -> None:
        async with self.site.database.begin() as work:
            for number, each in enumerate(outgoing, 1):
                lane = person_lane(self.site.case.id, CARL.id)
                body = CODEC.dump(each)
                await work.outbox.put(Item(ItemId(f"i{number}"), lane, PEOPLE, self.site.case.id, body, AT))

    def item(self, number: int = 1) -> Item:
        return self.site.database.committed.outbox.items[ItemId(f"i{number}")]

    async def carry(self, number: int = 1) -> Outcome:
        item = self.item(number)
        outcome, _ = await self.deliverer.deliver(item, CODEC.load(item.body))
        return outcome

    @property
    def carried(self) -> list[list[str]]:
        """What each mail had in it."""
        return [[said(letter), *(said(each.letter) for each in letter.more)] for letter in self.site.courier.carried]


def said(letter: Letter) -> str:
    return str(getattr(letter.content, "body", None) or getattr(letter.content, "words", ""))


async def test_words_wait_and_then_go_together_each_rooms_in_one_mail() -> None:
    post = await Post().begin()
    await post.put(relay("one"), relay("two", OWN), relay("three"), relay("four", OWN))
    waits = await post.carry()
    assert isinstance(waits, Parked)
    assert waits.until == DUE
    post.now = DUE
    assert isinstance(await post.carry(1), Sent)
    assert isinstance(await post.carry(2), Sent)
    assert post.carried == [["one", "three"], ["two", "four"]]
    assert {each.letter.conversation for each in post.site.courier.carried[0].more} == {JOINT}


async def test_what_was_said_after_the_hour_waits_for_the_next() -> None:
    post = await Post().begin()
    await post.put(relay("one"), relay("two"))
    async with post.site.database.begin() as work:
        late = replace(
            post.item(2), id=ItemId("i3"), received_at=DUE + timedelta(seconds=1), body=CODEC.dump(relay("3"))
        )
        await work.outbox.put(late)
    post.now = DUE + timedelta(minutes=1)
    await post.carry()
    assert post.carried == [["one", "two"]]


async def test_nothing_of_its_own_room_is_overtaken() -> None:
    post = await Post().begin()
    publish = Publish(ReleaseId("R1"), JOINT, verbatim("Alice’s words:"), "released", readers(CASE, JOINT), CARL.id)
    notice, removed = Inform(CARL.id, JOINT, verbatim("notice")), Edit(None, "corrected")
    await post.put(relay("one"), publish, replace(relay("x"), content=removed), notice, relay("after the notice"))
    post.now = DUE
    await post.carry()
    assert post.carried == [["one", "released", "corrected"]]


async def test_what_concerns_its_reader_alone_does_not_wait() -> None:
    post = await Post().begin()
    pose = Pose(CARL.id, OWN, "4F2A", verbatim("Well?"), "w", verbatim("t"), AT, of_the_case=False)
    asked = done(CASE, "!ask Carl: Well?", facts(code="4F2A")).case
    await post.site.change(asked)
    await post.put(Inform(CARL.id, OWN, verbatim("notice")), Introduce(CARL.id, OWN), pose)
    for number in (1, 2, 3):
        assert isinstance(await post.carry(number), Sent)


async def test_to_pose_a_question_wakes_what_waits_for_a_digest() -> None:
    post = await Post().begin()
    await post.put(relay("one"))
    waits = await post.carry()
    assert isinstance(waits, Parked)
    async with post.site.database.begin() as work:
        await work.outbox.park(ItemId("i1"), waits.key, waits.until, waits.why)
    outcome = done(CASE, "!ask Carl: Well?", facts(at=AT + timedelta(seconds=1)))
    async with post.site.database.begin() as work:
        await work.cases.save(outcome.case)
        for effect in outcome.effects:
            await applier(work)._effect(outcome.case, effect)
    assert post.item().state is State.READY
    post.now = AT + timedelta(seconds=2)
    assert isinstance(await post.carry(), Sent)


async def test_what_may_not_go_any_more_does_not_go_along() -> None:
    post = await Post().begin()
    released = Publish(ReleaseId("R1"), JOINT, verbatim("Alice’s words:"), "for others", frozenset(), CARL.id)
    await post.put(relay("one"), released, relay("two"))
    post.now = DUE
    await post.carry()
    assert post.carried == [["one", "two"]]


async def test_of_a_copy_of_a_release_that_may_not_go_any_more_the_desk_is_told() -> None:
    post = await Post().begin()
    released = Publish(ReleaseId("R1"), JOINT, verbatim("Alice’s words:"), "for others", frozenset({CARL.id}), CARL.id)
    await post.put(released)
    outcome, report = await post.deliverer.deliver(post.item(), released)
    assert isinstance(outcome, Cancelled)
    assert "R1 is NOT shown everywhere: somebody reads there now" in report.tell[0]


async def test_while_nothing_may_be_sent_there_nothing_is() -> None:
    post = await Post(done(CASE, "!mail pause Carl").case).begin()
    await post.put(relay("one"), relay("two"))
    post.now = DUE
    assert isinstance(await post.carry(), Parked)
    assert post.carried == []


async def test_a_mail_holds_so_much_and_the_next_the_rest() -> None:
    post = await Post().begin()
    many = [relay(f"m{number}") for number in range(digests.TOGETHER_MOST + 2)]
    long = [relay("x" * (digests.BYTES_MOST - 1_000)), relay("y" * 2_000)]
    await post.put(*many)
    post.now = DUE
    await post.carry()
    assert len(post.carried[0]) == digests.TOGETHER_MOST
    other = await Post().begin()
    await other.put(*long)
    other.now = DUE
    await other.carry()
    assert len(other.carried[0]) == 1


async def test_what_mail_does_not_carry_ends_the_mail() -> None:
    post = await Post().begin()
    await post.put(relay("one"), replace(relay("x"), content=Reaction(None, "👍")), relay("two"))
    post.now = DUE
    await post.carry()
    assert post.carried == [["one"]]


async def test_who_gets_links_gets_one_and_nothing_goes_in_it() -> None:
    links = done(CASE, "!mail links Carl").case
    post = await Post(links.with_person(replace(named(links, "Carl"), digest=Digest((18 * 60,), "UTC")))).begin()
    await post.put(relay("one"), relay("two"))
    assert isinstance(await post.carry(), Parked)
    post.now = DUE
    await post.carry()
    assert post.carried == [["one"]]


async def test_what_left_with_another_goes_to_whoever_knows_what_became_of_that_whatever_has_changed() -> None:
    post = await Post().begin()
    await post.put(relay("one"))
    async with post.site.database.begin() as work:
        await work.outbox.mark_sending(ItemId("i1"), b"mail")
        stale = replace(post.item(), sending=False, progress=None)
        await work.cases.save(done(CASE, "!mail pause Carl").case)
    outcome, _ = await post.deliverer.deliver(stale, relay("one"))
    assert isinstance(outcome, Sent), "the courier was asked"

"""The contract of the queues: every database's tests inherit this class and provide `database`, an empty one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from appservice.reading import TO_DEVICE
from appservice.storage.receiving import BESIDE, KEY_COUNTS
from policies.case import CaseId
from rooms.ports import Work
from rooms.queue import Item, ItemId, Lane, Queue, State
from rooms.turns import TURN_BYTES
from tests.appservice.storage.contract import WorkDatabase

AT = datetime(2026, 11, 22, 9, 30, 15, 123456, tzinfo=UTC)
LEASE = timedelta(seconds=60)
MINUTE = timedelta(minutes=1)


def item(name: str, lane: str = "lane", **changes: object) -> Item:
    """An item that is ready."""
    made = Item(ItemId(name), Lane(lane), "kind", CaseId("1001"), f"body of {name}".encode(), AT)
    return replace(made, **changes)  # type: ignore[arg-type]


def names(items: tuple[Item, ...]) -> list[str]:
    """The ids, in order."""
    return [one.id for one in items]


async def known(queue: Queue, name: str) -> Item:
    """An item that must be there."""
    found = await queue.get(ItemId(name))
    assert found
    return found


async def fill(queue: Queue, *items: Item) -> None:
    """Put them all."""
    for one in items:
        assert await queue.put(one)


class QueueContract:
    """What holds for every queue."""

    @pytest.fixture(params=["inbox", "outbox"])
    def side(self, request: pytest.FixtureRequest) -> str:
        """Which queue."""
        return str(request.param)

    async def test_an_item_comes_back_as_it_was_put(self, database: WorkDatabase, side: str) -> None:
        plain = item("a", case=None)
        full = item("b", attempts=2, due_at=AT, wait_key="k", note="\ud83d", progress=b"\x00", sending=True, result="r")
        async with database.begin() as work:
            await fill(_queue(work, side), plain, full)
        async with database.begin() as work:
            first, second = [await _queue(work, side).get(ItemId(name)) for name in "ab"]
            assert await _queue(work, side).get(ItemId("c")) is None
        assert first == replace(plain, seq=first.seq if first else 0)
        assert second == replace(full, seq=second.seq if second else 0)
        assert first is not None
        assert second is not None
        assert 0 < first.seq < second.seq

    async def test_the_same_id_is_stored_once_even_when_done(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            assert await work.inbox.put(item("a"))
            assert not await work.inbox.put(item("a", body=b"other"))
            await work.inbox.done(ItemId("a"))
        async with database.begin() as work:
            assert not await work.inbox.put(item("a"))
            assert await work.outbox.put(item("a")), "the queues do not know each other"
            assert await work.inbox.claim("me", AT, LEASE) == ()

    async def test_what_failed_before_is_due_when_it_is_hastened(self, database: WorkDatabase, side: str) -> None:
        async with database.begin() as work:
            await fill(_queue(work, side), item("a"), item("b", "other", due_at=AT + MINUTE))
            await _queue(work, side).retry(ItemId("a"), AT + MINUTE, "away", AT)
        async with database.begin() as work:
            assert await _queue(work, side).claim("me", AT, LEASE) == ()
            assert await _queue(work, side).hasten() == 1
        async with database.begin() as work:
            [one] = await _queue(work, side).claim("me", AT, LEASE)
            assert (one.id, one.failing_since) == ("a", AT), "and how long it has failed is still known"
            assert await _queue(work, side).claim("you", AT, LEASE) == (), "what waits for its own time still does"

    async def test_a_lane_is_worked_on_in_order_by_one(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await fill(work.inbox, item("z"), item("b", "other"), item("a"))
        async with database.begin() as work:
            assert names(await work.inbox.claim("me", AT, LEASE)) == ["z"]
            assert names(await work.inbox.claim("me", AT, LEASE, 5)) == ["b"]
            assert await work.inbox.claim("you", AT, LEASE) == ()
            await work.inbox.done(ItemId("z"))
            assert await work.inbox.claim("you", AT, LEASE) == (), "done is not yet free"
            await work.inbox.free("me", Lane("lane"))
        async with database.begin() as work:
            assert names(await work.inbox.claim("you", AT, LEASE)) == ["a"]

    async def test_a_claim_takes_as_many_of_one_lane_as_asked_for(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await fill(work.inbox, *(item(str(n), f"lane {n % 2}") for n in range(8)))
        async with database.begin() as work:
            assert names(await work.inbox.claim("me", AT, LEASE, 3)) == ["0", "2", "4"]
            assert names(await work.inbox.claim("me", AT, LEASE, 9)) == ["1", "3", "5", "7"]

    async def test_a_claim_takes_no_more_than_fits(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            sizes = {"a": TURN_BYTES // 2, "b": TURN_BYTES, "c": 1, "d": 2 * TURN_BYTES, "e": 1}
            await fill(work.inbox, *(item(name, body=bytes(size)) for name, size in sizes.items()))
        for expected in (["a", "b"], ["c", "d"], ["e"]):
            async with database.begin() as work:
                claimed = await work.inbox.claim("me", AT, LEASE, 9)
                assert names(claimed) == expected
                for one in claimed:
                    await work.inbox.done(one.id)
                await work.inbox.free("me", Lane("lane"))

    async def test_whoever_was_served_goes_behind_all_that_wait(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await fill(work.inbox, *(item(f"{lane}{n}", lane) for lane in "abc" for n in range(9)))
        assert await _served(database, 4) == ["a0", "b0", "c0", "a1"]
        async with database.begin() as work:
            await fill(work.inbox, item("new", "newcomer"), item("newer", "newcomer"))
        assert await _served(database, 7) == ["b1", "c1", "a2", "new", "b2", "c2", "a3"]
        assert await _served(database, 2) == ["newer", "b3"]

    async def test_who_was_served_long_ago_is_served_before_a_flood_goes_on(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await fill(work.inbox, item("once", "rare"))
        assert await _served(database, 1) == ["once"]
        async with database.begin() as work:
            await fill(work.inbox, *(item(str(n), f"flood {n % 4}") for n in range(40)), item("again", "rare"))
        assert (await _served(database, 6))[4:] == ["again", "4"]

    async def test_a_lane_that_was_set_back_by_a_failure_has_its_turn(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await fill(work.inbox, item("a"), item("b", "other"), item("c", "other"))
            await work.inbox.claim("me", AT, LEASE)
            await work.inbox.retry(ItemId("a"), AT + MINUTE, "no answer", AT)
            await work.inbox.free("me", Lane("lane"))
        assert await _served(database, 1) == ["b"]
        async with database.begin() as work:
            assert names(await work.inbox.claim("me", AT + MINUTE, LEASE)) == ["a"]

    async def test_a_lease_of_a_clock_that_was_set_back_is_over(self, database: WorkDatabase) -> None:
        lane, day = Lane("lane"), timedelta(days=1)
        async with database.begin() as work:
            await fill(work.inbox, item("a"))
            await work.inbox.claim("killed", AT + day, LEASE)
        async with database.begin() as work:
            assert await work.inbox.claim("me", AT + day - LEASE, LEASE) == (), "it may be another's clock that is late"
            assert names(await work.inbox.claim("me", AT, LEASE)) == ["a"]
            assert not await work.inbox.renew("killed", lane, AT + day + LEASE)
        async with database.begin() as work:
            assert await work.inbox.claim("you", AT, LEASE) == (), "the new lease counts"

    async def test_a_lease_ends_by_itself_unless_it_is_renewed(self, database: WorkDatabase) -> None:
        lane = Lane("lane")
        async with database.begin() as work:
            await fill(work.inbox, item("a"))
            await work.inbox.claim("me", AT, LEASE)
        async with database.begin() as work:
            assert await work.inbox.renew("me", lane, AT + 2 * LEASE)
            assert not await work.inbox.renew("you", lane, AT + 9 * LEASE)
            assert not await work.inbox.renew("me", Lane("never"), AT)
        async with database.begin() as work:
            assert await work.inbox.claim("you", AT + LEASE, LEASE) == ()
            assert names(await work.inbox.claim("you", AT + 2 * LEASE, LEASE)) == ["a"]
            assert not await work.inbox.renew("me", lane, AT + 9 * LEASE)
            await work.inbox.free("me", lane)
            assert await work.inbox.claim("me", AT + 2 * LEASE, LEASE) == (), "only the owner gives it back"

    async def test_a_retried_item_holds_up_its_lane_and_no_other(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await fill(work.inbox, item("a"), item("b"), item("c", "other"))
            assert names(await work.inbox.claim("me", AT, LEASE, 2)) == ["a", "b"]
            await work.inbox.mark_sending(ItemId("a"), b"progress")
            await work.inbox.retry(ItemId("a"), AT + MINUTE, "no answer", AT)
            await work.inbox.free("me", Lane("lane"))
        async with database.begin() as work:
            assert names(await work.inbox.claim("me", AT, LEASE, 2)) == ["c"]
            assert await work.inbox.claim("me", AT, LEASE, 2) == ()
            assert await work.inbox.next_due(AT) == AT + MINUTE
            assert await work.inbox.next_due(AT + MINUTE) is None
        async with database.begin() as work:
            first, second = await work.inbox.claim("me", AT + MINUTE, LEASE, 2)
        assert (first.id, first.attempts, first.note, first.sending) == ("a", 1, "no answer", False)
        assert first.progress == b"progress"
        assert second.id == "b"

    async def test_a_claim_stops_before_an_item_whose_time_lies_ahead(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await fill(work.inbox, item("a"), item("b", due_at=AT + MINUTE), item("c"))
            assert names(await work.inbox.claim("me", AT, LEASE, 9)) == ["a"]

    async def test_a_parked_item_lets_its_lane_go_on_and_keeps_its_place(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await fill(work.inbox, item("a"), item("b"), item("c"))
            await work.inbox.park(ItemId("a"), "key", None, "no key yet")
            assert names(await work.inbox.claim("me", AT, LEASE)) == ["b"]
            await work.inbox.done(ItemId("b"))
            await work.inbox.free("me", Lane("lane"))
        async with database.begin() as work:
            assert await work.inbox.wake("other key") == 0
            assert await work.inbox.wake("key") == 1
            assert await work.inbox.wake("key") == 0
        async with database.begin() as work:
            woken, behind = await work.inbox.claim("me", AT, LEASE, 9)
        assert (woken.id, woken.wait_key, woken.state, woken.note) == ("a", None, State.READY, "no key yet")
        assert woken.attempts == 1, "it was looked at once in vain"
        assert behind.id == "c"

    async def test_what_waits_ahead_of_an_item_in_its_lane_is_known(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await fill(work.inbox, *(item(name) for name in "abcd"), item("x", "other"), item("e"), item("f"))
            await work.inbox.park(ItemId("c"), "key", None, "")
            await work.inbox.done(ItemId("a"))
            await work.inbox.stop(ItemId("d"), State.DEAD, "")
            last = await work.inbox.get(ItemId("e"))
            assert last is not None
            assert names(await work.inbox.ahead_of(last)) == ["b", "c"]
            first = await work.inbox.get(ItemId("b"))
            assert names(await work.inbox.ahead_of(last, first)) == ["c"]
            assert names(await work.inbox.ahead_of(last, last)) == ["b", "c"]
            assert names(await work.inbox.behind(last)) == ["f"]
            before = await work.inbox.get(ItemId("a"))
            assert before is not None
            assert names(await work.inbox.behind(before)) == ["b", "c", "e", "f"]
            assert names(await work.inbox.in_lane(last.lane)) == ["f", "e", "c", "b"]
            assert await work.inbox.waits_ahead(last, "other key"), "one is ready"
            await work.inbox.done(ItemId("b"))
            assert await work.inbox.waits_ahead(last, "key")
            assert not await work.inbox.waits_ahead(last, "other key")
            first = await work.inbox.get(ItemId("b"))
            assert first is not None
            assert not await work.inbox.waits_ahead(first, "key")

    async def test_a_parked_item_is_ready_when_its_time_has_come(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await fill(work.inbox, item("a"))
            await work.inbox.park(ItemId("a"), "key", AT + MINUTE, "")
        async with database.begin() as work:
            assert await work.inbox.next_due(AT) == AT + MINUTE
            assert await work.inbox.ripen(AT) == 0
            assert await work.inbox.claim("me", AT, LEASE) == ()
        async with database.begin() as work:
            assert await work.inbox.ripen(AT + MINUTE) == 1
            claimed = await work.inbox.claim("me", AT + MINUTE, LEASE)
            assert names(claimed) == ["a"]
            assert (claimed[0].state, claimed[0].due_at, claimed[0].wait_key) == (State.READY, None, None)
            assert await work.inbox.wake("key") == 0

    async def test_what_is_done_keeps_its_id_and_loses_its_body(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await fill(work.outbox, item("a"))
            await work.outbox.mark_sending(ItemId("a"), b"progress")
            sending = await work.outbox.get(ItemId("a"))
            assert sending is not None
            assert (sending.sending, sending.progress) == (True, b"progress")
            await work.outbox.done(ItemId("a"), "$event")
        async with database.begin() as work:
            done = await work.outbox.get(ItemId("a"))
        assert done == item("a", seq=done.seq if done else 0, state=State.DONE, body=b"", result="$event")

    @pytest.mark.parametrize("state", [State.UNKNOWN, State.DEAD])
    async def test_a_person_can_retry_what_was_given_up(self, database: WorkDatabase, state: State) -> None:
        async with database.begin() as work:
            await fill(work.outbox, item("a"), item("b"))
            await work.outbox.retry(ItemId("a"), AT, "once", AT)
            await work.outbox.mark_sending(ItemId("a"), b"progress")
            await work.outbox.stop(ItemId("a"), state, "no answer")
            assert names(await work.outbox.claim("me", AT, LEASE)) == ["b"]
            assert [one.note for one in await work.outbox.in_state({state})] == ["no answer"]
            await work.outbox.free("me", Lane("lane"))
            assert await work.outbox.revive(ItemId("a"))
            assert not await work.outbox.revive(ItemId("a"))
        async with database.begin() as work:
            (revived,) = await work.outbox.claim("me", AT, LEASE)
        assert (revived.id, revived.body, revived.attempts, revived.sending) == ("a", b"body of a", 0, False)
        assert (revived.due_at, revived.progress) == (None, b"progress")

    async def test_what_is_long_done_can_be_forgotten(self, database: WorkDatabase) -> None:
        old = [item("done", kind=BESIDE), item("too", kind=KEY_COUNTS), item("waits", kind=BESIDE), item("other")]
        new = replace(item("new", kind=BESIDE), received_at=AT + 2 * MINUTE)
        async with database.begin() as work:
            for one in (*old, new):
                await work.inbox.put(one)
            for name in ("done", "too", "other", "new"):
                await work.inbox.done(ItemId(name))
        async with database.begin() as work:
            assert await work.inbox.forget(AT + MINUTE) == 2
        async with database.begin() as work:
            left = [name for name in ("done", "waits", "other", "new") if await work.inbox.get(ItemId(name))]
            assert left == ["waits", "other", "new"]
            assert await work.inbox.put(item("afresh"))

    async def test_messages_to_devices_that_are_long_done_can_be_forgotten_by_themselves(
        self, database: WorkDatabase
    ) -> None:
        old = [item("done", kind=TO_DEVICE), item("waits", kind=TO_DEVICE), item("beside", kind=BESIDE)]
        new = replace(item("new", kind=TO_DEVICE), received_at=AT + 2 * MINUTE)
        async with database.begin() as work:
            for one in (*old, new):
                await work.inbox.put(one)
            for name in ("done", "beside", "new"):
                await work.inbox.done(ItemId(name))
        async with database.begin() as work:
            assert await work.inbox.forget_messages(AT + MINUTE) == 1
        async with database.begin() as work:
            left = [name for name in ("done", "waits", "beside", "new") if await work.inbox.get(ItemId(name))]
        assert left == ["waits", "beside", "new"]

    async def test_what_was_cancelled_or_done_is_not_revived(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await fill(work.outbox, item("a"), item("b"))
            await work.outbox.stop(ItemId("a"), State.CANCELLED, "revoked")
            await work.outbox.done(ItemId("b"))
            for name in ("a", "b", "never"):
                assert not await work.outbox.revive(ItemId(name))
            assert await work.outbox.claim("me", AT, LEASE) == ()

    async def test_items_are_listed_by_state_and_case_oldest_first(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await fill(work.outbox, item("z"), item("b", case=CaseId("1002")), item("a"), item("d"), item("e"))
            for name in "zba":
                await work.outbox.stop(ItemId(name), State.DEAD, "")
            await work.outbox.done(ItemId("d"))
        async with database.begin() as work:
            assert names(await work.outbox.in_state({State.DEAD})) == ["z", "b", "a"]
            assert names(await work.outbox.in_state({State.DEAD, State.DONE}, CaseId("1001"))) == ["z", "a", "d"]
            assert names(await work.outbox.in_state((State.READY,), CaseId("1002"))) == []
            assert await work.outbox.counts() == {State.DEAD: 3, State.READY: 1}, "of what is done there is no end"
            assert await work.inbox.counts() == {}

    async def test_a_listing_is_bounded(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await fill(work.outbox, *(item(f"{n:03}") for n in range(501)))
        async with database.begin() as work:
            assert len(await work.outbox.in_state({State.READY})) == 500

    async def test_the_oldest_item_that_could_go_and_the_oldest_that_waits_are_known_apart(
        self, database: WorkDatabase
    ) -> None:
        async with database.begin() as work:
            assert await work.inbox.oldest(State.READY) is None
            await fill(work.inbox, *(item(n, received_at=AT + i * MINUTE) for i, n in enumerate("abc")))
            await work.inbox.done(ItemId("a"))
            await work.inbox.park(ItemId("b"), "key", None, "")
            assert await work.inbox.oldest(State.PARKED) == AT + MINUTE
            assert await work.inbox.oldest(State.READY) == AT + 2 * MINUTE
            await work.inbox.stop(ItemId("b"), State.DEAD, "")
            assert await work.inbox.oldest(State.PARKED) is None
            await work.inbox.done(ItemId("c"))
            assert await work.inbox.oldest(State.READY) is None

    async def test_what_rests_until_its_own_time_is_not_waiting(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await fill(work.inbox, item("a", state=State.PARKED, due_at=AT + MINUTE))
            assert await work.inbox.oldest(State.PARKED) is None
            await work.inbox.ripen(AT + MINUTE)
            assert await work.inbox.oldest(State.READY) == AT

    async def test_what_waits_for_things_of_one_kind_is_counted(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await fill(work.inbox, *(item(name) for name in "abcd"))
            for name, key in (("a", "session:!r:x"), ("b", "session:!r:y"), ("c", "sessio"), ("d", "session:")):
                await work.inbox.park(ItemId(name), key, None, "")
            await work.inbox.stop(ItemId("b"), State.DEAD, "")
            assert await work.inbox.awaiting("session:") == 2

    async def test_lanes_that_are_being_worked_on_are_counted(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await fill(work.inbox, item("a", "first"), item("b", "second"))
            await work.inbox.claim("me", AT, LEASE)
        async with database.begin() as work:
            assert await work.inbox.leased(AT) == 1
            assert await work.inbox.leased(AT + 2 * LEASE) == 0

    async def test_since_when_an_item_fails_is_known_for_as_long_as_it_is_tried_again(
        self, database: WorkDatabase
    ) -> None:
        async with database.begin() as work:
            await fill(work.outbox, item("a"))
            await work.outbox.retry(ItemId("a"), AT + MINUTE, "no answer", AT)
            await work.outbox.mark_sending(ItemId("a"), b"x")
            assert (await known(work.outbox, "a")).failing_since == AT
            await work.outbox.park(ItemId("a"), "key", None, "")
            assert (await known(work.outbox, "a")).failing_since is None

    async def test_what_a_failed_unit_of_work_did_to_items_and_leases_is_undone(self, database: WorkDatabase) -> None:
        async with database.begin() as work:
            await fill(work.inbox, item("a"), item("b"))
        with pytest.raises(ZeroDivisionError):
            await _claim_and_fail(database)
        async with database.begin() as work:
            assert names(await work.inbox.claim("you", AT, LEASE, 9)) == ["a", "b"]

    async def test_what_is_repeatable_is_committed_or_undone_like_everything(self, database: WorkDatabase) -> None:
        async with database.begin_repeatable() as work:
            await fill(work.inbox, item("a"))
        with pytest.raises(ZeroDivisionError):
            await _put_and_fail(database)
        async with database.begin() as work:
            assert names(await work.inbox.claim("me", AT, LEASE, 9)) == ["a"]

    async def test_changing_what_is_not_there_changes_nothing(self, database: WorkDatabase) -> None:
        missing = ItemId("never")
        async with database.begin() as work:
            await work.inbox.done(missing)
            await work.inbox.retry(missing, AT, "", AT)
            await work.inbox.park(missing, "key", None, "")
            await work.inbox.stop(missing, State.DEAD, "")
            await work.inbox.mark_sending(missing, None)
            await work.inbox.free("me", Lane("never"))
        async with database.begin() as work:
            assert await work.inbox.counts() == {}
            assert await work.inbox.claim("me", AT, LEASE) == ()


async def _claim_and_fail(database: WorkDatabase) -> None:
    async with database.begin() as work:
        await work.inbox.claim("me", AT, LEASE)
        await work.inbox.done(ItemId("a"))
        await work.inbox.put(item("c"))
        raise ZeroDivisionError


async def _put_and_fail(database: WorkDatabase) -> None:
    async with database.begin_repeatable() as work:
        await work.inbox.put(item("b"))
        raise ZeroDivisionError


async def _served(database: WorkDatabase, times: int) -> list[str]:
    """Who is served in so many turns, of which each takes one item, does it, and gives the lane back."""
    served: list[str] = []
    for _ in range(times):
        async with database.begin() as work:
            (one,) = await work.inbox.claim("me", AT, LEASE)
            await work.inbox.done(one.id)
            await work.inbox.free("me", one.lane)
        served.append(one.id)
    return served


def _queue(work: Work, side: str) -> Queue:
    return work.inbox if side == "inbox" else work.outbox

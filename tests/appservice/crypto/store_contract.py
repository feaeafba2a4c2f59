"""The contract of `CryptoStore`: every implementation's tests inherit this class and provide `database`.

`database` is a fixture that yields something empty whose `begin()` opens one unit of work, committed when
the block ends and rolled back when it raises.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Protocol

import pytest

from appservice.crypto.ids import (
    Curve25519Key,
    DeviceId,
    Ed25519Key,
    EventId,
    MegolmSessionId,
    MessageDigest,
    OlmSessionId,
    RequestId,
    RoomId,
    UserId,
)
from appservice.crypto.rows import (
    KeyOrigin,
    Pin,
    RequestKind,
    ShareState,
    StoredDevice,
    StoredDeviceList,
    StoredIdentity,
    StoredInbound,
    StoredIndex,
    StoredKeyRequest,
    StoredMasterKey,
    StoredOlmMessage,
    StoredOlmSession,
    StoredOutbound,
    StoredRequest,
    StoredShare,
    StoredUnwedging,
    StoredVerification,
    StoredWithheld,
)
from appservice.crypto.store import CryptoStore


class CryptoDatabase(Protocol):
    """Opens units of work."""

    def begin(self) -> AbstractAsyncContextManager[CryptoStore]:
        """One unit of work: committed when the block ends, rolled back when it raises."""
        ...


BOT = UserId("@bot:example.org")
GHOST = UserId("@ghost:example.org")
ALICE = UserId("@alice:example.org")
CARL = UserId("@carl:example.org")
ROOM = RoomId("!room")
OTHER_ROOM = RoomId("!other")
SESSION = MegolmSessionId("session")
OTHER_SESSION = MegolmSessionId("another session")

IDENTITY = StoredIdentity(
    user_id=BOT,
    device_id=DeviceId("DEVICE"),
    ready=False,
    account="k:pickle",
    seeds="k:seeds",
    curve25519=Curve25519Key("curve"),
    ed25519=Ed25519Key("ed"),
    master_key=Ed25519Key("master"),
    device_keys='{"device_id":"DEVICE"}',
    fallback_at_ms=5,
    created_at_ms=5,
)
OLM = StoredOlmSession(BOT, OlmSessionId("olm"), Curve25519Key("peer"), "pickle", 10, 10)
INBOUND = StoredInbound(
    user_id=BOT,
    room_id=ROOM,
    session_id=SESSION,
    sender=ALICE,
    sender_key=Curve25519Key("alice's"),
    sender_ed25519=Ed25519Key("alice's ed"),
    sender_device=DeviceId("PHONE"),
    vouched_by=Ed25519Key("alice's master"),
    origin=KeyOrigin.SHARED,
    pickle="pickle",
    first_known_index=3,
    received_at_ms=10,
)
WITHHELD = StoredWithheld(BOT, ROOM, SESSION, ALICE, "m.unverified", 10)
INDEX = StoredIndex(SESSION, ALICE, 0, EventId("$one"), ROOM)
OUTBOUND = StoredOutbound(BOT, ROOM, SESSION, "pickle", 0, 10, retired=False)
SHARE = StoredShare(
    user_id=BOT,
    session_id=SESSION,
    peer_user=ALICE,
    peer_device=DeviceId("PHONE"),
    peer_key=Curve25519Key("alice's"),
    state=ShareState.PENDING,
    message_index=0,
    code="",
    request_id=RequestId("request 1"),
    at_ms=10,
)
REQUEST = StoredRequest(
    request_id=RequestId("request 1"),
    user_id=BOT,
    kind=RequestKind.TO_DEVICE,
    event_type="m.room.encrypted",
    body="{}",
    attempts=0,
    leased_until_ms=0,
    created_at_ms=10,
)
DEVICES = (
    StoredDevice(DeviceId("PHONE"), Curve25519Key("c1"), Ed25519Key("e1"), cross_signed=True),
    StoredDevice(DeviceId("LAPTOP"), Curve25519Key("c2"), Ed25519Key("e2"), cross_signed=False),
)


class CryptoStoreContract:
    """Inherit, and provide the fixture `database`."""

    async def test_what_was_written_is_read_in_the_same_and_in_the_next_unit_of_work(
        self, database: CryptoDatabase
    ) -> None:
        async with database.begin() as store:
            await store.put_identity(IDENTITY)
            assert await store.identity(BOT) == IDENTITY
        async with database.begin() as store:
            assert await store.identity(BOT) == IDENTITY
            assert await store.identity(BOT, lock=True) == IDENTITY
            assert await store.identity(GHOST, lock=True) is None

    async def test_a_unit_of_work_that_raises_leaves_nothing_behind(self, database: CryptoDatabase) -> None:
        async with database.begin() as store:
            await store.put_outbound(OUTBOUND)

        async def fail_late() -> None:
            async with database.begin() as store:
                await store.put_identity(IDENTITY)
                await store.put_outbound(replace(OUTBOUND, message_count=1))
                raise LookupError

        with pytest.raises(LookupError):
            await fail_late()
        async with database.begin() as store:
            assert await store.identity(BOT) is None
            assert await store.outbound(BOT, ROOM) == OUTBOUND

    async def test_an_identity_is_replaced_and_unfinished_ones_are_listed_oldest_first(
        self, database: CryptoDatabase
    ) -> None:
        older = replace(IDENTITY, user_id=GHOST, created_at_ms=1)
        done = replace(IDENTITY, user_id=CARL, created_at_ms=0, ready=True)
        async with database.begin() as store:
            for row in (IDENTITY, older, done):
                await store.put_identity(row)
            assert list(await store.unfinished_identities()) == [GHOST, BOT]
            await store.put_identity(replace(older, ready=True, account="k:advanced"))
            assert list(await store.unfinished_identities()) == [BOT]
            ready = await store.identities()
            assert sorted(ready) == [(CARL, done.device_id), (GHOST, older.device_id)]
            assert await store.identity(GHOST) == replace(older, ready=True, account="k:advanced")

    async def test_olm_sessions_come_most_recently_used_first_and_only_for_the_devices_asked_for(
        self, database: CryptoDatabase
    ) -> None:
        used = replace(OLM, session_id=OlmSessionId("used"), created_at_ms=5, used_at_ms=20)
        newer = replace(OLM, session_id=OlmSessionId("newer"), created_at_ms=11)
        elsewhere = replace(OLM, session_id=OlmSessionId("x"), peer_key=Curve25519Key("other"))
        foreign = replace(OLM, user_id=GHOST)
        async with database.begin() as store:
            await store.put_olm_sessions([OLM, used, newer, elsewhere, foreign])
            assert list(await store.olm_sessions(BOT, [OLM.peer_key])) == [used, newer, OLM]
            assert list(await store.olm_sessions(BOT, [])) == []
            await store.put_olm_sessions([replace(OLM, pickle="advanced", used_at_ms=30)])
            await store.delete_olm_sessions(BOT, [newer.session_id, OlmSessionId("unknown")])
            rows = await store.olm_sessions(BOT, [OLM.peer_key, elsewhere.peer_key])
            assert list(rows) == [replace(OLM, pickle="advanced", used_at_ms=30), used, elsewhere]

    async def test_an_olm_message_is_remembered_for_the_identity_that_read_it(self, database: CryptoDatabase) -> None:
        one, two = MessageDigest("aa"), MessageDigest("bb")
        async with database.begin() as store:
            await store.put_olm_messages([StoredOlmMessage(BOT, one, 10), StoredOlmMessage(BOT, one, 11)])
            await store.put_olm_messages([StoredOlmMessage(BOT, one, 12)])
            assert await store.seen_olm_messages(BOT, [one, two]) == {one}
            assert await store.seen_olm_messages(GHOST, [one, two]) == frozenset()
            assert await store.seen_olm_messages(BOT, []) == frozenset()

    async def test_an_unwedging_is_replaced(self, database: CryptoDatabase) -> None:
        row = StoredUnwedging(BOT, ALICE, DeviceId("PHONE"), pending=True, at_ms=10)
        async with database.begin() as store:
            await store.put_unwedging(row)
            await store.put_unwedging(replace(row, pending=False))
            await store.put_unwedging(replace(row, user_id=GHOST))
            assert list(await store.unwedgings(BOT)) == [replace(row, pending=False)]

    async def test_inbound_sessions_are_found_by_room_whoever_of_us_holds_them_best_first(
        self, database: CryptoDatabase
    ) -> None:
        better = replace(INBOUND, user_id=GHOST, first_known_index=0, origin=KeyOrigin.FORWARDED)
        impostor = replace(INBOUND, sender=CARL, sender_key=Curve25519Key("carl's"), first_known_index=9)
        impostor = replace(impostor, sender_device=None, vouched_by=None)
        other_room = replace(INBOUND, room_id=OTHER_ROOM)
        other_session = replace(INBOUND, session_id=OTHER_SESSION)
        async with database.begin() as store:
            await store.put_inbound([INBOUND, better, impostor, other_room, other_session])
            assert list(await store.inbound(ROOM, [SESSION])) == [better, INBOUND, impostor]
            assert len(await store.inbound(ROOM, [SESSION, OTHER_SESSION])) == 4
            assert list(await store.inbound(ROOM, [])) == []
            await store.put_inbound([replace(INBOUND, first_known_index=1, pickle="earlier")])
            rows = await store.inbound(ROOM, [SESSION])
            assert [row.first_known_index for row in rows] == [0, 1, 9]

    async def test_withheld_notices_are_found_by_room_and_session(self, database: CryptoDatabase) -> None:
        async with database.begin() as store:
            await store.put_withheld(WITHHELD)
            await store.put_withheld(replace(WITHHELD, code="m.no_olm"))
            await store.put_withheld(replace(WITHHELD, room_id=OTHER_ROOM))
            assert list(await store.withheld(ROOM, [SESSION])) == [replace(WITHHELD, code="m.no_olm")]
            assert list(await store.withheld(ROOM, [OTHER_SESSION])) == []

    async def test_an_index_belongs_to_the_first_event_that_claimed_it(self, database: CryptoDatabase) -> None:
        late = replace(INDEX, event_id=EventId("$two"))
        following = replace(INDEX, message_index=1, event_id=EventId("$two"))
        copied = replace(INDEX, sender=CARL, event_id=EventId("$copy"))
        async with database.begin() as store:
            assert list(await store.claim_indexes([INDEX])) == [INDEX]
            assert list(await store.claim_indexes([])) == []
        async with database.begin() as store:
            held = await store.claim_indexes([late, following, copied])
            assert set(held) == {INDEX, following, copied}
            assert list(await store.claim_indexes([INDEX])) == [INDEX]
            both = [replace(INDEX, message_index=7), replace(late, message_index=7)]
            assert list(await store.claim_indexes(both)) == [both[0]]

    async def test_a_key_request_is_open_until_deleted(self, database: CryptoDatabase) -> None:
        row = StoredKeyRequest(BOT, ROOM, SESSION, ALICE, RequestId("request 2"), 10)
        async with database.begin() as store:
            assert await store.key_request(BOT, ROOM, SESSION) is None
            await store.put_key_request(replace(row, at_ms=1))
            await store.put_key_request(row)
            assert await store.key_request(BOT, ROOM, SESSION) == row
            assert await store.key_request(GHOST, ROOM, SESSION) is None
            await store.delete_key_request(BOT, ROOM, SESSION)
            await store.delete_key_request(BOT, ROOM, SESSION)
            assert await store.key_request(BOT, ROOM, SESSION) is None

    async def test_a_room_has_one_outbound_session_of_each_identity(self, database: CryptoDatabase) -> None:
        async with database.begin() as store:
            assert await store.outbound(BOT, ROOM, lock=True) is None
            await store.put_outbound(OUTBOUND)
            await store.put_outbound(replace(OUTBOUND, user_id=GHOST, retired=True))
            await store.put_outbound(replace(OUTBOUND, message_count=1, pickle="advanced"))
            assert await store.outbound(BOT, ROOM) == replace(OUTBOUND, message_count=1, pickle="advanced")
            await store.put_outbound(replace(OUTBOUND, session_id=OTHER_SESSION))
            current = await store.outbound(BOT, ROOM, lock=True)
            assert current == replace(OUTBOUND, session_id=OTHER_SESSION)
            assert await store.outbound(GHOST, ROOM) == replace(OUTBOUND, user_id=GHOST, retired=True)
            assert await store.outbound(BOT, OTHER_ROOM) is None

    async def test_a_share_counts_only_once_its_own_request_was_acknowledged(self, database: CryptoDatabase) -> None:
        other = replace(SHARE, peer_device=DeviceId("LAPTOP"), request_id=RequestId("request 2"))
        refused = replace(SHARE, peer_user=CARL, state=ShareState.WITHHELD, code="m.unverified")
        silent = replace(refused, peer_device=DeviceId("OLD"), request_id=None)
        foreign = replace(SHARE, session_id=OTHER_SESSION, request_id=RequestId("request 3"))
        async with database.begin() as store:
            await store.put_shares([SHARE, other, refused, silent, foreign])
            await store.acknowledge_shares(RequestId("request 1"))
            await store.acknowledge_shares(RequestId("unknown"))
            rows = await store.shares(BOT, SESSION)
            assert set(rows) == {replace(SHARE, state=ShareState.SENT), other, refused, silent}
            await store.put_shares([replace(refused, state=ShareState.PENDING, code="")])
            assert replace(refused, state=ShareState.PENDING, code="") in await store.shares(BOT, SESSION)

    async def test_requests_keep_the_order_of_their_first_writing(self, database: CryptoDatabase) -> None:
        second = replace(REQUEST, request_id=RequestId("a request"), created_at_ms=1)
        third = replace(REQUEST, request_id=RequestId("0"), kind=RequestKind.KEYS_UPLOAD, event_type="")
        foreign = replace(REQUEST, request_id=RequestId("foreign"), user_id=GHOST, leased_until_ms=50)
        async with database.begin() as store:
            await store.put_requests([REQUEST, second])
            await store.put_requests([third, foreign])
        async with database.begin() as store:
            leased = replace(REQUEST, attempts=1, leased_until_ms=99)
            await store.put_requests([leased])
            assert list(await store.requests(BOT)) == [leased, second, third]
            assert await store.request(third.request_id) == third
            await store.delete_request(third.request_id)
            await store.delete_request(third.request_id)
            assert await store.request(third.request_id) is None
            assert list(await store.requests(BOT)) == [leased, second]
            assert set(await store.request_owners(49)) == {BOT}
            assert set(await store.request_owners(50)) == {BOT, GHOST}

    async def test_a_device_list_is_stale_until_an_answer_to_a_query_made_since_the_last_change(
        self, database: CryptoDatabase
    ) -> None:
        async with database.begin() as store:
            await store.mark_changed([ALICE])
            assert list(await store.device_lists([ALICE])) == []
            await store.track([CARL, ALICE])
            fresh = StoredDeviceList(ALICE, 1, 0, Pin.NONE, None, None, (), 0)
            assert list(await store.device_lists([ALICE])) == [fresh]
            assert list(await store.stale_people(10)) == [ALICE, CARL]
            assert list(await store.stale_people(1)) == [ALICE]
        async with database.begin() as store:
            await store.mark_changed([ALICE, ALICE, UserId("@nobody:example.org")])
            await store.track([ALICE])
        async with database.begin() as store:
            key = Ed25519Key("master")
            answered = StoredDeviceList(ALICE, 1, 1, Pin.PINNED, key, key, DEVICES, 40)
            await store.put_device_list(answered)
            assert list(await store.device_lists([ALICE], lock=True)) == [replace(answered, changed=2)]
            assert list(await store.stale_people(10)) == [ALICE, CARL]
            await store.put_device_list(replace(answered, fetched=2, pin=Pin.REPLACED))
            assert list(await store.stale_people(10)) == [CARL]
            rows = await store.device_lists([CARL, ALICE, UserId("@nobody:example.org")], lock=True)
            assert [row.user_id for row in rows] == [ALICE, CARL]
            assert rows[0] == replace(answered, changed=2, fetched=2, pin=Pin.REPLACED)

    async def test_old_device_lists_are_listed_oldest_first(self, database: CryptoDatabase) -> None:
        async with database.begin() as store:
            await store.track([ALICE, BOT, CARL])
            await store.put_device_list(StoredDeviceList(ALICE, 1, 1, Pin.NONE, None, None, (), 30))
            await store.put_device_list(StoredDeviceList(CARL, 1, 1, Pin.NONE, None, None, (), 20))
            assert list(await store.old_people(30, 10)) == [BOT, CARL]
            assert list(await store.old_people(31, 2)) == [BOT, CARL]

    async def test_a_list_that_was_not_tracked_is_inserted_as_given(self, database: CryptoDatabase) -> None:
        row = StoredDeviceList(ALICE, 4, 3, Pin.PINNED, Ed25519Key("m"), None, DEVICES, 40)
        async with database.begin() as store:
            await store.put_device_list(row)
            assert list(await store.device_lists([ALICE])) == [row]

    async def test_one_verification_a_person_is_under_way_oldest_first(self, database: CryptoDatabase) -> None:
        first, second = StoredVerification(CARL, "AAAA", "s", 10), StoredVerification(ALICE, "BBBB", "s", 20)
        async with database.begin() as tx:
            await tx.put_verification(second)
            await tx.put_verification(first)
            await tx.put_verification(replace(first, state="later"))
            assert list(await tx.verifications()) == [replace(first, state="later"), second]
            await tx.delete_verification(CARL)
            await tx.delete_verification(CARL)
        async with database.begin() as tx:
            assert await tx.verification(CARL) is None
            assert await tx.verification(ALICE) == second

    async def test_a_master_key_was_first_seen_when_it_was_first_put(self, database: CryptoDatabase) -> None:
        seen = StoredMasterKey(ALICE, Ed25519Key("one"), 10, None)
        other, foreign = replace(seen, key=Ed25519Key("two")), replace(seen, user_id=CARL)
        async with database.begin() as tx:
            for row in (seen, other, foreign, replace(seen, seen_at_ms=20, verified_at_ms=20)):
                await tx.put_master_key(row)
        async with database.begin() as tx:
            assert set(await tx.master_keys([ALICE])) == {replace(seen, verified_at_ms=20), other}
            assert await tx.master_keys([]) == []

    async def test_pruning_forgets_old_digests_and_old_shares_but_none_of_a_current_session(
        self, database: CryptoDatabase
    ) -> None:
        old, new = MessageDigest("aa"), MessageDigest("bb")
        former = replace(SHARE, session_id=OTHER_SESSION)
        recent = replace(former, peer_device=DeviceId("LAPTOP"), at_ms=20)
        async with database.begin() as store:
            await store.put_olm_messages([StoredOlmMessage(BOT, old, 19), StoredOlmMessage(BOT, new, 20)])
            await store.put_outbound(OUTBOUND)
            await store.put_shares([SHARE, former, recent])
            await store.prune(20)
            assert await store.seen_olm_messages(BOT, [old, new]) == {new}
            assert list(await store.shares(BOT, SESSION)) == [SHARE]
            assert list(await store.shares(BOT, OTHER_SESSION)) == [recent]

    async def test_forgetting_a_device_leaves_what_it_reads_with_and_everything_of_others(
        self, database: CryptoDatabase
    ) -> None:
        digest, request_id = MessageDigest("aa"), RequestId("request 1")
        async with database.begin() as store:
            for user in (BOT, GHOST):
                await store.put_olm_sessions([replace(OLM, user_id=user)])
                await store.put_olm_messages([StoredOlmMessage(user, digest, 1)])
                await store.put_unwedging(StoredUnwedging(user, ALICE, DeviceId("PHONE"), pending=True, at_ms=1))
                await store.put_outbound(replace(OUTBOUND, user_id=user))
                await store.put_shares([replace(SHARE, user_id=user)])
                await store.put_requests([replace(REQUEST, user_id=user, request_id=RequestId(f"of {user}"))])
                await store.put_key_request(StoredKeyRequest(user, ROOM, SESSION, ALICE, request_id, 1))
                await store.put_inbound([replace(INBOUND, user_id=user)])
        async with database.begin() as store:
            await store.forget_device(BOT)
        async with database.begin() as store:
            for user, left in ((BOT, 0), (GHOST, 1)):
                assert len(await store.olm_sessions(user, [OLM.peer_key])) == left
                assert len(await store.seen_olm_messages(user, [digest])) == left
                assert len(await store.unwedgings(user)) == left
                assert (await store.outbound(user, ROOM) is not None) == bool(left)
                assert len(await store.shares(user, SESSION)) == left
                assert len(await store.requests(user)) == left
                assert (await store.key_request(user, ROOM, SESSION) is not None) == bool(left)
            assert len(await store.inbound(ROOM, [SESSION])) == 2

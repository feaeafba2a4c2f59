"""Receiving: what arrives is stored whole and once, in an order in which it can be read."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appservice.crypto.ids import UserId as CryptoUserId
from appservice.mail.stored import StoredMail
from appservice.matrix.transaction import Transaction, parse
from appservice.reading import EVENT, MAIL, TO_DEVICE
from appservice.storage import together
from appservice.storage.database import SqlDatabase
from appservice.storage.errors import DatabaseUnavailable
from appservice.storage.mail_inbox import REPORTS_FOR, MailInbox
from appservice.storage.receiving import BESIDE, KEY_COUNTS, TransactionInbox
from bridges.email.ids import ReplyToken, token_hash
from bridges.email.proof import Trust
from bridges.email.rate import PER_HOUR, RateCap
from bridges.email.reception import InboxVerdict, ReceivedMail, Reception
from policies.case import JOINT, CaseId, EndpointId, PersonId
from policies.networks.mail import MailState
from policies.plan import RoomKey
from rooms.addresses import ReplyAddress
from rooms.ids import RoomId
from rooms.mails import SentMail
from rooms.ports import RoomRecord, Standing
from rooms.queue import Item, ItemId, Lane, State
from tests.fakes.memory import MemoryDatabase

Database = SqlDatabase | MemoryDatabase
AT = datetime(2026, 11, 22, 9, 30, 15, tzinfo=UTC)
GHOST = "@ghost:example.org"
ALICE = "@alice:example.org"


def event(number: int, room: str = "!desk", **changes: Any) -> dict[str, Any]:
    """A room event as the homeserver sends it."""
    plain = {
        "event_id": f"${number}",
        "room_id": room,
        "type": "m.room.encrypted",
        "sender": ALICE,
        "content": {"n": number},
    }
    return plain | changes


def to_device(number: int, user: str = GHOST) -> dict[str, Any]:
    """A to-device message as the homeserver sends it."""
    message = {"type": "m.room.encrypted", "sender": ALICE, "content": {"n": number}}
    return message | {"to_user_id": user, "to_device_id": "DEV"}


def transaction(txn: str = "1", **parts: object) -> Transaction:
    """A transaction of these parts."""
    return parse(txn, parts)


async def stored(database: Database) -> list[Item]:
    """The inbox, without what nothing follows from."""
    return [item for item in await everything(database) if item.kind != BESIDE]


async def everything(database: Database) -> list[Item]:
    """The inbox."""
    async with database.begin() as work:
        return list(await work.inbox.in_state(tuple(State)))


@pytest.fixture
async def database(any_database: Database) -> Database:
    """A database that knows the desk of case 1001."""
    async with any_database.begin() as work:
        await work.rooms.save(RoomRecord(CaseId("1001"), RoomKey("desk"), Standing.MADE, "x", RoomId("!desk")))
        await work.rooms.save(RoomRecord(None, RoomKey("lobby"), Standing.MADE, "", RoomId("!lobby")))
    return any_database


async def test_a_change_of_a_rooms_state_is_noted_with_the_event_and_words_are_not(database: Database) -> None:
    changed, said = event(1, state_key=ALICE, type="m.room.member"), event(2, "!lobby")
    await TransactionInbox(database).accept(
        transaction(events=[changed, changed, said, event(3, "!other", state_key="")])
    )
    async with database.begin() as work:
        assert await work.rooms.changes(RoomId("!desk")) == 1
        assert await work.rooms.changes(RoomId("!lobby")) == 0
        assert await work.rooms.changes(RoomId("!other")) is None


async def test_keys_come_before_the_events_that_need_them_each_in_its_lane(database: Database) -> None:
    events = [event(1), event(2, "!lobby"), event(3, "!stranger"), event(4)]
    await TransactionInbox(database, clock=lambda: AT).accept(
        transaction(events=events, to_device=[to_device(1), to_device(2, "@bot:example.org")])
    )
    items = await stored(database)
    assert [(item.kind, item.lane, item.case) for item in items] == [
        (TO_DEVICE, f"crypto:{GHOST}:{ALICE}", None),
        (TO_DEVICE, f"crypto:@bot:example.org:{ALICE}", None),
        (EVENT, "case:1001", "1001"),
        (EVENT, "room:!lobby", None),
        (EVENT, "room:!stranger", None),
        (EVENT, "case:1001", "1001"),
    ]
    assert [json.loads(item.body) for item in items] == [to_device(1), to_device(2, "@bot:example.org"), *events]
    assert {item.received_at for item in items} == {AT}


async def test_what_comes_again_is_stored_once_whatever_its_transaction_is_called(database: Database) -> None:
    inbox = TransactionInbox(database)
    await inbox.accept(transaction("1", events=[event(1), event(1)], to_device=[to_device(1)]))
    await inbox.accept(transaction("2", events=[event(1), event(2)], to_device=[to_device(1), to_device(2)]))
    await inbox.accept(transaction("1", events=[event(3)]))
    assert [json.loads(item.body)["content"]["n"] for item in await stored(database)] == [1, 1, 2, 2, 3]


async def test_the_same_message_to_another_device_is_another(database: Database) -> None:
    other = to_device(1) | {"to_device_id": "OTHER"}
    await TransactionInbox(database).accept(
        transaction(to_device=[to_device(1), other, to_device(1, "@bot:example.org")])
    )
    assert len(await stored(database)) == 3


async def test_a_full_transaction_is_stored_in_its_order(database: Database) -> None:
    await TransactionInbox(database).accept(
        transaction(events=[event(n) for n in range(100)], to_device=[to_device(n) for n in range(100)])
    )
    assert [json.loads(item.body)["content"]["n"] for item in await stored(database)] == [*range(100), *range(100)]


async def test_a_text_that_is_no_unicode_is_kept(database: Database) -> None:
    odd = event(1, content={"body": "\ud83d \x00"})
    await TransactionInbox(database).accept(transaction(events=[odd]))
    assert [json.loads(item.body) for item in await stored(database)] == [odd]


async def test_device_lists_of_people_we_keep_become_stale(database: Database) -> None:
    told: list[str] = []
    inbox = TransactionInbox(database, on_device_lists=lambda: told.append("stale"))
    async with database.begin() as work:
        await work.crypto.track([CryptoUserId(ALICE)])
    await inbox.accept(transaction(events=[event(1)]))
    assert told == []
    await inbox.accept(transaction(device_lists={"changed": [ALICE, "@stranger:example.org"]}))
    async with database.begin() as work:
        assert [row.changed for row in await work.crypto.device_lists([CryptoUserId(ALICE)])] == [2]
    assert told == ["stale"]


@pytest.mark.parametrize(
    ("counts", "unused", "said"),
    [
        ({"signed_curve25519": 50}, ["signed_curve25519"], None),
        ({"signed_curve25519": 26}, None, None),
        ({"signed_curve25519": 25}, None, (25, None)),
        ({"curve25519": 50}, ["signed_curve25519"], (0, ["signed_curve25519"])),
        ({"signed_curve25519": 50}, [], (50, [])),
        (None, [], (None, [])),
        ({}, ["signed_curve25519"], (0, ["signed_curve25519"])),
    ],
)
async def test_key_counts_are_stored_when_they_call_for_something(
    database: Database, counts: dict[str, int] | None, unused: list[str] | None, said: tuple[object, object] | None
) -> None:
    said_of = {"device_one_time_keys_count": counts, "device_unused_fallback_key_types": unused}
    parts = {name: {GHOST: {"DEV": value}} for name, value in said_of.items() if value is not None}
    await TransactionInbox(database).accept(parse("1", parts))
    items = await stored(database)
    bodies = [
        (json.loads(item.body)["one_time_keys"], json.loads(item.body)["unused_fallback_types"]) for item in items
    ]
    assert bodies == ([said] if said else [])
    assert {(item.kind, item.lane) for item in items} <= {(KEY_COUNTS, f"crypto:{GHOST}")}


async def test_a_cross_signing_key_is_not_taken_for_a_device_without_keys(database: Database) -> None:
    master = "nda9TmbXhxFJNQlHhXpJFTFWwGUBrGqSlTHSPdZDjhQ"
    await TransactionInbox(database).accept(transaction(device_one_time_keys_count={GHOST: {master: {}}}))
    assert await stored(database) == []


async def test_low_key_counts_are_stored_again_but_not_with_every_transaction(database: Database) -> None:
    times = [AT, AT + timedelta(seconds=1), AT + timedelta(minutes=1), AT + timedelta(minutes=5)]
    clock = iter(times)
    inbox = TransactionInbox(database, clock=lambda: next(clock))
    for _ in times:
        await inbox.accept(transaction(device_one_time_keys_count={GHOST: {"DEV": {"signed_curve25519": 3}}}))
    assert [item.received_at for item in await stored(database)] == [times[0], times[2], times[3]]


async def test_what_comes_beside_is_stored_too_as_it_came_and_the_same_within_the_minute_once(
    database: Database,
) -> None:
    times = [AT, AT + timedelta(seconds=1), AT + timedelta(minutes=1), AT + timedelta(minutes=1)]
    clock = iter(times)
    inbox = TransactionInbox(database, clock=lambda: next(clock))
    typing = {"type": "m.typing", "room_id": "!desk", "content": {"user_ids": [ALICE]}}
    parts: dict[str, Any] = {
        "ephemeral": [typing],
        "device_one_time_keys_count": {GHOST: {"DEV": {"signed_curve25519": 50}}},
        "device_unused_fallback_key_types": {GHOST: {"DEV": ["signed_curve25519"]}},
        "device_lists": {"changed": [ALICE], "left": ["@bob:example.org"]},
    }
    for _ in times[:3]:
        await inbox.accept(parse("1", {"events": [event(1)]} | parts))
    await inbox.accept(transaction(ephemeral=[typing]))
    beside = [item for item in await everything(database) if item.kind == BESIDE]
    assert [item.received_at for item in beside] == [times[0], times[2], times[3]]
    assert json.loads(beside[0].body) == {
        "ephemeral": [typing],
        "key_counts": [[GHOST, "DEV", {"signed_curve25519": 50}]],
        "fallback_keys": [[GHOST, "DEV", ["signed_curve25519"]]],
        "devices_changed": [ALICE],
        "devices_left": ["@bob:example.org"],
    }


async def test_workers_are_told_of_what_is_new_and_only_of_that(database: Database) -> None:
    told: list[str] = []
    database.on_work(lambda: told.append("work"))
    inbox = TransactionInbox(database)
    await inbox.accept(transaction(events=[event(1)]))
    assert told == ["work"]
    await inbox.accept(transaction(events=[event(1)]))
    await inbox.accept(transaction())
    assert told == ["work"]


# --- mail

TOKEN = ReplyToken("a" * 26)
TRUST = Trust("mx.example.org", "reply.example.org")
MAIL_TO = token_hash(TOKEN)
ADDRESS = ReplyAddress(CaseId("1001"), PersonId("p2"), EndpointId("e2"), JOINT, TOKEN.value)
RECEIVED = ReceivedMail(
    token=TOKEN,
    token_hash=MAIL_TO,
    envelope_from="carl@example.org",
    raw=b"From: carl\xff\r\n\r\nYes.\r\n",
    identity="whole",
    same_message="part",
    recipients=1,
)


async def test_a_mail_is_stored_once_in_the_lane_of_its_case(database: Database) -> None:
    inbox = MailInbox(database, TRUST, clock=lambda: AT)
    async with database.begin() as work:
        await work.addresses.save(ADDRESS, MAIL_TO)
    for mail in (RECEIVED, RECEIVED, replace(RECEIVED, identity="other")):
        assert await inbox.accept(mail) is InboxVerdict.STORED
    first, second = await stored(database)
    assert (first.kind, first.lane, first.case, first.received_at) == (MAIL, Lane("case:1001"), "1001", AT)
    assert StoredMail.load(first.body) == StoredMail(MAIL_TO, "carl@example.org", "part", 1, RECEIVED.raw)
    assert first.id != second.id


async def test_mail_to_nobody_or_to_a_revoked_address_is_not_taken(database: Database) -> None:
    inbox = MailInbox(database, TRUST)
    assert not await inbox.knows(MAIL_TO)
    assert await inbox.accept(RECEIVED) is InboxVerdict.UNKNOWN
    async with database.begin() as work:
        await work.addresses.save(ADDRESS, MAIL_TO)
    assert await inbox.knows(MAIL_TO)
    async with database.begin() as work:
        await work.addresses.revoke(ADDRESS.case, ADDRESS.endpoint)
    assert not await inbox.knows(MAIL_TO)
    assert await inbox.accept(RECEIVED) is InboxVerdict.UNKNOWN
    assert await stored(database) == []


async def test_reports_are_taken_for_some_weeks_and_then_refused_like_mail_to_nobody(database: Database) -> None:
    sent = SentMail(MAIL_TO, CaseId("1001"), PersonId("p2"), EndpointId("e2"), ItemId("i"), MailState.ACCEPTED, AT)
    async with database.begin() as work:
        await work.mails.leaves(sent)
    report = replace(RECEIVED, envelope_from="")
    late = MailInbox(database, TRUST, clock=lambda: AT + REPORTS_FOR)
    assert not await late.knows(MAIL_TO)
    assert await late.accept(report) is InboxVerdict.UNKNOWN
    in_time = MailInbox(database, TRUST, clock=lambda: AT + REPORTS_FOR - timedelta(seconds=1))
    assert await in_time.knows(MAIL_TO)
    assert await in_time.accept(report) is InboxVerdict.STORED


async def test_mail_waits_at_its_server_while_the_database_is_down(
    sql: SqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down() -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(sql, "begin", down)
    assert await MailInbox(sql, TRUST).accept(RECEIVED) is InboxVerdict.BUSY


async def test_mails_that_come_at_once_are_stored_in_their_order_and_each_is_answered(database: Database) -> None:
    inbox = MailInbox(database, TRUST)
    async with database.begin() as work:
        await work.addresses.save(ADDRESS, MAIL_TO)
    mails = [replace(RECEIVED, identity=f"{n:03}", envelope_from=f"{n:03}@example.org") for n in range(120)]
    stray = replace(RECEIVED, token_hash="nobody's")
    verdicts = await asyncio.gather(*(inbox.accept(mail) for mail in [*mails[:60], stray, *mails[60:]]))
    assert verdicts == [*[InboxVerdict.STORED] * 60, InboxVerdict.UNKNOWN, *[InboxVerdict.STORED] * 60]
    bodies = [StoredMail.load(item.body) for item in await stored(database)]
    assert [body.envelope_from for body in bodies] == [mail.envelope_from for mail in mails]


async def test_of_a_hundred_thousand_mails_to_one_address_those_within_the_cap_are_kept_in_order(
    database: Database,
) -> None:
    async with database.begin() as work:
        await work.addresses.save(ADDRESS, MAIL_TO)
    reception = Reception(MailInbox(database, TRUST), RateCap(lambda: 0.0))
    verdicts = [
        await reception.take(replace(RECEIVED, identity=f"{number}", envelope_from=f"{number}@example.org"))
        for number in range(100_000)
    ]
    assert verdicts == [InboxVerdict.STORED] * PER_HOUR + [InboxVerdict.OVER_CAP] * (100_000 - PER_HOUR)
    bodies = [StoredMail.load(item.body) for item in await stored(database)]
    assert [body.envelope_from for body in bodies] == [f"{number}@example.org" for number in range(PER_HOUR)]


async def test_what_several_processes_take_at_once_is_within_the_cap_of_all_of_them(database: Database) -> None:
    """Each with its own memory, one of them started anew in between."""
    async with database.begin() as work:
        await work.addresses.save(ADDRESS, MAIL_TO)

    def process() -> Reception:
        return Reception(MailInbox(database, TRUST, shares=True), RateCap(lambda: 0.0))

    async def offered(reception: Reception, first: int) -> list[InboxVerdict]:
        mails = [replace(RECEIVED, identity=f"{n}", envelope_from=f"{n}@x.org") for n in range(first, first + 45)]
        return list(await asyncio.gather(*(reception.take(mail) for mail in mails)))

    both = await asyncio.gather(offered(process(), 0), offered(process(), 100))
    again = await offered(process(), 200)
    taken = [verdict for verdicts in (*both, again) for verdict in verdicts if verdict is InboxVerdict.STORED]
    assert len(taken) == PER_HOUR
    assert set(again) == {InboxVerdict.OVER_CAP}
    assert len(await stored(database)) == PER_HOUR


@pytest.mark.parametrize("at_once", [1, together.MOST_AT_ONCE])
async def test_one_mail_that_can_not_be_stored_is_no_reason_to_refuse_those_that_came_with_it(
    database: Database, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(together, "MOST_AT_ONCE", at_once)
    inbox = MailInbox(database, TRUST)
    async with database.begin() as work:
        await work.addresses.save(ADDRESS, MAIL_TO)
    dump = StoredMail.dump

    def wrong(self: StoredMail) -> bytes:
        if self.envelope_from == "bad":
            raise ValueError(self.same_message)
        return dump(self)

    monkeypatch.setattr(StoredMail, "dump", wrong)
    mails = [replace(RECEIVED, identity=name, envelope_from=name) for name in ("a", "bad", "c")]
    verdicts = await asyncio.gather(*(inbox.accept(mail) for mail in mails), return_exceptions=True)
    assert [verdicts[0], type(verdicts[1]), verdicts[2]] == [InboxVerdict.STORED, ValueError, InboxVerdict.STORED]
    assert len(await stored(database)) == 2
    hung_up = asyncio.create_task(inbox.accept(mails[1]))
    staying = asyncio.create_task(inbox.accept(replace(RECEIVED, identity="d")))
    await asyncio.sleep(0)
    hung_up.cancel()
    assert await staying is InboxVerdict.STORED

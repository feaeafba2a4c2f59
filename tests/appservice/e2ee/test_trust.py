"""The bot's verifications: whom it answers, what it keeps, what the administrator's word does, and when it gives up."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appservice.codec import JsonCodec
from appservice.crypto.ids import Curve25519Key, RoomId, UserId
from appservice.crypto.machine import OlmMachine
from appservice.crypto.rows import Pin, StoredDevice, StoredDeviceList
from appservice.crypto.to_device import OtherMessage
from appservice.crypto.verification import Reply
from appservice.e2ee import trust
from appservice.e2ee.exchange import now_ms
from appservice.e2ee.trust import LASTS, Heard, Verifications, Waiting, read_in_room, read_to_device
from policies.effects import Tell
from policies.plan import RoomKey
from rooms.clock import TIME, scheduled
from rooms.outgoing import Say, Signal
from rooms.ports import RoomRecord, Standing
from rooms.queue import Item, ItemId, Lane, State
from tests.appservice.crypto.people import ALICE, BOT
from tests.appservice.crypto.sas_client import THEM, Client
from tests.appservice.crypto.service import SEALER
from tests.fakes.memory import MemoryDatabase, MemoryWork
from tests.policies.builders import ALICE_JOINS, done, new_case

LOBBY = RoomId("!lobby")
STRANGER = UserId("@stranger:example.org")
CODEC = JsonCodec()


class Bot:
    """The service's part of the table: each message handled in a unit of work and by a process of its own."""

    def __init__(self) -> None:
        self.database = MemoryDatabase()
        self.device = ""
        self.items = 0
        self.told: list[Tell] = []
        """What the desk of Alice's case was told."""

    async def begin(self) -> None:
        """The bot has an identity, Alice is in a case, and her device list is known."""
        async with self.database.begin() as work:
            me = await OlmMachine(BOT, SEALER).create(work.crypto, display_name="Bot", now_ms=now_ms())
            await work.crypto.put_identity(replace(me, ready=True))
            self.device = me.device_id
            await work.cases.save(done(new_case(), ALICE_JOINS).case)
            await work.rooms.save(RoomRecord(None, RoomKey("lobby"), Standing.MADE, "", LOBBY))

    async def knows(self, client: Client) -> None:
        """Alice's keys are those of this client."""
        assert client.keys.device is not None
        phone = StoredDevice(THEM.device_id, Curve25519Key("c"), client.keys.device, cross_signed=True)
        row = StoredDeviceList(ALICE, 1, 1, Pin.PINNED, client.keys.master, client.keys.master, (phone,), 0)
        async with self.database.begin() as work:
            await work.crypto.put_device_list(row)

    def verifications(self) -> Verifications:
        return Verifications(SEALER, CODEC, BOT, [])

    def item(self, kind: str = "x", body: object = None) -> Item:
        self.items += 1
        name = ItemId(f"item {self.items}")
        return Item(name, Lane("crypto"), kind, None, json.dumps(body).encode(), datetime.now(UTC))

    async def hear(self, heard: Heard | None) -> list[Reply]:
        """What follows from a message, in order."""
        if heard is None:
            return []
        async with self.database.begin() as work:
            item = self.item()
            await work.inbox.put(item)
            await self.verifications().hear(work, item, heard)
            return await self.sent(work)

    async def judge(self, code: str, *, same: bool) -> tuple[str, list[Reply]]:
        async with self.database.begin() as work:
            item = self.item(trust.JUDGEMENT, {"code": code, "same": same})
            await work.inbox.put(item)
            await self.verifications().judged(work, item)
            answered = await work.inbox.get(item.id)
            assert answered is not None
            return json.loads(answered.result or "")["text"], await self.sent(work)

    async def waiting(self) -> tuple[Waiting, ...]:
        async with self.database.begin() as work:
            shown = await self.verifications().shown(work)
        assert shown
        return shown.waiting

    async def sent(self, work: MemoryWork) -> list[Reply]:
        """What was written down to be sent, taken away."""
        replies = []
        for row in await work.crypto.requests(BOT):
            if row.event_type:
                [messages] = json.loads(row.body)["messages"].values()
                [(device, content)] = messages.items()
                assert device == THEM.device_id
                replies.append(Reply(row.event_type, content))
                await work.crypto.delete_request(row.request_id)
        for item in await work.outbox.in_state([State.READY]):
            outgoing = CODEC.load(item.body)
            if isinstance(outgoing, Signal):
                assert (outgoing.room, outgoing.to) == (LOBBY, ALICE)
                replies.append(Reply(outgoing.type, json.loads(outgoing.content)))
            elif isinstance(outgoing, Tell):
                self.told.append(outgoing)
            else:
                assert isinstance(outgoing, Say)
                assert outgoing.room == LOBBY
                assert "I don't show them here" in outgoing.text
            await work.outbox.done(item.id)
        return replies


@pytest.fixture
async def bot() -> Bot:
    bot = Bot()
    await bot.begin()
    return bot


@pytest.fixture(params=[None, LOBBY], ids=["to-device", "in a room"])
async def client(request: pytest.FixtureRequest, bot: Bot) -> Client:
    client = Client(request.param, "flow" if request.param is None else "$flow")
    await bot.knows(client)
    return client


def said(client: Client, kind: str, content: dict[str, Any], sender: UserId = ALICE) -> Heard | None:
    """A message of the client's, as it is read."""
    if client.room is None:
        stamp = {"timestamp": now_ms()} if kind == "request" else {}
        fields = {"transaction_id": client.flow, **stamp, **content}
        return read_to_device(OtherMessage(f"m.key.verification.{kind}", fields, sender, None, None))
    event = {"event_id": client.flow, "room_id": client.room, "sender": sender, "origin_server_ts": now_ms()}
    if kind == "request":
        fields = {"msgtype": "m.key.verification.request", "to": BOT, "body": "…", **content}
        return read_in_room({**event, "content": fields}, "m.room.message", fields)
    return read_in_room({**event, "content": content}, f"m.key.verification.{kind}", content)


async def asked(bot: Bot, client: Client) -> None:
    (ready,) = await bot.hear(said(client, "request", client.request()))
    assert ready.type == "m.key.verification.ready"


async def shown(bot: Bot, client: Client) -> str:
    """Both sides know the emoji; the code by which ours are shown."""
    await asked(bot, client)
    client.our_device = bot.device
    (accept,) = await bot.hear(said(client, "start", client.start()))
    client.take_accept(accept)
    assert await bot.waiting() == ()
    (key,) = await bot.hear(said(client, "key", client.key()))
    client.take_key(key)
    (waiting,) = await bot.waiting()
    assert (waiting.user, waiting.emoji, waiting.numbers) == (ALICE, *client.shown)
    return waiting.code


async def verified_at(bot: Bot) -> dict[str, int | None]:
    async with bot.database.begin() as work:
        return {row.key: row.verified_at_ms for row in await work.crypto.master_keys([ALICE])}


@pytest.mark.parametrize("they_are_first", [True, False])
async def test_it_is_done_when_administrator_and_person_have_both_said_so(
    bot: Bot, client: Client, they_are_first: bool
) -> None:
    code = await shown(bot, client)
    if they_are_first:
        assert await bot.hear(said(client, "mac", client.mac())) == []
        text, replies = await bot.judge(code.lower(), same=True)
        assert "Verified" in text
    else:
        text, replies = await bot.judge(code, same=True)
        assert "as soon as" in text
        assert await bot.waiting() == ()
        replies += await bot.hear(said(client, "mac", client.mac()))
    assert [reply.type.rpartition(".")[2] for reply in replies] == ["mac", "done"]
    assert list(await verified_at(bot)) == [client.keys.master]
    [told] = bot.told
    assert "BY AN ADMINISTRATOR: the emoji of Alice" in told.text
    assert "said to be the same" in told.text
    async with bot.database.begin() as work:
        assert await work.crypto.verifications() == []


async def test_the_administrators_no_ends_it_and_nothing_is_proven(bot: Bot, client: Client) -> None:
    code = await shown(bot, client)
    text, (reply,) = await bot.judge(code, same=False)
    assert "Somebody may be listening" in text
    assert reply.content["code"] == "m.mismatched_sas"
    assert "said to be different" in bot.told[0].text
    assert await bot.hear(said(client, "mac", client.mac())) == []
    assert await verified_at(bot) == {}
    assert "Nothing of that code" in (await bot.judge(code, same=True))[0]


async def test_a_wrong_proof_after_the_administrators_yes_proves_nothing(bot: Bot, client: Client) -> None:
    code = await shown(bot, client)
    await bot.judge(code, same=True)
    (reply,) = await bot.hear(said(client, "mac", {**client.mac(), "keys": "A" * 43}))
    assert reply.content["code"] == "m.key_mismatch"
    assert await verified_at(bot) == {}


async def test_there_is_nothing_to_judge_before_there_are_emoji(bot: Bot, client: Client) -> None:
    await asked(bot, client)
    async with bot.database.begin() as work:
        [row] = await work.crypto.verifications()
    assert "Nothing of that code" in (await bot.judge(row.code, same=True))[0]


async def test_strangers_get_no_answer_and_leave_nothing_behind(bot: Bot, client: Client) -> None:
    for kind, content in (("request", client.request()), ("start", client.start()), ("key", client.key())):
        assert await bot.hear(said(client, kind, content, STRANGER)) == []
    async with bot.database.begin() as work:
        assert await work.crypto.verifications() == []
        assert await work.crypto.device_lists([STRANGER]) == []


async def test_what_others_verify_among_themselves_is_none_of_ours(bot: Bot) -> None:
    client = Client(LOBBY, "$flow")
    assert await bot.hear(said(client, "request", {**client.request(), "to": STRANGER})) == []
    assert await bot.hear(said(client, "start", client.start())) == []
    assert await bot.hear(said(client, "key", client.key())) == []


async def test_a_start_by_to_device_of_what_never_was_requested_is_refused(bot: Bot) -> None:
    client = Client()
    (reply,) = await bot.hear(said(client, "start", client.start()))
    assert reply.content["code"] == "m.unknown_transaction"
    assert await bot.hear(said(client, "key", client.key())) == []
    assert await bot.hear(said(client, "start", client.start(from_device=7))) == []


@pytest.mark.parametrize("sent", [-700_000, 700_000, None])
async def test_an_old_request_and_one_without_a_time_are_left_unanswered(
    bot: Bot, client: Client, sent: int | None
) -> None:
    heard = said(client, "request", client.request())
    assert heard is not None
    assert await bot.hear(replace(heard, sent=sent and now_ms() + sent)) == []


async def test_a_new_request_ends_the_one_before(bot: Bot, client: Client) -> None:
    code = await shown(bot, client)
    fresh = Client(client.room, f"{client.flow} again", keys=client.keys)
    cancelled, ready = await bot.hear(said(fresh, "request", fresh.request()))
    assert cancelled.content["code"] == "m.user"
    assert cancelled.content.items() >= client.content().items()
    assert ready.content.items() >= fresh.content().items()
    assert "Nothing of that code" in (await bot.judge(code, same=True))[0]


async def test_the_same_request_again_changes_nothing(bot: Bot, client: Client) -> None:
    await shown(bot, client)
    assert await bot.hear(said(client, "request", client.request())) == []
    assert len(await bot.waiting()) == 1


async def test_after_ten_minutes_it_is_cancelled(bot: Bot, client: Client) -> None:
    code = await shown(bot, client)
    async with bot.database.begin() as work:
        at = datetime.now(UTC)
        await work.inbox.ripen(at + LASTS - timedelta(seconds=30))
        early = await work.inbox.claim("w", at + LASTS - timedelta(seconds=30), timedelta(0), 50)
        assert TIME not in {item.kind for item in early}
        await work.inbox.ripen(at + LASTS + timedelta(seconds=1))
        items = await work.inbox.claim("w", at + LASTS + timedelta(seconds=1), timedelta(0), 50)
        [clock] = [item for item in items if item.kind == TIME]
        await bot.verifications().time_is_up(work, clock, scheduled(clock).key)
        [reply] = await bot.sent(work)
    assert reply.content["code"] == "m.timeout"
    assert "Nothing of that code" in (await bot.judge(code, same=True))[0]


async def test_the_clock_of_an_earlier_one_does_not_end_the_next(bot: Bot, client: Client) -> None:
    await asked(bot, client)
    fresh = Client(client.room, f"{client.flow} again", keys=client.keys)
    await bot.hear(said(fresh, "request", fresh.request()))
    async with bot.database.begin() as work:
        await bot.verifications().time_is_up(work, bot.item(), f"{ALICE} {client.flow}")
        assert await bot.sent(work) == []
        assert await work.crypto.verification(ALICE) is not None


@pytest.mark.parametrize(
    "content",
    [{}, {"transaction_id": 7}, {"transaction_id": ""}, {"transaction_id": "x" * 256}, {"transaction_id": None}],
)
def test_a_message_of_no_transaction_is_not_read(content: dict[str, Any]) -> None:
    assert read_to_device(OtherMessage("m.key.verification.key", content, ALICE, None, None)) is None
    assert read_to_device(OtherMessage("m.other", {"transaction_id": "x"}, ALICE, None, None)) is None


@pytest.mark.parametrize("relation", [None, [], "x", {}, {"event_id": 7}])
def test_an_event_that_names_no_verification_is_not_read(relation: object) -> None:
    content = {"m.relates_to": relation, "key": "x"}
    event = {"event_id": "$x", "room_id": LOBBY, "sender": ALICE, "content": content}
    assert read_in_room(event, "m.key.verification.key", content) is None
    assert read_in_room({**event, "content": []}, "m.key.verification.key", {"key": "x"}) is None
    assert read_in_room(event, "m.room.message", {"msgtype": "m.text", "body": "hello"}) is None


def test_a_relation_outside_the_ciphertext_counts() -> None:
    relation = {"rel_type": "m.reference", "event_id": "$flow"}
    event = {"event_id": "$x", "room_id": LOBBY, "sender": ALICE, "content": {"m.relates_to": relation}}
    heard = read_in_room(event, "m.key.verification.key", {"key": "x"})
    assert heard is not None
    assert (heard.flow, heard.content) == ("$flow", {"key": "x", "m.relates_to": relation})


async def test_the_stored_state_is_sealed(bot: Bot, client: Client) -> None:
    await shown(bot, client)
    async with bot.database.begin() as work:
        [row] = await work.crypto.verifications()
    assert "secret" not in row.state
    assert client.flow not in row.state

"""Our calls, and what comes back in transactions, on a real Synapse."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from prometheus_client import CollectorRegistry

from appservice.matrix.attachments import seal
from appservice.matrix.errors import MatrixError, MediaTamperedError, MediaTooLargeError
from appservice.matrix.homeserver import Homeserver
from appservice.matrix.ids import DeviceId, MediaUri, UserId
from appservice.matrix.rooms import NewRoom
from appservice.matrix.transaction import Transaction
from appservice.setup import config
from appservice.setup.init import InitOptions, create
from appservice.web.bearer import TokenGate
from appservice.web.errors import answer_errors
from appservice.web.proxies import TrustedProxies
from appservice.web.server import WebServer
from appservice.web.transactions import HomeserverApi
from sandbox.ports import LOOPBACK, free_port
from tests.e2e.conftest import StartHomeserver

SERVER = "mediatrix.localhost"
BOT, GHOST = UserId(f"@_mediatrix_bot:{SERVER}"), UserId(f"@_mediatrix_g1:{SERVER}")
BOT_DEVICE, GHOST_DEVICE = DeviceId("BOT1"), DeviceId("GHOST1")
PATIENCE = 60.0


@dataclass
class Arrivals:
    """Remembers transactions."""

    transactions: list[Transaction] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def accept(self, transaction: Transaction) -> None:
        self.transactions.append(transaction)
        self.news.set()

    async def one(self, wanted: Callable[[Transaction], bool]) -> Transaction:
        """The first transaction like that, waiting for it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for transaction in self.transactions:
                    if wanted(transaction):
                        return transaction
                self.news.clear()
                await self.news.wait()


@dataclass(frozen=True)
class Joined:
    """A homeserver that knows us, and what it pushes."""

    matrix: Homeserver
    frugal: Homeserver
    """The same with the smallest files only."""
    arrivals: Arrivals
    url: str


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def joined(start_homeserver: StartHomeserver, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Joined]:
    folder: Path = tmp_path_factory.mktemp("installation")
    options = InitOptions(
        server_name=SERVER,
        homeserver_url="http://127.0.0.1:8008",
        mediators=(f"@mira:{SERVER}",),
        listen_port=free_port(),
        public_base_url="http://127.0.0.1",
        organisation="Town Mediation",
        contact="Mira Moss",
        telephone="+1 555 0100",
    )
    create(folder, options)
    registration = config.load(folder / "config.yaml").appservice.registration
    arrivals = Arrivals()
    gate = TokenGate(registration.hs_token.get_secret_value(), TrustedProxies())
    app = web.Application(middlewares=[answer_errors])
    app.add_routes(HomeserverApi(gate, arrivals, CollectorRegistry()).routes())
    server = WebServer(app, LOOPBACK, options.listen_port)
    await server.start()
    synapse = await start_homeserver(registrations=[folder / "registration.yaml"])
    token = registration.as_token.get_secret_value()
    async with (
        Homeserver(synapse.url, token, max_media=100_000) as matrix,
        Homeserver(synapse.url, token, max_media=3) as frugal,
    ):
        for user, device in ((BOT, BOT_DEVICE), (GHOST, GHOST_DEVICE)):
            await matrix.accounts.register(user.removeprefix("@").partition(":")[0])
            await matrix.accounts.put_device(user, device, "Mediatrix")
        yield Joined(matrix, frugal, arrivals, synapse.url)
    await server.stop()


def a_room(*invite: UserId) -> NewRoom:
    levels = {"users": {}, "users_default": 0, "events_default": 0, "state_default": 100, "invite": 100}
    encryption = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    return NewRoom(
        name="EVERYONE · 1042",
        power_levels=levels,
        initial_state=[encryption],
        creation_content={"org.mediatrix.marker": "m1"},
        invite=invite,
    )


async def test_a_user_is_made_once_and_making_it_again_is_no_error(joined: Joined) -> None:
    assert await joined.matrix.accounts.register("_mediatrix_new")
    assert not await joined.matrix.accounts.register("_mediatrix_new")
    with pytest.raises(MatrixError) as refused:
        await joined.matrix.accounts.register("somebody")
    assert (refused.value.errcode, refused.value.transient) == ("M_EXCLUSIVE", False)


async def test_each_request_speaks_for_the_user_and_device_it_names(joined: Joined) -> None:
    who = await joined.matrix.accounts.whoami(GHOST, GHOST_DEVICE)
    assert (who["user_id"], who["device_id"]) == (GHOST, GHOST_DEVICE)
    assert (await joined.matrix.accounts.whoami())["user_id"] == f"@_mediatrix_as:{SERVER}"
    with pytest.raises(MatrixError) as refused:
        await joined.matrix.accounts.whoami(GHOST, DeviceId("NONE"))
    assert refused.value.status == 400
    with pytest.raises(MatrixError) as refused:
        await joined.matrix.accounts.whoami(UserId(f"@mira:{SERVER}"))
    assert (refused.value.errcode, refused.value.transient) == ("M_FORBIDDEN", False)


async def test_who_was_in_a_room_when_something_appeared_there_can_be_told_later(joined: Joined) -> None:
    rooms = joined.matrix.rooms
    room = await rooms.create(a_room(GHOST), as_user=BOT)
    alone = await rooms.send(room, "m.room.message", {"msgtype": "m.text", "body": "1"}, "alone", as_user=BOT)
    await rooms.join(room, as_user=GHOST)
    both = await rooms.send(room, "m.room.message", {"msgtype": "m.text", "body": "2"}, "both", as_user=BOT)
    await rooms.leave(room, as_user=GHOST)
    assert await rooms.joined_at(room, alone, as_user=BOT) == {BOT}
    assert await rooms.joined_at(room, both, as_user=BOT) == {BOT, GHOST}


async def test_a_room_is_made_entered_written_to_and_left(joined: Joined) -> None:
    rooms = joined.matrix.rooms
    room = await rooms.create(a_room(GHOST), as_user=BOT)
    await rooms.join(room, as_user=GHOST)
    assert await rooms.joined_members(room, as_user=BOT) == {BOT, GHOST}
    assert room in await rooms.joined_rooms(as_user=GHOST)
    state = await rooms.state(room, as_user=BOT)
    assert state.version == "12"
    assert state.creators == {BOT}
    assert state.joined == {BOT, GHOST}
    assert (state.algorithm, state.join_rule, state.name) == ("m.megolm.v1.aes-sha2", "invite", "EVERYONE · 1042")
    assert state.create["org.mediatrix.marker"] == "m1"
    assert state.create["m.federate"] is False
    assert state.power_levels["state_default"] == 100

    first = await rooms.send(room, "m.room.encrypted", {"ciphertext": "x"}, "txn/1", as_user=GHOST)
    assert first == await rooms.send(room, "m.room.encrypted", {"ciphertext": "x"}, "txn/1", as_user=GHOST)
    event = await rooms.event(room, first, as_user=BOT)
    assert event is not None
    assert event["sender"] == GHOST
    arrived = await joined.arrivals.one(lambda t: any(e.event_id == first for e in t.events))
    assert arrived.dropped == 0

    await rooms.redact(room, first, "txn-2", as_user=BOT)
    redacted = await rooms.event(room, first, as_user=BOT)
    assert redacted is not None
    assert redacted["content"] == {}

    await rooms.put_state(room, "m.room.name", {"name": "another"}, as_user=BOT)
    assert await rooms.state_content(room, "m.room.name", as_user=BOT) == {"name": "another"}
    assert await rooms.state_content(room, "m.room.topic", as_user=BOT) is None
    with pytest.raises(MatrixError) as refused:
        await rooms.put_state(room, "m.room.name", {"name": "mine"}, as_user=GHOST)
    assert refused.value.errcode == "M_FORBIDDEN"

    await rooms.kick(room, GHOST, as_user=BOT)
    await rooms.invite(room, GHOST, as_user=BOT)
    await rooms.leave(room, as_user=GHOST)
    assert (await rooms.state(room, as_user=BOT)).with_membership("leave") == {GHOST}


async def test_a_message_for_a_device_comes_in_a_transaction_with_counts_and_by_sync(joined: Joined) -> None:
    content = {"nonce": "first"}
    await joined.matrix.accounts.send_to_device(
        "org.mediatrix.test", {GHOST: {GHOST_DEVICE: content}}, "to-1", as_user=BOT, device=BOT_DEVICE
    )
    arrived = await joined.arrivals.one(lambda t: any(m.content == content for m in t.to_device))
    [message] = [m for m in arrived.to_device if m.content == content]
    assert (message.sender, message.to_user, message.to_device) == (BOT, GHOST, GHOST_DEVICE)
    assert (GHOST, GHOST_DEVICE) in {(c.user, c.device) for c in arrived.key_counts}
    assert (GHOST, GHOST_DEVICE) in {(f.user, f.device) for f in arrived.fallback_keys}

    swept = await joined.matrix.accounts.sync(GHOST, GHOST_DEVICE)
    assert content in [event["content"] for event in swept["to_device"]["events"]]
    assert "join" not in swept.get("rooms", {})
    again = await joined.matrix.accounts.sync(GHOST, GHOST_DEVICE, swept["next_batch"])
    assert again.get("to_device", {}).get("events", []) == []


async def test_a_device_is_deleted_without_a_password(joined: Joined) -> None:
    extra = DeviceId("EXTRA/1")
    await joined.matrix.accounts.put_device(GHOST, extra, "Mediatrix")
    assert extra in await joined.matrix.accounts.devices(GHOST)
    await joined.matrix.accounts.delete_device(GHOST, extra)
    assert await joined.matrix.accounts.devices(GHOST) == {GHOST_DEVICE}


async def test_account_data_and_names_are_kept(joined: Joined) -> None:
    accounts = joined.matrix.accounts
    assert await accounts.account_data(BOT, "org.mediatrix.epoch") is None
    await accounts.set_account_data(BOT, "org.mediatrix.epoch", {"epoch": 1})
    assert await accounts.account_data(BOT, "org.mediatrix.epoch") == {"epoch": 1}
    await accounts.set_display_name(GHOST, "Carl (email)")


async def test_a_file_comes_back_as_it_was_and_a_changed_one_not_at_all(joined: Joined, tmp_path: Path) -> None:
    media, opened = joined.matrix.media, tmp_path / "opened"
    file = await media.upload_encrypted(b"a deed", as_user=GHOST)
    await media.save(MediaUri(file["url"]), tmp_path / "sealed", as_user=BOT, most=6)
    assert (tmp_path / "sealed").read_bytes() != b"a deed"
    await media.open_encrypted(file, opened, as_user=BOT, most=6)
    assert opened.read_bytes() == b"a deed"
    other = await media.upload_encrypted(b"another", as_user=GHOST)
    with pytest.raises(MediaTamperedError):
        await media.open_encrypted({**file, "url": other["url"]}, tmp_path / "other", as_user=BOT, most=9)
    assert not (tmp_path / "other").exists()
    large = tmp_path / "large"
    large.write_bytes(os.urandom(3_000_000))
    info, uri = seal(large, tmp_path / "large.sealed"), await media.reserve(as_user=GHOST)
    await media.fill(uri, tmp_path / "large.sealed", as_user=GHOST)
    await media.open_encrypted({**info, "url": uri}, tmp_path / "again", as_user=BOT, most=3_000_000)
    assert (tmp_path / "again").read_bytes() == large.read_bytes()
    with pytest.raises(MediaTooLargeError):
        await media.upload(bytes(100_001), as_user=GHOST)
    with pytest.raises(MediaTooLargeError):
        await media.save(MediaUri(file["url"]), tmp_path / "more", as_user=BOT, most=3)


async def test_a_ping_reaches_us(joined: Joined) -> None:
    assert await joined.matrix.accounts.ping("mediatrix", "ping-1") >= 0


async def test_no_answer_is_told_from_a_refusal(joined: Joined) -> None:
    async with Homeserver(f"http://{LOOPBACK}:{free_port()}", "a token", timeout=2) as nowhere:
        with pytest.raises(MatrixError) as unanswered:
            await nowhere.accounts.whoami()
    assert (unanswered.value.status, unanswered.value.transient) == (0, True)
    async with Homeserver(joined.url, "wrong-token") as stranger:
        with pytest.raises(MatrixError) as refused:
            await stranger.accounts.whoami()
    assert (refused.value.errcode, refused.value.status) == ("M_UNKNOWN_TOKEN", 401)
    assert "wrong-token" not in str(refused.value)

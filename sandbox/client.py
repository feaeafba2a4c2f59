"""A real Matrix client for tests and the demo: matrix-js-sdk with rust crypto, as one typed object a device.

Several clients share one Node process (`sandbox.node`): a second one costs a login, not another runtime.
"""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Literal, Self, TypeVar

from sandbox.node import Node
from sandbox.seen import Device, Emoji, File, Json, Member, Poll, Room, Seen, SeenEvent, SeenMembership, parse

TIMEOUT = 120.0  # seconds that a wait lasts at most unless told otherwise: what works takes far less
DEVICE_POLL = 0.05  # seconds
POLL_START = "org.matrix.msc3381.poll.start"
POLL_END = "org.matrix.msc3381.poll.end"

Isolation = Literal["all", "onlySigned"]
Kind = TypeVar("Kind", SeenEvent, SeenMembership)


class NotSeen(AssertionError):
    """What a test waited for did not come; the message lists what did."""


class Client:
    """One logged-in device: what its user can do, and what it has seen, in order of arrival, in `seen`.

    Every command raises CommandFailed when the client or the homeserver refuses, NodeFailed when the process is gone.
    Commands that send answer with the event id.
    """

    user_id: str
    device_id: str

    def __init__(self, node: Node, name: str) -> None:
        self._node = node
        self._name = name
        self._news = asyncio.Event()
        self.seen: list[Seen] = []

    @classmethod
    async def login(
        cls,
        node: Node,
        homeserver: str,
        user: str,
        password: str,
        *,
        device: str,
        cross_sign: bool = True,
        isolation: Isolation = "onlySigned",
    ) -> Self:
        """Logs in as a new device and waits for its first sync.

        With `cross_sign` the device is signed when this returns: the user's first one makes the identity and keeps
        its keys in secret storage under the password as passphrase, a later one fetches them from there. An unsigned
        device sends nothing in an encrypted room unless its isolation is `all`: the SDK refuses.
        """
        client = cls(node, f"{user}/{device}")
        node.host(client._name, client._receive)
        try:
            who = await client._do(
                "login",
                homeserver=homeserver,
                user=user,
                password=password,
                device=device,
                crossSign=cross_sign,
                isolation=isolation,
            )
        except BaseException:
            node.forget(client._name)
            raise
        client.user_id, client.device_id = who["user_id"], who["device_id"]
        return client

    async def stop(self) -> None:
        """Stops syncing; the device stays on the homeserver, its keys are gone with this client."""
        await self._do("stop")
        self._node.forget(self._name)

    async def logout(self) -> None:
        """Deletes the device."""
        await self._do("logout")
        self._node.forget(self._name)

    # What the client has seen

    async def wait_for(
        self, predicate: Callable[[SeenEvent], bool], what: str = "event", within: float = TIMEOUT
    ) -> SeenEvent:
        """The first event, seen already or yet to come, whose newest version satisfies `predicate`.

        Raises NotSeen, which names `what`, after `within` seconds.
        """
        return await self._wait(SeenEvent, predicate, what, within)

    async def wait_for_text(self, room: str, body: str, within: float = TIMEOUT) -> SeenEvent:
        """The message with exactly this body."""
        return await self.wait_for(lambda event: event.room_id == room and event.body == body, f"text {body!r}", within)

    async def wait_for_membership(
        self, predicate: Callable[[SeenMembership], bool], what: str = "membership", within: float = TIMEOUT
    ) -> SeenMembership:
        return await self._wait(SeenMembership, predicate, what, within)

    async def wait_for_invite(self, room: str | None = None, within: float = TIMEOUT) -> SeenMembership:
        """The first invitation, to `room` if given."""
        return await self.wait_for_membership(
            lambda seen: seen.membership == "invite" and room in {None, seen.room_id}, "invitation", within
        )

    async def follow(self) -> AsyncIterator[Seen]:
        """Everything seen so far, then everything to come; never ends by itself."""
        told = 0
        while True:
            news = self._news
            while told < len(self.seen):
                yield self.seen[told]
                told += 1
            await news.wait()

    async def timeline(self, room: str) -> list[SeenEvent]:
        """All events of the room that this client knows, each in its newest version."""
        return [SeenEvent(**fields) for fields in await self._do("timeline", room=room)]

    async def rooms(self) -> list[Room]:
        """The rooms and Spaces that this user is in, is invited to, or has left."""
        return [Room(**fields) for fields in await self._do("rooms")]

    async def members(self, room: str) -> list[Member]:
        return [Member(**fields) for fields in await self._do("members", room=room)]

    async def state(self, room: str, type_: str, key: str = "") -> Json:
        """The content of a state event, asked of the homeserver."""
        content: Json = await self._do("state", room=room, type=type_, key=key)
        return content

    async def devices(self, user: str) -> list[Device]:
        """A user's devices as far as this client has heard: changes reach it with a sync, as they reach people."""
        return [Device(**fields) for fields in await self._do("devices", user=user)]

    async def wait_for_device(self, user: str, device: str, *, signed: bool = True, within: float = TIMEOUT) -> None:
        """Waits until this client knows the device as signed or not; before that it may not encrypt to it."""
        deadline = time.monotonic() + within
        while Device(device, signed) not in (known := await self.devices(user)):
            if time.monotonic() > deadline:
                raise NotSeen(f"{self._name} knows {known} of {user} after {within:.0f} s")
            await asyncio.sleep(DEVICE_POLL)

    # Rooms

    async def join(self, room: str) -> str:
        room_id: str = await self._do("join", room=room)
        return room_id

    async def leave(self, room: str) -> None:
        await self._do("leave", room=room)

    async def invite(self, room: str, user: str) -> None:
        await self._do("invite", room=room, user=user)

    async def kick(self, room: str, user: str, reason: str = "") -> None:
        await self._do("kick", room=room, user=user, reason=reason)

    async def create_room(
        self, name: str = "", *, invite: Sequence[str] = (), encrypted: bool = True, direct: bool = False
    ) -> str:
        """Makes a private room and returns its id; `direct` marks it as a conversation with whom it invites."""
        room: str = await self._do("createRoom", name=name, invite=list(invite), encrypted=encrypted, direct=direct)
        return room

    # Messages

    async def text(self, room: str, body: str) -> str:
        return await self._send("text", room=room, body=body)

    async def html(self, room: str, body: str, html: str) -> str:
        return await self._send("html", room=room, body=body, html=html)

    async def reply(self, room: str, to: str, body: str) -> str:
        return await self._send("reply", room=room, to=to, body=body)

    async def react(self, room: str, to: str, key: str) -> str:
        return await self._send("react", room=room, to=to, key=key)

    async def edit(self, room: str, event: str, body: str) -> str:
        return await self._send("edit", room=room, event=event, body=body)

    async def wait_for_poll(self, room: str, question: str, within: float = TIMEOUT) -> Poll:
        """The first poll there whose question contains that."""

        def asks(event: SeenEvent) -> bool:
            return event.room_id == room and event.type == POLL_START and question in json.dumps(event.content)

        event = (await self.wait_for(asks, f"poll {question!r}", within)).event_id
        shown = await self._do("poll", room=room, event=event)
        answers = {words: name for name, words in shown["answers"]}
        return Poll(event, shown["question"], shown["most"], answers)

    async def vote(self, room: str, poll: str, *answers: str) -> str:
        """Chooses answers, by their ids, in a poll, by its event."""
        return await self._send("vote", room=room, poll=poll, answers=list(answers))

    async def redact(self, room: str, event: str, reason: str = "") -> str:
        return await self._send("redact", room=room, event=event, reason=reason)

    async def send(self, room: str, content: Mapping[str, Any], type_: str = "m.room.message") -> str:
        """Any event; encrypted where the room is, reactions apart."""
        return await self._send("send", room=room, type=type_, content=content)

    async def send_state(self, room: str, type_: str, content: Mapping[str, Any], key: str = "") -> str:
        return await self._send("sendState", room=room, type=type_, key=key, content=content)

    async def send_file(
        self,
        room: str,
        name: str,
        data: bytes,
        *,
        mimetype: str = "application/octet-stream",
        msgtype: str = "m.file",
    ) -> str:
        """Uploads and posts a file, as an EncryptedFile where the room is encrypted."""
        encoded = base64.b64encode(data).decode()
        return await self._send("sendFile", room=room, name=name, mimetype=mimetype, msgtype=msgtype, base64=encoded)

    async def download_file(self, event: SeenEvent) -> File:
        """Downloads the file of an event that this client has seen, checks its hash and decrypts it."""
        answer = await self._do("downloadFile", room=event.room_id, event=event.event_id)
        return File(
            name=answer["name"],
            mimetype=answer["mimetype"],
            encrypted=answer["encrypted"],
            sha256=answer["sha256"],
            data=base64.b64decode(answer["base64"]),
        )

    # Keys and devices

    async def cross_sign(self) -> None:
        """Puts this device under its user's identity, as a person does who verifies a new login."""
        await self._do("crossSign")

    async def sign_device(self, device: str) -> None:
        """Puts another device of this user under its identity, as a person does who says at this one: that was me."""
        await self._do("signDevice", device=device)

    async def reset_identity(self) -> None:
        """Replaces the user's cross-signing identity, as a person does who has lost everything."""
        await self._do("resetIdentity")

    async def verify_in_room(self, user: str, room: str) -> Emoji:
        """Asks a user in a room to verify each other; returns what this client shows, once both sides know it."""
        return Emoji.read(await self._do("verifyInRoom", user=user, room=room))

    async def verify_device(self, user: str, device: str) -> Emoji:
        """The same, by to-device messages to one device."""
        return Emoji.read(await self._do("verifyDevice", user=user, device=device))

    async def confirm_emoji(self) -> None:
        """The person clicks: they match."""
        await self._do("confirmEmoji")

    async def deny_emoji(self) -> None:
        """The person clicks: they don't match."""
        await self._do("denyEmoji")

    async def verification_end(self) -> str:
        """How the verification ended, once it has: `done`, or `cancelled` with the reason."""
        end: str = await self._do("verificationEnd")
        return end

    async def is_verified(self, user: str) -> bool:
        """Whether this client shows the user as verified."""
        verified: bool = await self._do("isVerified", user=user)
        return verified

    async def discard_session(self, room: str) -> None:
        """The next message to the room starts a new Megolm session."""
        await self._do("discardSession", room=room)

    async def time_passes(self, hours: float) -> None:
        """At once, for every client of the same Node process; what waits for timers waits as before."""
        await self._do("pass", ms=hours * 3_600_000)

    async def export_keys(self) -> str:
        """All room keys of this client, for `import_keys` of another device."""
        keys: str = await self._do("exportKeys")
        return keys

    async def import_keys(self, keys: str) -> None:
        await self._do("importKeys", keys=keys)

    async def request(self, method: str, path: str, body: object = None) -> Any:
        """Any request of the client-server API with this device's token; `path` starts with `/_matrix`."""
        return await self._do("request", method=method, path=path, body=body)

    async def _do(self, verb: str, **args: object) -> Any:
        return await self._node.command(self._name, verb, **args)

    async def _send(self, verb: str, **args: object) -> str:
        event_id: str = await self._do(verb, **args)
        return event_id

    def _receive(self, message: Mapping[str, Any]) -> None:
        self.seen.append(parse(message))
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _wait(self, kind: type[Kind], predicate: Callable[[Kind], bool], what: str, within: float) -> Kind:
        try:
            async with asyncio.timeout(within):
                while True:
                    news = self._news
                    for seen in self._newest(kind):
                        if predicate(seen):
                            return seen
                    await news.wait()
        except TimeoutError:
            raise NotSeen(f"{self._name} saw no {what} in {within:.0f} s\n{self._story()}") from None

    def _newest(self, kind: type[Kind]) -> list[Kind]:
        """Each event once, in its newest version; everything else as it came."""
        newest: dict[object, Kind] = {}
        for index, seen in enumerate(self.seen):
            if isinstance(seen, kind):
                newest[seen.event_id if isinstance(seen, SeenEvent) else index] = seen
        return list(newest.values())

    def _story(self) -> str:
        """What this client saw last, for whoever reads a failed test."""
        return "\n".join(f"  {seen}" for seen in self._newest(SeenEvent)[-20:]) or "  nothing at all"

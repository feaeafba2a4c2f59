"""Somebody's telephone, as its owner sees it: a chat with each number of ours, kept from one start to the next."""

import asyncio
import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sandbox.whatsapp.graph import TEMPLATE, Graph, Phone
from sandbox.whatsapp.rules import TEXT, Json, buttons, words
from sandbox.whatsapp.webhooks import Webhooks

PICTURE: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAIAAAAmkwkpAAAAFElEQVR4nGPUqLBhgAEmBiSAmwMAK+gA5HVnVSYAAAAASUVORK5CYII="
)
"""A photograph, of a few points."""
_STEP: Final = 120.0  # seconds
TAKEN_AWAY: Final = "(the reaction was taken away)"
_ASKS_TO_WRITE: Final = "You have a new message from us. Answer with any word to receive it."
"""The approved template's words, as the administrator's guide proposes them."""


@dataclass(frozen=True, slots=True)
class Button:
    """What can be pressed below a message."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Bubble:
    """One message in the chat with one number of ours. `at` is in milliseconds; `quotes` is the one that it answers."""

    id: str
    chat: str
    mine: bool
    at: int
    text: str
    buttons: tuple[Button, ...] = ()
    quotes: str | None = None
    template: bool = False


class NothingToPress(Exception):
    """There is no such button."""


class NotTaken(Exception):
    """The service has not taken what was written; it comes to it again."""


class Telephone:
    """One telephone with WhatsApp. `shown_as` is the name in its owner's profile, which anybody can choose freely."""

    def __init__(self, phone: Phone, shown_as: str, graph: Graph, webhooks: Webhooks, file: Path | None) -> None:
        self.phone, self._shown_as, self._graph, self._webhooks, self._file = phone, shown_as, graph, webhooks, file
        self._news = asyncio.Condition()
        self._bubbles = _kept(file)
        for bubble in self._bubbles:
            if bubble.mine:
                graph.write(phone, bubble.chat, _moment(bubble.at), wamid=bubble.id)

    @property
    def bubbles(self) -> tuple[Bubble, ...]:
        """All messages, oldest first."""
        return tuple(self._bubbles)

    async def wait_for(
        self,
        matches: Callable[[Bubble], bool],
        *,
        timeout: float = _STEP,  # noqa: ASYNC109 - a convenience of test equipment
    ) -> Bubble:
        """The first message that matches, there already or yet to come. Raises TimeoutError."""

        def first() -> Bubble | None:
            return next((bubble for bubble in self._bubbles if matches(bubble)), None)

        async with asyncio.timeout(timeout), self._news:
            await self._news.wait_for(lambda: first() is not None)
        found = first()
        assert found is not None
        return found

    async def changed(self, seen: int) -> None:
        """Until there are more messages than that."""
        async with self._news:
            await self._news.wait_for(lambda: len(self._bubbles) > seen)

    async def arrived(self, number: str, wamid: str, message: Json) -> None:
        """A message of ours is shown."""
        is_template = message["type"] == "template"
        asks = is_template and message["template"]["name"] == TEMPLATE[0]
        shown = _ASKS_TO_WRITE if asks else words(message) or TAKEN_AWAY
        choices = tuple(Button(button["id"], button["title"]) for button in buttons(message))
        quotes = (message.get("context") or message.get("reaction") or {}).get("message_id")
        await self._keep(Bubble(wamid, number, False, _now(), shown, choices, quotes, template=asks))

    async def write(self, number: str, text: str, *, quoting: Bubble | None = None) -> Bubble:
        """Its owner writes. At most 4,096 characters, as on a real one."""
        quotes = quoting.id if quoting else None
        return await self._send(number, text[:TEXT], {"type": "text", "text": {"body": text[:TEXT]}}, quotes)

    async def press(self, bubble: str, button: str) -> Bubble:
        """Its owner presses a button below a message. Raises NothingToPress."""
        asked = next((one for one in self._bubbles if one.id == bubble), None)
        pressed = next((one for one in asked.buttons if one.id == button), None) if asked else None
        if asked is None or pressed is None:
            raise NothingToPress("there is no such button")
        inner = {"type": "button_reply", "button_reply": asdict(pressed)}
        return await self._send(
            asked.chat, pressed.title, {"type": "interactive", "interactive": inner}, quotes=asked.id
        )

    async def share(
        self, number: str, kind: str, data: bytes, mime: str, *, name: str = "", caption: str = "", voice: bool = False
    ) -> Bubble:
        """Its owner sends a file: image, document, audio, video or sticker (Webhooks, messages)."""
        stored = self._graph.files.receive(number, mime, data)
        more = {"filename": name, "caption": caption, "voice": voice}
        inner = {"id": stored.id, "mime_type": mime, "sha256": stored.sha256}
        said = inner | {key: value for key, value in more.items() if value}
        shown = f"{'🎤' if kind == 'audio' else '📷' if kind == 'image' else '📎'} {name or caption}".strip()
        return await self._send(number, shown, {"type": kind, kind: said}, None)

    async def show_a_picture(self, number: str, caption: str) -> Bubble:
        """Its owner sends a photograph."""
        return await self.share(number, "image", PICTURE, "image/png", caption=caption)

    async def taken(self, within: float = 10.0) -> None:
        """Until the service has taken all that was written. Raises NotTaken after so many seconds."""
        try:
            await asyncio.wait_for(self._webhooks.settled(), within)
        except TimeoutError:
            raise NotTaken("The service does not answer. WhatsApp will try again.") from None

    async def _send(self, number: str, shown: str, said: Json, quotes: str | None) -> Bubble:
        bubble = Bubble(f"wamid.{secrets.token_hex(8)}", number, True, _now(), shown, quotes=quotes)
        self._graph.write(self.phone, number, wamid=bubble.id)
        wa_id, user = self.phone.number.removeprefix("+"), self.phone.user
        contact = {"profile": {"name": self._shown_as}, "wa_id": wa_id, "user_id": user}
        key = {"identity_key_hash": self.phone.key} if self.phone.key else {}
        message = {"from": wa_id, "from_user_id": user, "id": bubble.id, "timestamp": str(bubble.at // 1000), **said}
        context = {"context": {"from": number, "id": quotes}} if quotes else {}
        self._webhooks.put({"contacts": [contact | key], "messages": [message | context]}, number)
        await self._keep(bubble)
        return bubble

    async def _keep(self, bubble: Bubble) -> None:
        if self._file:
            with self._file.open("a") as lines:
                lines.write(json.dumps(asdict(bubble)) + "\n")
        async with self._news:
            self._bubbles.append(bubble)
            self._news.notify_all()


def _kept(file: Path | None) -> list[Bubble]:
    if file is None or not file.exists():
        return []
    stored = [json.loads(line) for line in file.read_text().splitlines()]
    return [Bubble(**(one | {"buttons": tuple(Button(**button) for button in one["buttons"])})) for one in stored]


def _now() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)

"""A strict stand-in for the Cloud API: it refuses what the documentation says that the real one refuses.

Each rule names its source in the Graph v26.0 documentation. `answer` is one HTTP call; `FakeCloud` is the same without
a socket. What goes wrong on demand stands in `mishaps`.
"""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum, unique
from typing import Any

from bridges.unsent import NotSent, Unknown
from bridges.whatsapp.api import SendResult, _result

Json = dict[str, Any]
TOKEN = "the-access-token-of-the-tests"
FIELDS = {
    "messaging_product",
    "recipient_type",
    "to",
    "recipient",
    "context",
    "type",
    "text",
    "interactive",
    "template",
    "biz_opaque_callback_data",
    "recipient_identity_key_hash",
}
"""Messages API: the fields of a request."""


@unique
class Mishap(StrEnum):
    """What the network does wrong, once."""

    NO_CONNECTION = "no connection"
    NO_ANSWER = "not taken, no answer"
    TAKEN_NO_ANSWER = "taken, no answer"
    ODD_ANSWER = "taken, an answer without an id"


@dataclass
class Phone:
    """Somebody's telephone: what arrived on it."""

    number: str
    user: str
    key: str | None = None
    shows: list[Json] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        """The words of all that arrived."""
        return [_words(message) for message in self.shows]

    @property
    def buttons(self) -> list[Json]:
        """The buttons of the last message."""
        interactive = self.shows[-1].get("interactive", {}) if self.shows else {}
        return [button["reply"] for button in interactive.get("action", {}).get("buttons", [])]


class FakeGraph:
    """Two numbers of ours, one template, and the telephones that exist."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.clock = clock
        self.numbers = {"111111111", "222222222"}
        self.templates = {("new_message", "en")}
        self.phones: dict[str, Phone] = {}
        self.windows: dict[tuple[str, str], datetime] = {}
        self.mishaps: deque[Mishap | int] = deque()
        self.requests: list[Json] = []
        self.accepted: list[tuple[str, Json]] = []

    def phone(self, number: str, user: str, key: str | None = None) -> Phone:
        """A telephone that uses WhatsApp."""
        found = self.phones[user] = Phone(number, user, key)
        return found

    def write(self, phone: Phone, number: str) -> None:
        """Whoever has that telephone wrote to a number of ours (Messaging: customer service windows, 24 hours)."""
        self.windows[number, phone.user] = self.clock() + timedelta(hours=24)

    def answer(self, number: str, authorization: str, body: object) -> tuple[int, Json]:
        """One POST to /{number}/messages."""
        if authorization != f"Bearer {TOKEN}":
            return _error(401, 190)  # Error codes: 190, access token has expired
        if number not in self.numbers or not isinstance(body, dict):
            return _error(400, 100)
        self.requests.append(body)
        wrong = _shape(body)
        if wrong:
            return _error(400, 100)
        phone = self._addressed(body)
        if phone is None:
            if "recipient" not in body and "." in str(body["to"]):
                return self._accepted(number, body, None)  # A BSUID in `to` is taken, and lost
            return _error(400, 131026)  # Error codes: 131026, message undeliverable
        if body.get("recipient_identity_key_hash", phone.key) != phone.key:
            return _error(400, 137000)  # Identity change check: 137000
        if body["type"] != "template" and self.windows.get((number, phone.user), datetime.min.replace(tzinfo=UTC)) <= (
            self.clock()
        ):
            return _error(400, 131047)  # Error codes: 131047, re-engagement message
        if body["type"] == "template":
            wanted = body["template"]
            if (wanted["name"], wanted["language"]["code"]) not in self.templates:
                return _error(404, 132001)  # Error codes: 132001, template does not exist
        return self._accepted(number, body, phone)

    def _accepted(self, number: str, body: Json, phone: Phone | None) -> tuple[int, Json]:
        self.accepted.append((number, body))
        if phone:
            phone.shows.append(body)
        return 200, {
            "messaging_product": "whatsapp",
            "contacts": [{"input": body.get("to", body.get("recipient"))}],
            "messages": [{"id": f"wamid.out{len(self.accepted)}"}],
        }

    def _addressed(self, body: Json) -> Phone | None:
        if "to" in body:  # Messages API: `to` wins
            return next((p for p in self.phones.values() if p.number == f"+{body['to'].removeprefix('+')}"), None)
        return self.phones.get(body["recipient"])


class FakeCloud:
    """`Sends` over a fake graph: the same answers, without a socket."""

    def __init__(self, graph: FakeGraph) -> None:
        self.graph = graph

    async def send(self, number: str, message: Json) -> SendResult:
        mishap = self.graph.mishaps.popleft() if self.graph.mishaps else None
        if mishap is Mishap.NO_CONNECTION:
            return NotSent("no connection to WhatsApp")
        if mishap is Mishap.NO_ANSWER:
            return Unknown("WhatsApp did not answer")
        if isinstance(mishap, int):
            return _result(400, json.dumps(_error(400, mishap)[1]).encode())
        status, answer = self.graph.answer(number, f"Bearer {TOKEN}", json.loads(json.dumps(message)))
        if mishap is Mishap.TAKEN_NO_ANSWER:
            return Unknown("WhatsApp did not answer")
        if mishap is Mishap.ODD_ANSWER:
            answer = {}
        return _result(status, json.dumps(answer).encode())


def _shape(body: Json) -> str | None:
    """What is wrong with a request (Messages API)."""
    if body.get("messaging_product") != "whatsapp" or set(body) - FIELDS:
        return "unknown fields"
    if not isinstance(body.get("to", ""), str) or not isinstance(body.get("recipient", ""), str):
        return "to"
    if not ("to" in body or "recipient" in body):
        return "nobody"
    if len(body.get("biz_opaque_callback_data", "")) > 512:
        return "callback data"
    match body.get("type"):
        case "text":
            said = body.get("text", {}).get("body")
            good = isinstance(said, str) and said.strip() and len(said.encode("utf-16-le")) // 2 <= 4096
            return None if good else "text"
        case "template":
            wanted = body.get("template", {})
            return None if isinstance(wanted.get("name"), str) and "code" in wanted.get("language", {}) else "template"
        case "interactive":
            return _interactive(body.get("interactive", {}))
        case _:
            return "type"


def _interactive(inner: Json) -> str | None:
    """Interactive reply buttons: at most 3, titles of 20, ids of 256, all different; a body of 1,024."""
    if inner.get("type") != "button" or not 0 < len(inner.get("body", {}).get("text", "")) <= 1024:
        return "body"
    buttons = inner.get("action", {}).get("buttons", [])
    replies = [button.get("reply", {}) for button in buttons if button.get("type") == "reply"]
    if not 0 < len(buttons) <= 3 or len(replies) != len(buttons):
        return "buttons"
    titles, ids = [reply.get("title", "") for reply in replies], [reply.get("id", "") for reply in replies]
    if len(set(titles)) < len(titles) or len(set(ids)) < len(ids):
        return "alike"
    return None if all(0 < len(t) <= 20 for t in titles) and all(0 < len(i) <= 256 for i in ids) else "button"


def _error(status: int, code: int) -> tuple[int, Json]:
    return status, {"error": {"message": f"(#{code}) to +34600123456", "type": "OAuthException", "code": code}}


def _words(message: Json) -> str:
    match message["type"]:
        case "text":
            return str(message["text"]["body"])
        case "interactive":
            return str(message["interactive"]["body"]["text"])
        case _:
            return f"[template {message['template']['name']}]"

"""The Cloud API without a socket: it refuses what the documentation (Graph v26.0) says that the real one refuses."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum, unique
from typing import Final

from sandbox.whatsapp.media import Files
from sandbox.whatsapp.rules import MEDIA, Json, buttons, error, words, wrong

PRIVATE, JOINT = "100000000000001", "100000000000002"
TEMPLATE: Final = ("new_message", "en")
NOTICE: Final = ("desk_notice", "en")
CODE: Final = ("desk_code", "en")
"""Of which category authentication, so it is sent with a code."""
REACTION_LASTS: Final = timedelta(days=30)
"""Reaction messages: how old the message may be."""
NOT_THERE: Final = 131009
"""Reaction messages: what a webhook reports of a reaction to no message of that chat, an old one, or a reaction."""
WINDOW: Final = timedelta(hours=24)
"""Messaging: customer service windows; each number of ours has its own."""
A_SECOND: Final = 80
"""Cloud API, throughput: messages a second from one number."""
PAIR_BURST, PAIR_EVERY = 45, timedelta(seconds=6)
"""Cloud API, pair rate limit: a burst of so many to one person, paid back with one each so many seconds."""


@unique
class Mishap(StrEnum):
    """What the network does wrong, once."""

    NO_ANSWER = "not taken, no answer"
    TAKEN_NO_ANSWER = "taken, no answer"
    ODD_ANSWER = "taken, an answer without an id"


@dataclass
class Phone:
    """Somebody's telephone, as the network knows it: `key` is the hash of its encryption identity."""

    number: str
    user: str
    key: str | None = None
    shows: list[Json] = field(default_factory=list)
    wrote: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """When it sent which message, by the number of ours and the message's id: what can be reacted to."""
    reacted: dict[tuple[str, str], str] = field(default_factory=dict)
    """Which emoji stands on which of those."""

    @property
    def texts(self) -> list[str]:
        """The words of all that arrived."""
        return [words(message) for message in self.shows]

    def files(self, stored: Files) -> list[bytes]:
        """The bytes of all files that arrived."""
        shown = [(message, message["type"]) for message in self.shows if message["type"] in MEDIA]
        return [stored.stored[message[kind]["id"]].data for message, kind in shown]

    @property
    def buttons(self) -> list[Json]:
        """The buttons of the last message."""
        return buttons(self.shows[-1]) if self.shows else []


class Graph:
    """Numbers of ours, a template, and the telephones that exist.

    `token` opens it; `run` stands in the ids of messages, so that those of two runs differ.
    """

    def __init__(
        self,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        token: str,
        numbers: tuple[str, ...] = (PRIVATE, JOINT),
        run: str = "",
    ) -> None:
        self.clock, self.numbers = clock, numbers
        self.templates = {TEMPLATE, NOTICE, CODE}
        self.phones: dict[str, Phone] = {}
        self.windows: dict[tuple[str, str], datetime] = {}
        self.requests: list[Json] = []
        self.accepted: list[tuple[str, Json]] = []
        self.files = Files(clock, token=token, numbers=numbers)
        self._token, self._run = token, run
        self._sent: dict[str, list[datetime]] = {}
        self._owed: dict[tuple[str, str], datetime] = {}

    def phone(self, number: str, user: str, key: str | None = None) -> Phone:
        """A telephone that uses WhatsApp."""
        found = self.phones[user] = Phone(number, user, key)
        return found

    def write(self, phone: Phone, number: str, at: datetime | None = None, *, wamid: str = "") -> None:
        """Whoever has that telephone wrote to a number of ours, now or then: a message of that id, or a reaction, to
        which nobody reacts."""
        at = at or self.clock()
        self.windows[number, phone.user] = max(at + WINDOW, self.windows.get((number, phone.user), at))
        if wamid:
            phone.wrote[number, wamid] = at

    def answer(self, number: str, authorization: str, body: object) -> tuple[int, Json]:
        """One POST to /{number}/messages."""
        if authorization != f"Bearer {self._token}":
            return error(401, 190)  # Error codes: 190, access token has expired
        if number not in self.numbers or not isinstance(body, dict):
            return error(400, 100)  # Error codes: 100, invalid parameter
        self.requests.append(body)
        if wrong(body):
            return error(400, 100)
        kind = body["type"]
        if kind in MEDIA and self.files.sent(number, kind, body[kind]["id"]) is None:
            return error(400, 100)  # Media messages: the id of an upload of that number, of a type of that message
        phone = self.addressed(body)
        if phone is None:
            if "recipient" not in body and "." in str(body["to"]):
                return self._take(number, body, None)  # A BSUID in `to` is taken, and lost
            return error(400, 131026)  # Error codes: 131026, message undeliverable
        code = self._refused(number, phone, body)
        if code:
            return error(404 if code == 132001 else 400, code)
        return self._take(number, body, phone)

    def describe(self, number: str, authorization: str) -> tuple[int, Json]:
        """One GET of /{number}, with `fields=id` (Phone numbers)."""
        if authorization != f"Bearer {self._token}":
            return error(401, 190)
        return (200, {"id": number}) if number in self.numbers else error(400, 100)

    def addressed(self, body: Json) -> Phone | None:
        """For whom a request is; Messages API: `to` wins."""
        if "to" in body:
            return next((p for p in self.phones.values() if p.number == f"+{body['to'].removeprefix('+')}"), None)
        return self.phones.get(body["recipient"])

    def _refused(self, number: str, phone: Phone, body: Json) -> int | None:
        if body.get("recipient_identity_key_hash", phone.key) != phone.key:
            return 137000  # Identity change check: 137000
        if body["type"] == "template":
            wanted = body["template"]
            if (wanted["name"], wanted["language"]["code"]) not in self.templates:
                return 132001  # Error codes: 132001, template does not exist
            if bool(wanted.get("components")) is not (wanted["name"] == CODE[0]):
                return 132000  # Error codes: 132000, template param count mismatch
        elif self.windows.get((number, phone.user), datetime.min.replace(tzinfo=UTC)) <= self.clock():
            return 131047  # Error codes: 131047, re-engagement message
        recent = [at for at in self._sent.get(number, ()) if self.clock() - at < timedelta(seconds=1)]
        if len(recent) >= A_SECOND:
            return 130429  # Error codes: 130429, rate limit hit
        self._sent[number] = [*recent, self.clock()]
        owed = max(self._owed.get((number, phone.user), self.clock()), self.clock())
        if owed - self.clock() > (PAIR_BURST - 1) * PAIR_EVERY:
            return 131056  # Error codes: 131056, pair rate limit hit
        self._owed[number, phone.user] = owed + PAIR_EVERY
        return None

    def _take(self, number: str, body: Json, phone: Phone | None) -> tuple[int, Json]:
        self.accepted.append((number, body))
        if phone and not (self.not_shown(number, phone, body) or self._reacted(number, phone, body)):
            phone.shows.append(body)
        return 200, {
            "messaging_product": "whatsapp",
            "contacts": [{"input": body.get("to", body.get("recipient"))}],
            "messages": [{"id": f"wamid.{self._run}out{len(self.accepted)}"}],
        }

    def not_shown(self, number: str, phone: Phone, body: Json) -> int | None:
        """The code of the webhook that says that a reaction which was taken is not shown (Reaction messages: on a
        message that the user sent to that number within 30 days)."""
        if body["type"] != "reaction":
            return None
        written = phone.wrote.get((number, body["reaction"]["message_id"]))
        return None if written and self.clock() < written + REACTION_LASTS else NOT_THERE

    def _reacted(self, number: str, phone: Phone, body: Json) -> bool:
        """Whether it is an emoji on a message, in place of an earlier one; an empty one takes that away."""
        if body["type"] != "reaction":
            return False
        phone.reacted[number, body["reaction"]["message_id"]] = body["reaction"]["emoji"]
        return True

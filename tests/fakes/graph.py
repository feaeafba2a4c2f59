"""The sandbox's strict stand-in for the Cloud API, without a socket, and with what goes wrong on demand."""

import base64
import hashlib
import json
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path

from bridges.unsent import NotSent, Unknown
from bridges.whatsapp.api import SendResult, UploadResult, _result, uploaded
from bridges.whatsapp.media import (
    NOT_THE_FILE,
    NOT_WHAT_IT_SAYS,
    Fetched,
    Medium,
    NotNow,
    Outcome,
    _refused,
    is_what_it_says,
    too_large,
)
from sandbox.whatsapp.graph import Graph, Mishap, Phone
from sandbox.whatsapp.rules import Json, error

__all__ = ["TOKEN", "FakeCloud", "FakeGraph", "Mishap", "Phone", "Unreachable"]
TOKEN = "the-access-token-of-the-tests"


class Unreachable(Enum):
    """The network is not even there, once."""

    NO_CONNECTION = auto()


class FakeGraph(Graph):
    """Two numbers of the tests, and the next mishaps: an integer is an error's code."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__(clock, token=TOKEN, numbers=("111111111", "222222222"))
        self.mishaps: deque[Mishap | Unreachable | int] = deque()


class FakeCloud:
    """`Sends` over a fake graph: the same answers, without a socket."""

    def __init__(self, graph: FakeGraph) -> None:
        self.graph = graph

    async def send(self, number: str, message: Json) -> SendResult:
        mishap = self.graph.mishaps.popleft() if self.graph.mishaps else None
        if mishap is Unreachable.NO_CONNECTION:
            return NotSent("no connection to WhatsApp")
        if mishap is Mishap.NO_ANSWER:
            return Unknown("WhatsApp did not answer")
        if isinstance(mishap, int):
            return _result(400, json.dumps(error(400, mishap)[1]).encode())
        status, answer = self.graph.answer(number, f"Bearer {TOKEN}", json.loads(json.dumps(message)))
        if mishap is Mishap.TAKEN_NO_ANSWER:
            return Unknown("WhatsApp did not answer")
        if mishap is Mishap.ODD_ANSWER:
            answer = {}
        return _result(status, json.dumps(answer).encode())

    async def upload(self, number: str, file: Path | bytes, mimetype: str, name: str) -> UploadResult:
        # That a file was taken without an answer makes no difference to anybody.
        goes_wrong = self.graph.mishaps and self.graph.mishaps[0] is not Mishap.TAKEN_NO_ANSWER
        mishap = self.graph.mishaps.popleft() if goes_wrong else None
        if isinstance(mishap, int):
            return uploaded(400, json.dumps(error(400, mishap)[1]).encode())
        if mishap is not None:
            return NotSent("WhatsApp took no file")
        data = file if isinstance(file, bytes) else file.read_bytes()  # noqa: ASYNC240 - a few bytes
        form = {"messaging_product": "whatsapp", "type": mimetype}
        status, answer = self.graph.files.upload(number, f"Bearer {TOKEN}", form, data)
        return uploaded(status, json.dumps(answer).encode())

    async def fetch(self, medium: Medium, into: Path, most: int) -> Outcome:
        mishap = self.graph.mishaps.popleft() if self.graph.mishaps else None
        if mishap is not None:
            return NotNow("WhatsApp did not answer")
        files, opens = self.graph.files, f"Bearer {TOKEN}"
        status, described = files.describe(medium.id, medium.number, opens, "")
        if status != 200:
            return _refused(status, described)
        _, data = files.hand_out(described["url"].rpartition("/")[2], opens)
        if len(data) > most:
            return too_large(most)
        if base64.b64encode(hashlib.sha256(data).digest()).decode() != medium.sha256:
            return NOT_THE_FILE
        into.write_bytes(data)  # noqa: ASYNC240 - a few bytes
        return Fetched(len(data)) if is_what_it_says(medium.mime, data[:64]) else NOT_WHAT_IT_SAYS

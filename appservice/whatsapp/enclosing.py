"""A copy of a document on its way to a telephone: on record, then at WhatsApp, and only then shown (D5)."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from appservice.documents.handout import Enclosures, Handout
from appservice.ports import ServiceDatabase
from bridges.whatsapp.api import UploadResult
from policies.case import Case
from policies.documents.carrying import Enclose
from policies.documents.recordings import is_voice
from policies.message import File
from policies.networks.capabilities import VOICE
from rooms.outcome import Cancelled, Parked, TakenOver
from rooms.queue import Item, State


class Uploads(Protocol):
    """Takes files to the network, as `bridges.whatsapp.api.CloudApi` does."""

    async def upload(self, number: str, file: Path | bytes, mimetype: str, name: str) -> UploadResult:
        """Take one there. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the upload of a copy."""

    result: UploadResult
    made: Handout


class WhatsAppEnclosures:
    """Makes copies, and takes them to WhatsApp."""

    def __init__(self, database: ServiceDatabase, network: Uploads, enclosures: Enclosures) -> None:
        self._database, self._network, self._enclosures = database, network, enclosures

    async def taken(
        self, item: Item, case: Case, enclose: Enclose, number: str, at: datetime
    ) -> Taken | Parked | Cancelled | TakenOver:
        """The copy at WhatsApp, if it may still leave; that shows it to nobody yet. What is tried again is another
        copy, and on record again. Raises Trouble."""
        async with self._enclosures.made(case, enclose, at) as made:
            async with self._database.begin() as work:
                now = await work.outbox.get(item.id, lock=True)
                if now is None or now.state is not State.READY or now.sending != item.sending:
                    return TakenOver()
                kept_back = await self._enclosures.noted(work, item, enclose, made, at)
            if kept_back:
                return kept_back
            return Taken(await self._network.upload(number, made.path, made.mimetype, made.name), made)

    async def spoken(self, number: str, data: bytes) -> UploadResult:
        """A voice message at WhatsApp; that plays it to nobody yet."""
        return await self._network.upload(number, data, VOICE, "voice.ogg")


def recorded(content: object) -> bytes | None:
    """The bytes of a voice message that goes with a letter."""
    if not isinstance(content, File) or not is_voice(content.mime):
        return None
    data = json.loads(content.ref).get("data")
    return base64.b64decode(data) if isinstance(data, str) else None

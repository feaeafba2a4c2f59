"""A copy of a document on its way to a telephone: on record, then at WhatsApp, and only then shown (D5)."""

from __future__ import annotations

import base64
import json
from dataclasses import field
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from appservice.documents.handout import Enclosures, Handout
from appservice.ports import ServiceDatabase
from bridges.whatsapp.api import UploadResult
from policies.case import Case
from policies.documents.carrying import Enclose
from policies.documents.recordings import is_film, is_voice
from policies.frozen import frozen
from policies.message import File
from policies.networks.capabilities import VOICE
from rooms.outcome import Cancelled, Parked, TakenOver
from rooms.queue import Item, State

_FILM: Final = "video/mp4"


class Uploads(Protocol):
    """Takes files to the network, as `bridges.whatsapp.api.CloudApi` does."""

    async def upload(self, number: str, file: Path | bytes, mimetype: str, name: str) -> UploadResult:
        """Take one there. Raises OSError."""


@frozen
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

    async def played(self, number: str, recording: Recording) -> UploadResult:
        """A voice message or a film at WhatsApp; that plays it to nobody yet."""
        return await self._network.upload(number, recording.data, recording.mimetype, recording.name)


@frozen
class Recording:
    """A voice message or a film that goes with a letter."""

    data: bytes = field(repr=False)
    mimetype: str
    name: str

    @property
    def is_film(self) -> bool:
        """Whether there is something to see."""
        return self.mimetype == _FILM


def recorded(content: object) -> Recording | None:
    """The bytes of what goes with a letter and is played."""
    if not isinstance(content, File) or not (is_voice(content.mime) or is_film(content.mime)):
        return None
    data = json.loads(content.ref).get("data")
    if not isinstance(data, str):
        return None
    mimetype, name = (VOICE, "voice.ogg") if is_voice(content.mime) else (_FILM, "film.mp4")
    return Recording(base64.b64decode(data), mimetype, name)

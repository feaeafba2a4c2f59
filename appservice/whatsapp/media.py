"""Files that people send by WhatsApp: named by a webhook, and fetched by that name for the vault."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from bridges.whatsapp.incoming import Incoming, Shared
from bridges.whatsapp.media import Fetched, Medium, NotNow, Outcome, Wrong
from policies.documents.files import file_name
from policies.documents.filing import Refused
from policies.message import File, FileRef
from policies.words.phrase import stored
from rooms.homeserver import Trouble


class Fetches(Protocol):
    """Fetches files from the network, as `bridges.whatsapp.api.CloudApi` does."""

    async def fetch(self, medium: Medium, into: Path, most: int) -> Outcome:
        """Fetch one."""


def file_of(incoming: Incoming, shared: Shared) -> File:
    """What somebody sent, by the name under which it can be fetched; its size isn't known yet."""
    ref = {"abroad": shared.medium, "number": incoming.number, "mime": shared.mime, "sha256": shared.sha256}
    return File(file_name(shared.name or _name(shared)), shared.mime, 0, FileRef(json.dumps(ref)), shared.caption)


class WhatsAppFiles:
    """`appservice.documents.intake.Abroad`."""

    def __init__(self, network: Fetches, most_bytes: int) -> None:
        self._network, self._most = network, most_bytes

    async def fetch(self, ref: Mapping[str, Any], into: Path) -> Refused | None:
        """See `Abroad`."""
        medium = Medium(ref["abroad"], ref["number"], ref["mime"], ref["sha256"])
        match await self._network.fetch(medium, into, self._most):
            case Fetched():
                return None
            case Wrong(why):
                return Refused(stored(why))
            case NotNow(why):
                raise Trouble(why, transient=True)


def _name(shared: Shared) -> str:
    """What a file is called that has no name: pictures and recordings have none."""
    plain = shared.mime.partition(";")[0].strip().lower()
    return f"{shared.what.removeprefix('a ')}{_ENDS.get(plain, '')}"


_ENDS: Final = {
    "audio/aac": ".aac",
    "audio/amr": ".amr",
    "audio/mp4": ".m4a",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "video/3gpp": ".3gp",
    "video/mp4": ".mp4",
}
"""Of what WhatsApp carries without a name (Cloud API, supported media types)."""

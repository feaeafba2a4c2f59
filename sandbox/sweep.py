"""Every surface of a world where words could show up that do not belong there, and the search over all of them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.client import Client
from sandbox.mail import MailboxItem
from sandbox.whatsapp.telephone import Bubble


@dataclass(frozen=True, slots=True)
class Surface:
    """A text that somebody can read. `place` is the room id, the reply address or our number; None is nobody's room."""

    name: str
    place: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Secret:
    """Words that belong to some places and to no other."""

    words: str
    places: frozenset[str]


def leaks(surfaces: Sequence[Surface], secrets: Iterable[Secret]) -> list[str]:
    """Where a secret stands that it should not; and each secret that stands nowhere, for then nothing was shown."""
    found: list[str] = []
    for secret in secrets:
        seen = [surface for surface in surfaces if secret.words in surface.text]
        if not any(surface.place in secret.places for surface in seen):
            found.append(f"“{secret.words}” did not even arrive where it belongs")
        found += [f"“{secret.words}” in {s.name}" for s in seen if s.place is None or s.place not in secret.places]
    return found


async def of_client(name: str, client: Client) -> list[Surface]:
    """All that a client shows its user, room by room."""
    surfaces = []
    for room in await client.rooms():
        shown = [json.dumps([e.content, e.sender], ensure_ascii=False) for e in await client.timeline(room.room_id)]
        surfaces.append(Surface(f"{room.name}, as {name} sees it", room.room_id, "\n".join([room.name, *shown])))
    return surfaces


def of_mail(owner: str, mail: MailboxItem) -> Surface:
    """One mail: its headers and its words, decoded."""
    headers = "\n".join(f"{name}: {value}" for name, value in mail.message.items())
    return Surface(f"mail {mail.number} to {owner}", mail.reply_address, f"{headers}\n{mail.text}")


def of_chat(owner: str, bubble: Bubble) -> Surface:
    """One message on a telephone; its place is the number of ours that the chat is with."""
    return Surface(f"a message on {owner}'s telephone", bubble.chat, bubble.text)


def of_folder(folder: Path) -> list[Surface]:
    """Every file below a folder, as bytes: logs, databases, stored media, configuration."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    # Byte for byte: characters outside ASCII would have to be looked for in UTF-8, so secrets are plain ASCII.
    return [Surface(str(path.relative_to(folder)), None, path.read_bytes().decode("latin-1")) for path in files]

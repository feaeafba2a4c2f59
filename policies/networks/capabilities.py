"""What each network outside of Matrix carries, as data (B3): for what sends, and for what tells what is not sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Final

from policies.case import Network
from policies.documents.files import Kind
from policies.frozen import frozen

VOICE: Final = "audio/ogg; codecs=opus"
"""The one form in which telephones and Matrix clients record voice messages."""
FILM: Final = "video/mp4; codecs=avc1"
"""The form of film that telephones record and play: H.264, with AAC or no sound. Only what was seen to be one is called
so."""
_MEGABYTE: Final = 1_000_000
_ALL: Final = tuple(kind for kind in Kind if kind is not Kind.OTHER)
"""But what was not examined."""


@frozen
class Capabilities:
    """What one message can hold."""

    text: int | None = None
    """The most characters of one text, in UTF-16 units; what is longer goes in several. None: as many as there are."""
    caption: int = 0
    """The same for what stands below a file."""
    reactions: bool = False
    """Whether a mediator's reaction goes to whoever wrote the message over that network (`networks.reactions`)."""
    voice: int = 0
    """The most bytes of a voice message (`VOICE`)."""
    film: int = 0
    """The same of a film (`FILM`)."""
    files: Mapping[Kind, int] = field(default_factory=dict)
    """The most bytes of a document of each kind; others don't go there."""


CAPABILITIES: Final[Mapping[Network, Capabilities]] = MappingProxyType(
    {
        # Many mailboxes take no more.
        Network.EMAIL: Capabilities(files=MappingProxyType(dict.fromkeys(_ALL, 10 * _MEGABYTE))),
        # Cloud API, Graph v26.0: text messages; media messages; supported media types.
        Network.WHATSAPP: Capabilities(
            text=4_096,
            caption=1_024,
            reactions=True,
            voice=16 * _MEGABYTE,
            film=16 * _MEGABYTE,
            files=MappingProxyType(
                {
                    **dict.fromkeys((Kind.JPEG, Kind.PNG), 5 * _MEGABYTE),
                    **dict.fromkeys((Kind.PDF, Kind.TEXT, Kind.DOCX, Kind.XLSX, Kind.PPTX), 100 * _MEGABYTE),
                }
            ),
        ),
    }
)
"""Of each network."""

"""A document that goes with a mail: the file itself, and what is said beside it."""

from __future__ import annotations

import asyncio
from typing import Final

from appservice.documents.handout import Handout
from bridges.email.convert_out import Attached
from policies.case import Network
from policies.networks.capabilities import CAPABILITIES
from rooms.homeserver import Trouble

_MOST: Final = 2 * max(CAPABILITIES[Network.EMAIL].files.values())
"""Bytes; a mark makes a copy larger."""


async def attached(made: Handout) -> Attached:
    """What is attached; whole in memory, so not of any size. Raises Trouble."""
    if made.size > _MOST:
        raise Trouble("their copy is too large for a mail", transient=False)
    return Attached(made.name, made.mimetype, await asyncio.to_thread(made.path.read_bytes))

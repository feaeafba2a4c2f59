"""Which lines somebody was sent by mail from which room: keyed hashes, beside what was said where (`rooms.echoes`)."""

from __future__ import annotations

from bridges.email.subtraction import sent_lines
from policies.case import CaseId, Conversation, PersonId
from rooms.echoes import Echoes


async def remember_lines(echoes: Echoes, case: CaseId, to: PersonId, where: Conversation, text: str) -> None:
    """A mail with this text leaves for somebody."""
    await echoes.note(case, where.id, {_gram(to, line) for line in sent_lines(text)})


async def known_lines(echoes: Echoes, case: CaseId, to: PersonId, where: Conversation, text: str) -> frozenset[str]:
    """Those of the lines of a text that somebody was sent from that room."""
    lines = {_gram(to, line): line for line in sent_lines(text)}
    found = await echoes.where(case, lines)
    return frozenset(lines[gram] for gram, places in found.items() if where.id in places)


def _gram(to: PersonId, line: str) -> str:
    return f"m:{to}:{line}"

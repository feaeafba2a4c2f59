"""What a mediator is told of elsewhere: that a desk has news, and when (M11)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from policies.case import DESK, PersonId
from policies.effects import Decision, Tell

NOTICE_EVERY: Final = timedelta(minutes=15)
"""What comes within this time is one notice, at its end."""
NOTICE_FAILED: Final = "notice-failed"
"""The rule by which the desk is told that a notice was not sent: nobody is noticed of that."""
_OWN_DOING: Final = frozenset({"command", "refused", "misunderstood", "taken-back", NOTICE_FAILED})


def is_news(decision: Decision, by: PersonId | None) -> bool:
    """Whether the desk is told something that no mediator brought about."""
    told = any(isinstance(effect, Tell) and effect.conversation == DESK for effect in decision.effects)
    own_doing = decision.case.is_staff(by) if by else decision.rule in _OWN_DOING
    return told and not own_doing


def notice_due(at: datetime) -> datetime:
    """The end of this quarter of an hour."""
    every = NOTICE_EVERY.total_seconds()
    return datetime.fromtimestamp((at.timestamp() // every + 1) * every, UTC)

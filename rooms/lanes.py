"""Lanes of the outbox beside that of a person: into a room, and to a stranger."""

from __future__ import annotations

from policies.case import Case, Conversation
from policies.plan import room_key
from policies.stranger import StrangerId
from rooms.ports import Lane

_STRANGER = "stranger:"


def room_lane(case: Case, conversation: Conversation) -> Lane:
    """Into the room of a conversation."""
    return Lane(f"room:{case.id}:{room_key(conversation)}")


def stranger_lane(stranger: StrangerId) -> Lane:
    """To somebody who takes part in no case."""
    return Lane(f"{_STRANGER}{stranger}")


def stranger_of(lane: Lane) -> StrangerId | None:
    """For whom such a lane is; None for every other one."""
    return StrangerId(lane.removeprefix(_STRANGER)) if lane.startswith(_STRANGER) else None

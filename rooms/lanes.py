"""The lanes of the queues: of a case, into a room, to a person or a stranger; and what items wait for."""

from __future__ import annotations

from policies.case import Case, CaseId, Conversation, PersonId
from policies.people.stranger import StrangerId
from policies.plan import RoomKey, room_key
from rooms.ids import UserId
from rooms.queue import Lane

_STRANGER = "stranger:"
_IDENTITY = "identity:"


def case_lane(case: CaseId) -> Lane:
    """Everything that happens in a case, one after another."""
    return Lane(f"case:{case}")


def person_lane(case: CaseId, person: PersonId) -> Lane:
    """Everything that goes to somebody's channel outside Matrix, one after another."""
    return Lane(f"person:{case}:{person}")


def room_lane(case: Case, conversation: Conversation) -> Lane:
    """Into the room of a conversation."""
    return into_room(case.id, conversation)


def into_room(case: CaseId, conversation: Conversation) -> Lane:
    """The same, by the case's number."""
    return key_lane(case, room_key(conversation))


def key_lane(case: CaseId, key: RoomKey) -> Lane:
    """The same, by the room's key: also one that serves no conversation."""
    return Lane(f"room:{case}:{key}")


def stranger_lane(stranger: StrangerId) -> Lane:
    """To somebody who takes part in no case."""
    return Lane(f"{_STRANGER}{stranger}")


def stranger_of(lane: Lane) -> StrangerId | None:
    """For whom such a lane is; None for every other one."""
    return StrangerId(lane.removeprefix(_STRANGER)) if lane.startswith(_STRANGER) else None


def identity_wait_key(user: UserId) -> str:
    """What deliveries wait for until a mediator has confirmed somebody's new encryption identity."""
    return f"{_IDENTITY}{user}"


def awaited_identity(wait_key: str) -> UserId | None:
    """Whose new identity is to be confirmed before whatever waits for that goes on; None if it waits for no such."""
    return UserId(wait_key.removeprefix(_IDENTITY)) if wait_key.startswith(_IDENTITY) else None


def confirm_wait_key(case: CaseId) -> str:
    """What mails wait for until a mediator has confirmed a case that came out of a backup."""
    return f"confirm:{case}"

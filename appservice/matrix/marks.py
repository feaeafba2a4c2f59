"""Between what became of a message and the content of Matrix events, by the name that clients of bridges know."""

from __future__ import annotations

from typing import Final, assert_never

from appservice.matrix.ids import EventId, JsonObject
from policies.networks.states import MessageState
from rooms.marks import Marked

TYPE: Final = "com.beeper.message_send_status"


def mark(marked: Marked, event: EventId | None) -> JsonObject:
    """The content of the event about that one."""
    relation = {"m.relates_to": {"rel_type": "m.reference", "event_id": event}}
    match marked.state:
        case MessageState.SENT:
            return {**relation, "status": "SUCCESS", "delivered_to_users": []}
        case MessageState.DELIVERED:
            return {**relation, "status": "SUCCESS", "delivered_to_users": [marked.reader]}
        case MessageState.UNKNOWN:
            return {**relation, "status": "PENDING"}
        case MessageState.FAILED:
            return {**relation, "status": "FAIL_PERMANENT", "reason": "m.foreign_network_error"}
        case _:
            assert_never(marked.state)

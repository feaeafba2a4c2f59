"""Between polls and the content of Matrix events (MSC3381), by the names that clients use today, which are unstable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from appservice.matrix.ids import EventId, JsonObject, is_identifier
from policies.frozen import frozen
from policies.questions.poll import Ballot

START: Final = "org.matrix.msc3381.poll.start"
END: Final = "org.matrix.msc3381.poll.end"
RESPONSES: Final = frozenset({"org.matrix.msc3381.poll.response", "m.poll.response"})
_TEXT: Final = "org.matrix.msc1767.text"
_ANSWERS_MOST: Final = 20
"""As many as a poll may have."""


@frozen
class Response:
    """A vote as it came: what was chosen, and in which poll, by its event."""

    answers: tuple[str, ...]
    poll: EventId | None


def start(ballot: Ballot, below: EventId | None) -> JsonObject:
    """The content of the event that begins a poll, as an answer to the question's words.

    Disclosed, for whoever reads the room sees the votes anyway. Clients without polls show the text.
    """
    text = f"Write “yes {ballot.code}” or “no {ballot.code}”, or vote where polls are shown.\n{ballot.question}"
    relation = {"m.relates_to": {"m.in_reply_to": {"event_id": below}}} if below else {}
    return {
        START: {
            "kind": "org.matrix.msc3381.poll.disclosed",
            "max_selections": 1,
            "question": {_TEXT: ballot.question, "body": ballot.question, "msgtype": "m.text"},
            "answers": [{"id": name, _TEXT: words} for name, words in ballot.answers],
        },
        _TEXT: text,
        "m.mentions": {},
        **relation,
    }


def end(code: str, poll: EventId | None) -> JsonObject:
    """The content of the event that ends a poll."""
    relation = {"rel_type": "m.reference", "event_id": poll}
    return {END: {}, _TEXT: f"The question {code} is closed.", "m.relates_to": relation}


def read_response(event_type: str, content: Mapping[str, Any]) -> Response | None:
    """The vote that an event is; None for every other event.

    `content` is what was encrypted: of a relation that stands beside the ciphertext only, its homeserver could have
    made another. Two lists of answers that differ are none.
    """
    if event_type not in RESPONSES:
        return None
    blocks = (_mapping(content.get(name)).get("answers") for name in sorted(RESPONSES))
    lists = [found for found in (*blocks, content.get("m.selections")) if found is not None]
    chosen = lists[0] if lists and all(other == lists[0] for other in lists) else []
    answers = [one if isinstance(one, str) else "" for one in chosen] if isinstance(chosen, list) else []
    relation = _mapping(content.get("m.relates_to"))
    poll = relation.get("event_id") if relation.get("rel_type") == "m.reference" else None
    return Response(tuple(answers[:_ANSWERS_MOST]), EventId(poll) if is_identifier(poll) else None)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}

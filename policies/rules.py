"""Rules that no homeserver enforces: what breaks one is taken away after the fact, and on record as seen (M7).

Only what was posted in Matrix: what comes by another network is kept back before anybody has it. Mediators are exempt.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from policies.case import JOINT, Case
from policies.message import Edit, File, Message
from policies.outcome import Facts

EDIT_WINDOW = timedelta(minutes=15)
"""So long words in the joint room may be changed: later, others have answered them."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A broken rule. `why` reads after “because”, `remedy` is for the author."""

    rule: str
    why: str
    remedy: str


def breach(case: Case, message: Message, facts: Facts) -> Breach | None:
    """The rule that a message breaks, if it breaks one."""
    if not message.native or case.is_staff(message.author):
        return None
    if message.in_clear:
        remedy = "Write again with a client that encrypts. Whoever runs the server may have read it."
        return Breach("in-clear", "it was sent without encryption", remedy)
    if message.conversation != JOINT:
        return None
    if message.in_membership:
        remedy = "Names here are the mediator’s. What you want to say, say in your private room."
        return Breach("words-in-membership", "names, pictures and reasons carry no words in the joint room", remedy)
    if isinstance(message.content, File):
        remedy = (
            "Put it into your private room, and ask the mediator. Whoever was quick has it, and it lies on the server."
        )
        return Breach("joint-file", "files don’t belong into the joint room", remedy)
    if isinstance(message.content, Edit) and facts.edited_at and message.at - facts.edited_at > EDIT_WINDOW:
        remedy = "Write anew what you want to say now. What you wrote first stands again."
        return Breach("late-edit", f"it changes something older than {EDIT_WINDOW.seconds // 60} minutes", remedy)
    return None

"""Rules that no homeserver enforces: what breaks one is taken away after the fact, and on record as seen (M7).

Only what was posted in Matrix: what comes by another network is kept back before anybody has it. Mediators are exempt.
Two of the rules can be tried out (`moderation.rulebook`): then what breaks one goes its way, and the desk is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from policies.case import DESK, JOINT, Case, Person
from policies.effects import Decision, Tell
from policies.frozen import frozen
from policies.message import Edit, File, Message
from policies.moderation.rulebook import Trial
from policies.outcome import Facts
from policies.plan import desk_label
from policies.words.phrase import Phrase, phrase

TRIALS: Mapping[Trial, str] = MappingProxyType(
    {
        Trial.LATE_EDIT: "a change of words in the joint room that is made too late is taken away",
        Trial.JOINT_FILE: "a file in the joint room is taken away",
    }
)
FIXED = (
    "Always in force: what is sent without encryption is taken away, and so are words in names, pictures and reasons in"
    " the joint room. Who has not accepted the agreement, and whose turn it is not, is kept back.",
)
"""What keeps words private, or can't be told from our own, is never tried out."""


@frozen
class Breach:
    """A broken rule. `why` reads after “because”, `remedy` is for the author."""

    rule: str
    why: Phrase
    remedy: Phrase

    def is_tried_out(self, case: Case) -> bool:
        """Whether the desk is told of it, and nothing else follows."""
        return self.rule in case.rules.dry


def breach(case: Case, message: Message, facts: Facts) -> Breach | None:
    """The rule that a message breaks, if it breaks one."""
    if not message.native or case.is_staff(message.author):
        return None
    if message.in_clear:
        remedy = phrase("Write again with a client that encrypts. Whoever runs the server may have read it.")
        return Breach("in-clear", phrase("it was sent without encryption"), remedy)
    if message.conversation != JOINT:
        return None
    if message.in_membership:
        remedy = phrase("Names here are the mediator’s. What you want to say, say in your private room.")
        why = phrase("names, pictures and reasons carry no words in the joint room")
        return Breach("words-in-membership", why, remedy)
    if isinstance(message.content, File):
        remedy = phrase(
            "Put it into your private room, and ask the mediator. Whoever was quick has it, and it lies on the server."
        )
        return Breach(Trial.JOINT_FILE, phrase("files don’t belong into the joint room"), remedy)
    if isinstance(message.content, Edit) and facts.edited_at and message.at - facts.edited_at > case.rules.edit_window:
        remedy = phrase("Write anew what you want to say now. What you wrote first stands again.")
        why = phrase("it changes something older than {minutes} minutes", minutes=case.rules.edit_minutes)
        return Breach(Trial.LATE_EDIT, why, remedy)
    return None


def tried_out(decision: Decision, message: Message, author: Person, broken: Breach) -> Decision:
    """It goes its way, by all the other rules; the desk learns what would have become of it, and nobody else."""
    where = desk_label(message.conversation, decision.case)
    text = (
        f"Tried out, {broken.rule}: what {author.name} did in {where} would have been taken away, because {broken.why}."
        f" !rules {broken.rule} on has that done from now on."
    )
    reason = f"{decision.reason}; by {broken.rule}, which is tried out, it would have been taken away"
    return replace(decision, effects=(*decision.effects, Tell(DESK, text)), reason=reason)

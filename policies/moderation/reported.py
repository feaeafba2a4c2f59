"""A report that somebody made in their client: it went to the homeserver, and comes to the desk from there (M10)."""

from __future__ import annotations

from policies.case import DESK, Case, Conversation, Person
from policies.effects import Decision, Tell
from policies.plan import desk_label
from policies.words.text import clean, marked

_MOST = 500
"""Signs of a reason that are shown."""


def decide_reported(case: Case, where: Conversation, by: Person | None, of: Person | None, reason: str) -> Decision:
    """The mediators look at it, and nobody else hears of it. `by` is who reported, `of` whose message it is, as far as
    they take part. The homeserver says so: nothing proves it (I4)."""
    who = by.name if by else "somebody who takes no part in this case"
    whose = f"a message of {of.name}" if of else "a message"
    lines = [
        f"REPORT: {who} reported {whose} in {desk_label(where, case)}, with their client. Whoever runs the homeserver"
        f" sees that, and could have made it up: ask {who if by else 'before you act on it'}."
    ]
    if said := clean(reason).strip()[:_MOST]:
        lines += ["The reason that came with it:", *marked(said)]
    return Decision(case, (Tell(DESK, "\n".join(lines)),), "reported", "somebody reported a message with their client")

"""What an administrator does to a case by the command line or the API: said at its desk, and on record, with what
follows from it (A4).

Whoever has the service's host or the token of its API acts in the organisation's name, and takes part in no case. That
is no mediator's act, and must not look like one.
"""

from __future__ import annotations

from typing import Final

from policies.case import DESK, Case
from policies.effects import Decision, Tell
from policies.words.text import marked, one_line

SHOWN: Final = 300
"""Characters of what was given: the answer beside it says what became of it."""
RULE: Final = "from-outside"


def decide_outside(case: Case, line: str) -> Decision:
    """Before it takes effect, and in the same unit of work: also where it is refused, or changes nothing."""
    what = "\n".join(marked(one_line(line, SHOWN)))
    text = (
        f"BY AN ADMINISTRATOR, not by a mediator: this was given through the command line or the API:\n{what}\n"
        "Ask your administrator who that was, and why, if you don't know."
    )
    reason = f"through the command line or the API: {one_line(line, SHOWN)}"
    return Decision(case, (Tell(DESK, text),), RULE, reason)


def decide_judged(case: Case, name: str, *, same: bool) -> Decision:
    """An administrator has said whether emoji were the same: by that, somebody's keys are believed."""
    how = "the same, so their keys are believed to be theirs" if same else "different, so nothing is believed"
    text = f"BY AN ADMINISTRATOR: the emoji of {name} and of this service were compared, and said to be {how}."
    return Decision(case, (Tell(DESK, text),), RULE, f"the emoji of {name} were said to be {how}")

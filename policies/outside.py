"""What an administrator does to a case by the command line, the API or the configuration: said at its desk, and on
record, with what follows from it (A4).

Whoever has the service's host or the token of its API acts in the organisation's name, and takes part in no case. That
is no mediator's act, and must not look like one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from policies.case import DESK, Case
from policies.effects import Decision, Tell
from policies.words.text import marked, one_line

SHOWN: Final = 300
"""Characters of what was given: the answer beside it says what became of it."""
RULE: Final = "from-outside"
_CONFIGURED: Final = "BY AN ADMINISTRATOR, not by a mediator: by the service's configuration"
_ASK: Final = "Ask your administrator who that was, and why, if you don't know."


def decide_outside(case: Case, line: str) -> Decision:
    """Before it takes effect, and in the same unit of work: also where it is refused, or changes nothing."""
    what = "\n".join(marked(one_line(line, SHOWN)))
    text = (
        f"BY AN ADMINISTRATOR, not by a mediator: this was given through the command line or the API:\n{what}\n{_ASK}"
    )
    reason = f"through the command line or the API: {one_line(line, SHOWN)}"
    return Decision(case, (Tell(DESK, text),), RULE, reason)


def decide_judged(case: Case, name: str, *, same: bool) -> Decision:
    """An administrator has said whether emoji were the same: by that, somebody's keys are believed."""
    how = "the same, so their keys are believed to be theirs" if same else "different, so nothing is believed"
    text = f"BY AN ADMINISTRATOR: the emoji of {name} and of this service were compared, and said to be {how}."
    return Decision(case, (Tell(DESK, text),), RULE, f"the emoji of {name} were said to be {how}")


def with_successor(case: Case, named: tuple[str, str] | None) -> Case:
    """The case of which the desk was told whom the organisation named (name and Matrix id)."""
    return replace(case, successor=named[1] if named else None)


def decide_successor(case: Case, named: tuple[str, str] | None) -> Decision:
    """The service has started, and may be configured to let another one in when no mediator is left at the desk: the
    desk learns that now, and not only when they come (R12)."""
    after = with_successor(case, named)
    if after == case:
        return Decision(case, (), RULE, "the desk was told who comes in when no mediator is left")
    before = case.successor or "nobody"
    reason = f"by the configuration {successor_text(named)}; the desk was told of {before} before"
    text = f"{_CONFIGURED} {successor_text(named)}. So far you were told of {before}. {_ASK}"
    return Decision(after, (Tell(DESK, text),), RULE, reason)


def successor_text(named: tuple[str, str] | None) -> str:
    """Who comes in, in the middle of a sentence."""
    who = f"{named[0]} ({named[1]}) comes in as the mediator" if named else "nobody comes in"
    return f"{who} when no mediator is left at this desk"


def manned_text(come: Iterable[str], gone: Iterable[str]) -> str:
    """What a desk of the organisation's own is told of whom its configuration brings there, and takes away."""
    news = [
        *(f"{name} reads here from now on" for name in come),
        *(f"{name} reads here no more" for name in gone),
    ]
    return f"{_CONFIGURED} {', and '.join(news)}. {_ASK}"

"""Mediators are asked at the desk before an act of theirs that can't be taken back (M8)."""

from __future__ import annotations

from policies.case import DESK, Case
from policies.effects import Effect
from policies.outcome import Done, Facts, Outcome, Refused
from policies.questions.ask import Act
from policies.questions.asking import put


def confirm(case: Case, act: Act, line: str, facts: Facts, *first: Effect, words: str = "") -> Outcome:
    """Ask whoever gave the command. `line` is the command, as the asked person sees it; `first` and `words` show what
    would happen."""
    if facts.by is None:
        return Refused("Nobody is there to be asked", "Say it at the desk")
    case, ask, alarm = put(case, act, facts.by, DESK, facts)
    shown = f"{words}\n" if words else ""
    return Done(
        case,
        f"{shown}{line}: say “yes {ask.code}” within 15 minutes and it is done.",
        (*first, alarm),
    )

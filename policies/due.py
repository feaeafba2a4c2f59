"""What follows from it being so late: what was scheduled, and has not been overtaken, happens now."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from policies.case import Case
from policies.effects import Decision
from policies.outcome import Facts


class Due(StrEnum):
    """What can be due in a case."""

    ASK = "ask"
    """A question may be answered no longer."""


def due_key(what: Due, of: str = "") -> str:
    """The key of a Schedule: what is due, and of what."""
    return f"{what}:{of}"


def decide_due(case: Case, key: str, facts: Facts) -> Decision:
    """What follows from the time that was scheduled under that key; `facts.at` is not before it.

    What has been decided otherwise meanwhile stays so: each arm looks at the case, never at what was meant then.
    """
    what, _, of = key.partition(":")
    match what:
        case Due.ASK:
            return _ask_expired(case, of, facts)
        case _:
            return Decision(case, (), "overtaken", "nothing waits for that time any more")


def _ask_expired(case: Case, code: str, facts: Facts) -> Decision:
    open_still = tuple(a for a in case.asks if a.code != code or a.expires > facts.at)
    return Decision(replace(case, asks=open_still), (), "ask-expired", "its time is up")

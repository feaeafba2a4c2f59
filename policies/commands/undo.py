"""Taking back the latest act of a mediator in one step, or saying why that can't be (M8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from policies.case import Case
from policies.commands.form import Form
from policies.outcome import Facts, Outcome, Refused
from policies.undo import described, taken_back

AT_ONCE = timedelta(hours=1)
"""So long one's own act needs no number: later, or if it was somebody else's, one may mean another."""


@dataclass(frozen=True, slots=True)
class Undo:
    """Take back what was done last; `entry` names it by its number on record."""

    entry: int | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """A new act, which can itself be taken back."""
        deed = case.deed
        if deed is None:
            return Refused("Nothing was done that could be taken back", "!log shows what is on record")
        latest = f"What was done last is {described(case, deed)}"
        if self.entry is not None and self.entry != deed.entry:
            return Refused(f"Only what was done last can be taken back. {latest}", f"!undo {deed.entry} is that")
        own = deed.by == facts.by and facts.at - deed.at <= AT_ONCE
        if self.entry is None and not own:
            return Refused(latest, f"If you mean that: !undo {deed.entry}")
        return taken_back(case, deed, facts)


def _read(words: list[str]) -> Undo | str:
    match words:
        case []:
            return Undo()
        case [number] if number.isdecimal():
            return Undo(int(number))
        case _:
            return "Say which entry of !log, by its number, or nothing"


FORMS: tuple[Form[Undo], ...] = (
    Form(
        "undo",
        "!undo [ENTRY]",
        "takes back what was done last, if that is possible, or says why not and what to do",
        "!undo",
        _read,
    ),
)

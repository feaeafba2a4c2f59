"""A command is tried out: the desk is shown what would follow, and nothing is done (M8)."""

from __future__ import annotations

from policies.case import Case
from policies.commands.form import Form
from policies.frozen import frozen
from policies.outcome import Facts, Outcome, Refused

_EXAMPLE = "!dry party remove Carl"


@frozen
class DryRun:
    """What follows from that line, were it said at this desk; `policies.acts` has what becomes of it."""

    line: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Only where there is a desk that can be shown it."""
        return Refused("Only a command at the desk of a case can be tried out", f"For example: {_EXAMPLE}")


def _read(words: list[str]) -> DryRun | str:
    return DryRun(" ".join(words)) if words else "Say which command, without its “!”"


FORMS: tuple[Form[DryRun], ...] = (
    Form(
        "dry",
        "!dry COMMAND",
        "what would follow from a command, and from a yes to what it asks: who would read what, who would be told"
        " what. Nothing is done",
        _EXAMPLE,
        _read,
        triage=True,
        mediators=True,
    ),
)

"""What waits for a mediator: what is held, and what could not be delivered."""

from __future__ import annotations

from dataclasses import dataclass

from policies import effects
from policies.case import Case
from policies.commands.form import Form
from policies.outcome import Done, Facts, Outcome


@dataclass(frozen=True, slots=True)
class ShowHeld:
    """List what is held, or show one held message."""

    item: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing."""
        return Done(case, "", (effects.ShowHeld(self.item),))


@dataclass(frozen=True, slots=True)
class ShowDead:
    """List what could not be delivered; `retry` or `discard` one of them."""

    act: str = "list"
    item: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """The outbox does it."""
        return Done(case, "", (effects.DeadLetters(self.act, self.item),))


def _dead(words: list[str]) -> ShowDead | str:
    match [word.lower() for word in words]:
        case []:
            return ShowDead()
        case ["retry" | "discard" as act, item]:
            return ShowDead(act, item)
        case _:
            return "Say retry or discard, and the number from the list"


WaitingCommand = ShowHeld | ShowDead

FORMS: tuple[Form[WaitingCommand], ...] = (
    Form(
        "held",
        "!held [NUMBER]",
        "what is held, or one held message",
        "!held 1",
        lambda words: ShowHeld(words[0] if words else None),
    ),
    Form("dead", "!dead [retry|discard NUMBER]", "what could not be delivered", "!dead retry 1", _dead),
)

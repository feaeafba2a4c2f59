"""Cases as a whole, from outside of any: open one, list one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.case import Case
from policies.commands.form import Form
from policies.frozen import frozen
from policies.outcome import Facts, Outcome, Refused

if TYPE_CHECKING:
    from policies.commands.vocabulary import Command

_ELSEWHERE = Refused("That is said in the direct chat with me, not at a case's desk", "Write it to me there")


@frozen
class NewCase:
    """Open a case. `steps` are carried out in it at once: a case file is one NewCase with steps."""

    title: str
    steps: tuple[Command, ...] = ()

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Not within a case: `acts.create` does it."""
        return _ELSEWHERE


@frozen
class ListCases:
    """The mediator's cases (outside of a case)."""

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Not within a case: the direct chat knows them all."""
        return _ELSEWHERE


def _new(words: list[str]) -> NewCase | str:
    title = " ".join(words)
    return NewCase(title) if title else "The case needs a title"


OpeningCommand = NewCase | ListCases

FORMS: tuple[Form[OpeningCommand], ...] = (
    Form(
        "case new",
        "!case new TITLE",
        "opens a case and its desk",
        "!case new Smith and Jones",
        _new,
        lobby=True,
        desk=False,
    ),
    Form("case list", "!case list", "your cases", "!case list", lambda _: ListCases(), lobby=True, desk=False),
)

"""The sides of a case: make one, list them, find the one that is meant."""

from __future__ import annotations

from dataclasses import replace

from policies.case import Case, Side, SideId
from policies.commands.form import Form
from policies.frozen import frozen
from policies.outcome import Done, Facts, Outcome, Refused
from policies.status import sides_text
from policies.words.text import name_problem, skeleton


@frozen
class AddSide:
    """A side, still without people."""

    name: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """The side stands, unless its name can't be used."""
        return add_side(case, self.name)


@frozen
class ListSides:
    """Show the sides and who is on them."""

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing."""
        return Done(case, sides_text(case))


def add_side(case: Case, name: str) -> Outcome:
    """The case with one more side, the last of `sides`."""
    wrong = name_problem(name)
    if wrong:
        return Refused(f"A side can't be called that: {wrong}", "For example: !side add Jones family")
    if any(skeleton(s.name) == skeleton(name) for s in case.sides):
        return Refused(f"There is a side {name} already", "!side list shows them")
    number = case.made + 1
    side = Side(SideId(f"s{number}"), name)
    return Done(
        replace(case, sides=(*case.sides, side), made=number), f"The side {name} stands, with a caucus of its own."
    )


def side_for(case: Case, name: str) -> tuple[Case, SideId] | Refused:
    """The side of that name, made if there is none yet."""
    side = next((s for s in case.sides if skeleton(s.name) == skeleton(name)), None)
    if side:
        return case, side.id
    made = add_side(case, name)
    if isinstance(made, Refused):
        return made
    return made.case, made.case.sides[-1].id


def some_side(case: Case) -> str:
    """A side's name, for an example."""
    return case.sides[0].name if case.sides else "Jones"


SideCommand = AddSide | ListSides

FORMS: tuple[Form[SideCommand], ...] = (
    Form(
        "side add",
        "!side add NAME",
        "a side, still without people",
        "!side add Jones family",
        lambda words: AddSide(" ".join(words)) if words else "The side needs a name",
    ),
    Form(
        "side list",
        "!side list",
        "the sides and who is on them",
        "!side list",
        lambda _: ListSides(),
        alone="side",
    ),
)

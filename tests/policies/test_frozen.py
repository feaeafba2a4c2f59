"""Values of ours are frozen dataclasses in all but what they cost."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from pathlib import Path

import pytest

from appservice.crypto.signing import CrossSigningSeeds
from policies.frozen import frozen

_PRODUCT = ("appservice", "bridges", "catalogue", "policies", "rooms")


@frozen
class Ours:
    """A value."""

    name: str
    many: tuple[int, ...] = ()
    hidden: str = field(default="", repr=False)


@frozen
class Below(Ours):
    """One that has more."""

    more: int = 0


@dataclass(frozen=True, slots=True)
class _Theirs:
    name: str
    many: tuple[int, ...] = ()
    hidden: str = field(default="", repr=False)


@pytest.mark.parametrize(
    "change",
    [
        lambda value: setattr(value, "name", "Bea"),
        lambda value: setattr(value, "another", "Bea"),
        lambda value: delattr(value, "name"),
    ],
)
@pytest.mark.parametrize("value", [Ours("Alice"), Below("Alice"), _Theirs("Alice")])
def test_nothing_of_a_value_changes(value: Ours | _Theirs, change: Callable[[object], None]) -> None:
    with pytest.raises((FrozenInstanceError, TypeError)):
        change(value)
    assert value == type(value)("Alice")


def test_it_refuses_in_the_same_words() -> None:
    said = []
    for value in (Ours("Alice"), _Theirs("Alice")):
        with pytest.raises(FrozenInstanceError) as refused:
            value.name = "Bea"  # type: ignore[misc]
        said.append(str(refused.value))
    assert said[0] == said[1] == "cannot assign to field 'name'"


def test_it_shows_itself_as_any_dataclass_does_without_what_is_hidden() -> None:
    ours, theirs = (repr(kind("Alice", (1, 2), "a secret")) for kind in (Ours, _Theirs))
    assert ours.removeprefix("Ours") == theirs.removeprefix("_Theirs") == "(name='Alice', many=(1, 2))"
    assert repr(Below("Alice", more=3)) == "Below(name='Alice', many=(), more=3)"


def test_what_says_itself_how_it_is_shown_is_shown_so() -> None:
    assert repr(CrossSigningSeeds(b"one", b"two", b"three")) == "CrossSigningSeeds(…)"


def test_it_is_compared_copied_and_taken_apart_by_its_fields() -> None:
    one = Ours("Alice", (1, 2))
    assert one == Ours("Alice", (1, 2)) != replace(one, name="Bea")
    assert {one: "found"}[Ours("Alice", (1, 2))] == "found"
    assert copy.deepcopy(one) == pickle.loads(pickle.dumps(one)) == one
    assert [each.name for each in fields(Below)] == ["name", "many", "hidden", "more"]
    assert not hasattr(one, "__dict__")
    match one:
        case Ours(name, many):
            assert (name, many) == ("Alice", (1, 2))


def test_every_value_of_ours_is_made_so() -> None:
    files = [file for package in _PRODUCT for file in Path(package).rglob("*.py")]
    assert len(files) > 300
    assert [file for file in files if "@dataclass(frozen=True, slots=True)\n" in file.read_text()] == []

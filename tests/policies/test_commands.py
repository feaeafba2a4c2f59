"""Commands are understood as people type them, and a near miss is answered with a line that works."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.case import Network, Role, Sort
from policies.commands.channels import RecordConsent
from policies.commands.form import Misunderstood
from policies.commands.hold import ShowHeld
from policies.commands.opening import ListCases, NewCase
from policies.commands.people import AddPerson, RemovePerson
from policies.commands.session import OpenJoint, Repair, ShowStatus
from policies.commands.sides import AddSide, ListSides
from policies.commands.vocabulary import FORMS, Command, GiveAnswer, Help, help_text, is_command, parse
from policies.commands.waiting import ShowDead

MATRIX, EMAIL = Network.MATRIX, Network.EMAIL


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("!case new Smith and Jones", NewCase("Smith and Jones")),
        ("!case list", ListCases()),
        ("!party add Alice @alice:example.org", AddPerson("Alice", MATRIX, "@alice:example.org")),
        ("  !PARTY Add Carl  carl@example.org ", AddPerson("Carl", EMAIL, "carl@example.org")),
        ('!party add "Carl Jones" carl@example.org', AddPerson("Carl Jones", EMAIL, "carl@example.org")),
        (
            "!party add Bob B @b:x as counsel on Smith family",
            AddPerson("Bob B", MATRIX, "@b:x", Role.COUNSEL, "Smith family"),
        ),
        (
            "!party add Bob @b:x on Smith family as counsel",
            AddPerson("Bob", MATRIX, "@b:x", Role.COUNSEL, "Smith family"),
        ),
        ("!party remove Carl Jones", RemovePerson("Carl Jones")),
        ("!mediator add Ines @ines:x", AddPerson("Ines", MATRIX, "@ines:x", Role.CO_MEDIATOR)),
        ("!side add Jones family", AddSide("Jones family")),
        ("!side list", ListSides()),
        ("!side", ListSides()),
        ("!consent Carl: by telephone: all of it", RecordConsent("Carl", "by telephone: all of it")),
        ("!open", OpenJoint()),
        ("!status", ShowStatus()),
        ("!repair", Repair()),
        ("!held", ShowHeld()),
        ("!held 2", ShowHeld("2")),
        ("!dead", ShowDead()),
        ("!dead Retry 1", ShowDead("retry", "1")),
        ("!resend 1", ShowDead("retry", "1")),
        ("!help party add", Help("party add")),
        ("yes 4f2a", GiveAnswer("4F2A", True)),
        ("YES: 4F2A", GiveAnswer("4F2A", True)),
    ],
)
def test_a_line_gives_its_command(text: str, command: Command) -> None:
    assert parse(text) == command
    assert is_command(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("!opne", "!open"),
        ("!party ad Carl carl@example.org", "!party add"),
        ("!party", "!party add"),
        ("!partyadd Carl", "!party add"),
        ("!sttus", "!status"),
        ("!consent Carl", "!consent Carl:"),
        ("!party add Carl", "!party add"),
        ("!party add carl@example.org", "!party add"),
        ("!party add Carl c@x.org as judge", "party, counsel"),
        ("!dead raise 1", "!dead retry 1"),
        ("!case new", "!case new Smith and Jones"),
        ("!identity", "!identity Alice"),
        ("!confirm Alice", "!confirm Alice:"),
    ],
)
def test_a_near_miss_is_answered_with_what_may_be_meant(text: str, meant: str) -> None:
    answer = parse(text)
    assert isinstance(answer, Misunderstood)
    assert meant in str(answer)


def test_nonsense_is_sent_to_the_list() -> None:
    assert "!help" in str(parse("!xyzzy"))
    assert "!help" in str(parse("!"))


@given(st.text(max_size=60))
def test_nothing_that_is_typed_raises(text: str) -> None:
    for line in (text, f"!{text}", f"!party add {text}", f"!consent {text}", f"yes {text}", f"!dead {text}"):
        parse(line)
        is_command(line)


@pytest.mark.parametrize("usage", FORMS.values(), ids=FORMS)
def test_every_example_of_the_help_works(usage: object) -> None:
    example: str = usage.example  # type: ignore[attr-defined]
    assert not isinstance(parse(example), Misunderstood)
    assert is_command(example)


@pytest.mark.parametrize("text", ["yes", "Yes, of course", "yes we can do that", "I say yes 4F2A", "hello !open"])
def test_ordinary_words_are_no_command(text: str) -> None:
    assert not is_command(text)


def test_the_help_shows_what_can_be_said_where_it_is_asked() -> None:
    assert "!party add" not in help_text(None, at=None)
    assert "!case new" in help_text(None, at=None)
    assert "!party add" in help_text(None, at=Sort.CASE)
    assert "For example: !party add Carl carl@example.org" in help_text("!party add", at=Sort.CASE)
    assert help_text("no such thing", at=Sort.CASE) == help_text(None, at=Sort.CASE)

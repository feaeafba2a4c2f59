"""What the handbook and the parties' guides say can be said, can be said; and every command is in them."""

import re
from pathlib import Path

import pytest

from policies.commands.form import Form, Misunderstood
from policies.commands.vocabulary import FORMS, Command, parse
from policies.networks.whatsapp import HELP, START, STOP

DOCS = Path(__file__).parents[1] / "docs"
GUIDES = sorted((DOCS / "guides").glob("*.md"))
PAGE = 60
"""Lines of at most 150 signs on one printed page, tables and empty lines among them."""
MISTAKEN = "!opne"
"""Which the handbook shows as a mistake."""


def quoted(text: str) -> list[str]:
    """What stands in code, over the end of a line, too, or as what somebody writes."""
    code = (one for paragraph in text.split("\n\n") for one in re.findall(r"`([^`]+)`", paragraph))
    return [*(" ".join(one.split()) for one in code), *re.findall(r"^> (![^\n]+)", text, re.MULTILINE)]


def commands(text: str) -> list[str]:
    return [one for one in quoted(text) if one.startswith("!") and one != MISTAKEN]


def form_of(line: str) -> Form[Command] | None:
    words = line.removeprefix("!").replace(":", " :").lower().split()
    for length in (2, 1):
        if (form := FORMS.get(" ".join(words[:length]))) is not None:
            return form
    return next((form for form in FORMS.values() if form.alone and [form.alone] == words), None)


def is_an_example(line: str) -> bool:
    """Something that can be typed as it stands, and is understood. Words in capitals stand for others."""
    return not re.search(r"\b[A-Z]{4,}\b", line) and not isinstance(parse(line), Misunderstood)


@pytest.mark.parametrize("name", FORMS)
def test_the_handbook_has_an_example_of_every_command(name: str) -> None:
    lines = commands((DOCS / "mediator.md").read_text())
    assert [line for line in lines if form_of(line) is FORMS[name] and is_an_example(line)]


@pytest.mark.parametrize("name", [name for name, form in FORMS.items() if form.party])
def test_the_parties_page_has_an_example_of_every_command_of_theirs(name: str) -> None:
    lines = commands((DOCS / "party.md").read_text())
    assert [line for line in lines if form_of(line) is FORMS[name] and is_an_example(line)]


@pytest.mark.parametrize("path", [DOCS / "mediator.md", DOCS / "party.md", *GUIDES], ids=lambda path: path.name)
def test_whatever_stands_there_as_a_command_is_one(path: Path) -> None:
    """As it stands, or the name of one, or its beginning where a word stands for another."""
    for line in commands(path.read_text()):
        named = line.removeprefix("!").rstrip(": ").lower()
        assert form_of(line) or any(name.startswith(named) for name in FORMS), line
        is_name = any(named in (name, name.split()[0]) for name in FORMS) or line.endswith(":")
        assert is_name or re.search(r"\b[A-Z]{4,}\b", line) or is_an_example(line), line


def test_there_is_a_guide_for_each_channel() -> None:
    assert [path.stem for path in GUIDES] == ["element", "link", "mail", "whatsapp"]


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_a_guide_is_one_page_of_what_a_party_can_say(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= PAGE
    assert max(len(line) for line in text.splitlines()) <= 150 + len("(../party.md#by-mail-with-the-words-in-it)")
    for line in commands(text):
        form = form_of(line)
        assert form is not None, line
        assert form.party, line
    for word in ("!pause", "!withdraw", "!report: what happened", "!help" if path.stem != "whatsapp" else "HELP"):
        assert word in quoted(text)
    assert "telephone" in text


def test_what_whatsapps_guide_says_stops_and_starts_does() -> None:
    words = [word.casefold() for word in quoted((DOCS / "guides" / "whatsapp.md").read_text())]
    assert [bool(known & set(words)) for known in (STOP, START, HELP)] == [True, True, True]


def test_a_command_that_nobody_wrote_about_would_be_seen() -> None:
    assert form_of("!no such") is None
    assert not is_an_example("!mode sideways")
    assert not is_an_example("!doc keep D3: REASON")
    assert not is_an_example("!broadcast: WORDS")

"""What is left of a mail without the lines that we sent."""

import pytest

from bridges.email.convert_in import read_mail
from bridges.email.incoming import Clean, Reading, Unsafe
from bridges.email.reply import read_reply
from bridges.email.subtraction import sent_lines
from tests.bridges.email.builders import ADDRESS, CLIENTS, ROOM, mail, sent

OURS = sent("The offer: 4,000 at once.\nWould you call before Friday?")


def reading(text: str, known: bool = True) -> Reading:
    lines = sent_lines(OURS) if known else frozenset[str]()
    return read_reply(read_mail(mail(text), null_sender=False), ADDRESS, ROOM.name, lines)


@pytest.mark.parametrize(
    "text",
    [
        "No.\n\n> | The offer: 4,000 at once.\n>\n> | Would you call before Friday?",
        f"No.\n\nAm 05.01.26 um 10:00 schrieb {ROOM.name}:\n> | Would you call before Friday?\n\n-- \nCarl",
        f"No.\n\nOn Mon, 5 Jan 2026, {ROOM.name} <\n{ADDRESS}> wrote:\n\n> Mediator M wrote\n> | The offer: 4,000"
        " at once.",
    ],
)
def test_a_quote_cut_down_to_lines_of_ours_is_cut_off(text: str) -> None:
    assert reading(text) == Clean("No.")
    assert isinstance(reading(text, known=False), Unsafe)


@pytest.mark.parametrize(
    "text",
    [
        "No.\n\n> | The offer: 9,000 at once.",
        "No.\n\n> | The offer: 4,000 at once.\n\nThat is too little.",
        "> | The offer: 4,000 at once.\n\nNo.",
        "No.\n\nPani Ewa pisze:\n> | The offer: 4,000 at once.",
    ],
)
def test_what_is_not_surely_a_quote_of_ours_at_the_end_goes_on_being_a_doubt(text: str) -> None:
    assert isinstance(reading(text), Unsafe)


def test_words_that_repeat_what_we_sent_are_words() -> None:
    assert reading("The offer: 4,000 at once.\nI take it.") == Clean("The offer: 4,000 at once.\nI take it.")


@pytest.mark.parametrize("client", CLIENTS)
def test_of_an_answer_within_the_quote_its_words_are_put_to_its_author(client: str) -> None:
    lines = CLIENTS[client]("See below.", OURS).split("\n")
    place = next(i for i, line in enumerate(lines) if "The offer" in line) + 1
    found = reading("\n".join([*lines[:place], "", "No, I want 4,500.", "", *lines[place:]]))
    assert isinstance(found, Unsafe)
    assert found.own is not None
    assert [line for line in found.own.splitlines() if line.strip()][:2] == ["See below.", "No, I want 4,500."]
    assert "The offer" not in found.own
    assert ADDRESS not in found.own


@pytest.mark.parametrize("line", ["---------- Forwarded message ---------", "Begin forwarded message:"])
def test_of_a_forwarded_mail_nothing_is_its_senders_but_what_stands_above(line: str) -> None:
    found = reading(f"See this.\n\n{line}\nFrom: Bea <b@example.com>\n\nsecret")
    assert isinstance(found, Unsafe)
    assert found.own == "See this."


def test_what_went_to_others_as_well_is_put_to_nobody() -> None:
    found = read_reply(read_mail(mail("Hello", "Cc: bea@example.com"), null_sender=False), ADDRESS, ROOM.name)
    assert isinstance(found, Unsafe)
    assert found.own is None

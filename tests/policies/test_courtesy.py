"""Courtesy is no quote; whatever else stands in a mail is looked at as before."""

import pytest

from policies.case import ConversationId
from policies.moderation.guard import grams, repeats
from policies.words.courtesy import PHRASES, without_closing

OWN = ConversationId("caucus-s2")
CLOSINGS = (
    "Mit freundlichen Grüßen\nCarl Carlsen\nGarten- und Landschaftsbau Carlsen GmbH\nTel.: +49 30 1234567",
    "Kind regards,\nCarl Carlsen",
    "Regards, Carl Maria Carlsen",
    "Cordialement\n\nCarl Carlsen\nMobile 06 12 34 56 78",
    "Atentamente,\ncarl",
    "Thank you very much!\nCarl\nSent from my iPhone",
)


def is_held(private: str, joint: str) -> bool:
    return repeats(joint, dict.fromkeys(grams(private), frozenset({OWN})), {OWN})


@pytest.mark.parametrize("closing", CLOSINGS)
def test_who_closes_every_mail_alike_repeats_nothing(closing: str) -> None:
    private = f"At the very worst I would take 7,900 from them.\n\n{closing}"
    assert not is_held(private, f"I want to think until Friday.\n\n{closing}")
    assert not is_held(private, f"No.\n{closing}\n")
    assert without_closing(f"No.\n{closing}\n") == "No."
    assert is_held(private, f"At the very worst I would take less.\n\n{closing}")


@pytest.mark.parametrize("phrase", PHRASES)
def test_what_everybody_writes_is_no_quote(phrase: str) -> None:
    assert not is_held(f"{phrase}. He knows nothing of the well.", f"{phrase.upper()}! And yes.")


@pytest.mark.parametrize(
    "end",
    [
        "Regards to you from the hidden well",
        "Kind regards\nhe knows nothing of the well",
        "Kind regards\nCarl\n7.900.000",
        "Kind regards\nCarl\nTel. 7.900.000",
        "Kind regards\nCarl\n> He knows nothing",
        "Kind regards\nHe knows nothing of the well",
        "Kind regards\nA\nB\nC\nD\nE",
        "Thanks to the hidden well",
    ],
)
def test_nothing_hides_behind_a_formula(end: str) -> None:
    assert without_closing(f"No.\n{end}") == f"No.\n{end}"


def test_only_the_end_of_a_mail_is_its_closing() -> None:
    text = "Thank you\nfor the call. At the very worst I take 7,900.\nOr a little less than that."
    assert without_closing(text) == text
    assert without_closing("") == ""
    assert without_closing("Kind regards\nCarl") == ""

"""A phrase is said in the language of its reader, with everything that is in it."""

from dataclasses import asdict
from datetime import UTC, datetime

import pytest

from catalogue import day, entries, said
from policies.message import Text
from policies.words.language import Language
from policies.words.phrase import Phrase, phrase, plural, together, verbatim, when

AT = datetime(2026, 3, 4, 17, 5, tzinfo=UTC)
BERLIN = "Europe/Berlin"
EN, DE, ES, FR = Language.ENGLISH, Language.GERMAN, Language.SPANISH, Language.FRENCH
WROTE = "wrote"


def test_a_phrase_is_its_english() -> None:
    text = phrase("*{author}* {did}:", author="Mia", did=phrase(WROTE))
    assert text == "*Mia* wrote:"
    assert said(text, EN) == text


def test_what_is_filled_in_is_said_in_the_same_language() -> None:
    text = phrase("*{author}* {did}:", author="Mia", did=phrase(WROTE))
    assert [said(text, one) for one in (DE, ES, FR)] == ["*Mia* schrieb:", "*Mia* escribió:", "*Mia* a écrit :"]


def test_what_somebody_wrote_stays_as_it_is_whatever_stands_in_it() -> None:
    words = "wrote {author} {0} {__class__}"
    assert said(phrase("*{author}* {did}:", author=words, did=words), DE) == f"*{words}* {words}:"
    assert said(verbatim(words), DE) == words
    assert said(words, DE) == words


def test_several_are_put_together_and_the_empty_ones_left_out() -> None:
    assert said(together([phrase(WROTE), "", "x"], by="/"), DE) == "schrieb/x"


def test_what_is_not_in_the_catalogue_is_said_in_english() -> None:
    unknown = "there is no such {thing}"
    assert said(phrase(unknown, thing="x"), DE) == "there is no such x"
    assert said(plural("{number} such thing", "{number} such things", 2), FR) == "2 such things"


def test_what_is_joined_to_a_phrase_is_none_any_more() -> None:
    assert not isinstance(phrase(WROTE) + "!", Phrase)
    assert not isinstance(f"{phrase(WROTE)}", Phrase)


@pytest.mark.parametrize(
    ("language", "short", "long"),
    [
        (EN, "2026-03-04 18:05 (Berlin, UTC+1)", "4 March 2026, 18:05 (Berlin, UTC+1)"),
        (DE, "04.03.2026, 18:05 (Berlin, UTC+1)", "4. März 2026, 18:05 (Berlin, UTC+1)"),
        (ES, "04/03/2026, 18:05 (Berlin, UTC+1)", "4 de marzo de 2026, 18:05 (Berlin, UTC+1)"),
        (FR, "04/03/2026, 18:05 (Berlin, UTC+1)", "4 mars 2026, 18:05 (Berlin, UTC+1)"),
    ],
)
def test_a_moment_is_written_as_its_reader_writes_it(language: Language, short: str, long: str) -> None:
    assert said(when(AT, BERLIN), language) == short
    assert day(AT, BERLIN, language) == long


def test_every_language_but_english_has_a_file() -> None:
    assert all(len(entries(language)) for language in Language if language is not EN)


def test_what_holds_a_phrase_can_be_taken_apart_as_the_record_does() -> None:
    assert asdict(Text(phrase(WROTE))) == {"body": WROTE}

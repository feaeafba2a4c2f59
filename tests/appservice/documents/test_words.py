"""What becomes of a file is stored so that it can be said in any language, whatever is filled in."""

import pytest

from appservice.documents.intake import FILING
from appservice.documents.pipeline.kinds.made import Change, Reason
from catalogue import said
from policies.documents.document import BlobId, Kept
from policies.documents.files import Kind
from policies.documents.filing import Filing, Passed, Refused
from policies.words.language import Language
from policies.words.phrase import Phrase, phrase
from tests.policies.builders import both_sides, caucus_of, named

CASE = both_sides()
ALICE, HERS = named(CASE, "Alice").id, caucus_of(CASE, "Smith")


@pytest.mark.parametrize(
    "why", [*(reason.value for reason in Reason), phrase("A file has at most {most} MB.", most=20)]
)
@pytest.mark.parametrize("language", [language for language in Language if language is not Language.ENGLISH])
def test_why_a_file_is_refused_is_said_in_every_language_when_it_comes_back_out_of_the_inbox(
    why: Phrase, language: Language
) -> None:
    filing = Filing(None, ALICE, HERS, HERS, "a.pdf", Refused(why))
    [stored] = [FILING.load(FILING.dump(filing)).result]
    assert isinstance(stored, Refused)
    assert str(stored.why) == str(why)
    assert said(stored.why, language) == said(why, language) != str(why)


@pytest.mark.parametrize("change", Change)
def test_what_was_taken_out_of_it_is_too_and_so_is_that_a_mediator_let_it_out(change: Change) -> None:
    kept = Kept(BlobId("b"), "a1" * 32, 9)
    note = phrase(
        "It was refused ({why}) {mediator} had it kept as it was sent, not made harmless: {reason}",
        why=Reason.PAGES.value,
        mediator="Mia",
        reason="I know it",
    )
    result = Passed(Kind.PDF, Kind.PDF.mimetype, kept, kept, 1, (change.value, note))
    read = FILING.load(FILING.dump(Filing(None, ALICE, HERS, HERS, "a.pdf", result))).result
    assert isinstance(read, Passed)
    for before, after in zip(result.changes, read.changes, strict=True):
        assert said(before, Language.GERMAN) == said(after, Language.GERMAN) != str(before)
    assert "Mia" in said(read.changes[1], Language.GERMAN)
    assert said(Reason.PAGES.value, Language.GERMAN) in said(read.changes[1], Language.GERMAN)

"""Looking at a document: counted once, asked for each page, over at once when it is taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from policies.case import Case, PersonId
from policies.documents.document import Action, BlobId, Consent, Document, DocumentId, Grant, Kept, Label, Version
from policies.documents.files import Kind
from policies.documents.rights import Denied, Wish, revoked
from policies.documents.viewing import LOOKING_LASTS, opened, page_shown, visible
from tests.policies.builders import both_sides, caucus_of, named

AT = datetime(2026, 1, 5, 10, tzinfo=UTC)
CASE = both_sides()
CARL = named(CASE, "Carl").id
ALICE = named(CASE, "Alice").id
KEPT = Kept(BlobId("b1"), "a" * 64, 1000)
MARK = "K7Q2AB"


def document(home: str = "Smith", label: Label = Label.CONSENT, most: int | None = None) -> Document:
    """Three pages of Alice's side, granted to Carl so many times, and agreed to."""
    version = Version(1, label, Kind.PDF, "application/pdf", AT, KEPT, KEPT, pages=3)
    grant = Grant(1, CARL, Action.VIEW, ALICE, AT, most=most)
    consent = Consent(KEPT.sha256, CARL, Action.VIEW, AT, "encrypted")
    return Document(
        DocumentId("D1"), ALICE, caucus_of(CASE, home), "plan.pdf", (version,), (grant,), consents=(consent,)
    )


def wish(person: PersonId = CARL, *, at: datetime = AT) -> Wish:
    """To look at version 1."""
    return Wish(person, Action.VIEW, 1, at)


def look(paper: Document, *, at: datetime = AT, mark: str = MARK, case: Case = CASE) -> Document:
    """Carl opens it."""
    after = opened(case, paper, wish(at=at), mark)
    assert isinstance(after, Document)
    return after


def page(paper: Document, number: int, *, at: datetime = AT, mark: str = MARK) -> Document | Denied:
    """Carl asks for a page."""
    return page_shown(CASE, paper, wish(at=at), mark, number)


def test_an_opening_is_counted_once_and_each_page_is_written_down_once() -> None:
    paper = look(document())
    for number in (1, 2, 2, 1):
        after = page(paper, number)
        assert isinstance(after, Document)
        paper = after
    assert [(s.person, s.pages) for s in paper.servings] == [(CARL, (1, 2))]
    assert paper.grants[0].opened == 1
    assert look(paper, at=AT + timedelta(minutes=5)) == paper


def test_a_grant_for_one_opening_lasts_for_this_opening_and_not_for_another() -> None:
    paper = look(document(most=1))
    assert isinstance(page(paper, 3), Document)
    assert isinstance(opened(CASE, paper, wish(), "OTHER1"), Denied)
    late = AT + LOOKING_LASTS
    assert isinstance(page(paper, 3, at=late), Denied)
    assert isinstance(opened(CASE, paper, wish(at=late), MARK), Denied)


def test_what_was_not_opened_has_no_pages_and_those_opened_no_more_than_there_are() -> None:
    assert isinstance(page(document(), 1), Denied)
    paper = look(document())
    assert isinstance(page(paper, 1, mark="OTHER1"), Denied)
    for number in (0, 4, -1):
        assert isinstance(page(paper, number), Denied)


def test_taken_back_is_over_at_once_also_what_is_open() -> None:
    paper = revoked(look(document()), 1, frozenset({CARL}), AT)
    assert isinstance(page(paper, 1), Denied)
    assert isinstance(opened(CASE, paper, wish(), MARK), Denied)
    stricter = look(document())
    stricter = stricter.with_version(replace(stricter.newest, label=Label.CAUCUS))
    assert isinstance(page(stricter, 1), Denied)


def test_one_sees_of_each_document_the_newest_version_that_is_theirs_to_see() -> None:
    paper = document()
    newer = paper.with_version(replace(paper.newest, number=2, served=replace(KEPT, sha256="b" * 64)))
    case = CASE.with_document(newer)
    assert [(d.id, v.number) for d, v in visible(case, CARL, AT)] == [("D1", 1)]
    assert [(d.id, v.number) for d, v in visible(case, ALICE, AT)] == [("D1", 2)]
    assert not visible(CASE.with_document(replace(paper, grants=())), CARL, AT)

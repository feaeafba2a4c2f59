"""A redacted version is wished for by who may give the document away, is as strict as its source, and known to nobody
else."""

from dataclasses import replace
from typing import Any

import pytest

from policies import routing
from policies.case import DESK, JOINT, Case
from policies.commands import vocabulary
from policies.commands.redacting import RedactDocument
from policies.documents.carrying import Cover
from policies.documents.document import Action, Area, BlobId, Document, DocumentId, Kept, Label
from policies.documents.files import Kind
from policies.documents.filing import Passed, Refused, Waits
from policies.documents.redaction import Redaction, decide_redacted
from policies.documents.rights import Allowed, Wish, may, relabelled
from policies.effects import Decision, Inform, Tell
from policies.message import Text
from policies.words.phrase import verbatim
from tests.policies.builders import AT, facts, message, named, of_kind
from tests.policies.test_document_commands import CASE, HERS, document, says

BLACK = Kept(BlobId("b3"), "c3" * 32, 900)
COMMAND = "!doc redact D1 “Alice Smith” 2:10,20-60,28.5"


def wished(decision: Decision) -> Cover:
    [wish] = of_kind(Cover, decision.effects)
    return wish


def made(case: Case, wish: Cover, result: Passed | Refused | Waits | None = None) -> Decision:
    passed = Passed(Kind.PDF, "application/pdf", BLACK, BLACK, 3, ())
    return decide_redacted(case, Redaction(wish, result or passed, 2, (1, 2)), facts(None))


def sees(case: Case, name: str, version: int) -> bool:
    wish = Wish(named(case, name).id, Action.VIEW, version, AT)
    return isinstance(may(case, document(case), wish), Allowed)


@pytest.mark.parametrize(
    ("line", "areas", "words"),
    [
        ("!doc redact D1 “Alice Smith”", (), ("Alice Smith",)),
        ('!doc redact D1 "Alice  Smith" «Bob»', (), ("Alice Smith", "Bob")),
        ("!doc redact d1.2 2:10,20-60,28.5", (Area(2, 100, 200, 600, 285),), ()),
        (COMMAND, (Area(2, 100, 200, 600, 285),), ("Alice Smith",)),
        ("!doc redact D1 1:0,0-100,100 3:5,5-6,6", (Area(1, 0, 0, 1000, 1000), Area(3, 50, 50, 60, 60)), ()),
    ],
)
def test_words_and_places_are_understood(line: str, areas: tuple[Area, ...], words: tuple[str, ...]) -> None:
    command = vocabulary.parse(line)
    assert isinstance(command, RedactDocument)
    assert (command.areas, command.words) == (areas, words)


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "Alice",
        "“”",
        "“ ”",
        "0:1,1-2,2",
        "1:10,10-5,20",
        "1:10,10-20,5",
        "1:10,10-101,20",
        "1:10,10-20",
        "1:a,b-c,d",
        "“Alice” and Bob",
        " ".join(["1:1,1-2,2"] * 51),
        f"“{'x' * 101}”",
    ],
)
def test_what_is_not_understood_is_answered_by_an_example(rest: str) -> None:
    found = vocabulary.parse(f"!doc redact D1 {rest}")
    assert not isinstance(found, RedactDocument)
    assert "!doc redact" in str(found)


@pytest.mark.parametrize(("who", "where"), [("Alice", HERS), ("Mia", DESK)])
def test_its_owner_and_the_mediators_wish_for_one(who: str, where: Any) -> None:
    decision = says(CASE, who, COMMAND, where)
    wish = wished(decision)
    assert (wish.document, wish.version, wish.sha256, wish.by) == (
        "D1",
        1,
        document(CASE).newest.served.sha256,
        named(CASE, who).id,
    )
    assert decision.case.documents == CASE.documents
    # The words that are to be hidden stand in no answer and on no record.
    assert "Smith" not in decision.reason
    assert not any("Alice Smith" in effect.text for effect in decision.effects if isinstance(effect, Tell | Inform))


@pytest.mark.parametrize("who", ["Bob", "Ann"])
def test_nobody_else_does(who: str) -> None:
    where = HERS if who == "Ann" else JOINT
    decision = routing.decide(
        CASE,
        message(CASE, who, where, Text(COMMAND), native=True),
        replace(facts(named(CASE, who).id), where=where),
    )
    assert not of_kind(Cover, decision.effects)


def test_the_redacted_version_is_the_newest_and_seen_by_the_same_people_as_its_source() -> None:
    after = made(CASE, wished(says(CASE, "Alice", COMMAND)))
    version = document(after.case).newest
    assert (version.number, version.served, version.original, version.label) == (2, BLACK, BLACK, Label.CAUCUS)
    for name in ("Alice", "Ann", "Mia", "Bob"):
        assert sees(after.case, name, 2) == sees(after.case, name, 1) == (name != "Bob")


def test_it_is_as_strict_as_its_source_has_become_meanwhile_and_what_was_granted_is_not_granted_for_it() -> None:
    wish = wished(says(CASE, "Alice", COMMAND))
    stricter = CASE.with_document(relabelled(document(CASE), 1, Label.PRIVILEGED, AT))
    after = made(stricter, wish)
    assert document(after.case).newest.label is Label.PRIVILEGED
    assert not sees(after.case, "Mia", 2)
    # The mediators, who may not see it, learn neither its name nor what it is about.
    desk = "\n".join(tell.text for tell in of_kind(Tell, after.effects) if tell.conversation == DESK)
    assert "brief" not in desk
    assert document(after.case).grants == ()


@pytest.mark.parametrize("who", ["Alice", "Mia"])
@pytest.mark.parametrize("result", [Refused(verbatim("No such words.")), Waits(verbatim("Nobody is there."))])
def test_whoever_wished_for_it_is_told_why_there_is_none(who: str, result: Refused | Waits) -> None:
    wish = wished(says(CASE, who, COMMAND, DESK if who == "Mia" else HERS))
    after = made(CASE, wish, result)
    assert after.case == CASE
    [told] = after.effects
    assert isinstance(told, Tell | Inform)
    assert result.why in told.text
    assert (told.conversation == DESK) == (who == "Mia")


def test_of_a_document_that_is_gone_nothing_is_made() -> None:
    wish = wished(says(CASE, "Alice", COMMAND))
    gone: tuple[Document, ...] = ()
    after = made(replace(CASE, documents=gone), wish)
    assert after.case.documents == ()
    assert not of_kind(Cover, after.effects)
    assert after.case.documents == ()


@pytest.mark.parametrize("who", ["Alice", "Mia"])
def test_whoever_wished_for_it_is_told_that_the_document_ended_meanwhile_and_nobody_else_is(who: str) -> None:
    wish = wished(says(CASE, who, COMMAND, DESK if who == "Mia" else HERS))
    ended = CASE.with_document(replace(document(CASE), into=DocumentId("D9")))
    after = made(ended, wish)
    assert after.case == ended
    [told] = after.effects
    assert isinstance(told, Tell | Inform)
    assert told.text.startswith("D1 is not redacted")
    assert "brief" not in told.text
    assert told.conversation == (DESK if who == "Mia" else HERS)
    gone = replace(CASE, people=tuple(p for p in CASE.people if p.name != who), participations=())
    assert made(replace(gone, documents=()), wish).effects == ()

"""A file in a room becomes a document that its own side sees, and nobody else; and what went wrong is said."""

from dataclasses import replace

import pytest

from policies import routing
from policies.case import DESK, JOINT, Case, Conversation
from policies.documents.carrying import Erase
from policies.documents.document import BlobId, DocumentId, Kept, Label
from policies.documents.files import Kind
from policies.documents.filing import Filing, Passed, Refused, Waits, decide_filed
from policies.effects import (
    Announce,
    Decision,
    Effect,
    Explain,
    Hold,
    Inform,
    Ingest,
    Post,
    Publish,
    Redact,
    Relay,
    Tell,
)
from policies.message import File, FileRef, MessageId, SignedDevice, Text, Unproven
from policies.words.phrase import verbatim
from tests.policies.builders import both_sides, caucus_of, facts, message, named, of_kind

CASE = both_sides(
    "!party add Ann ann@example.net as counsel on Smith",
    "!party add Eva @eva:example.org as expert",
)
HERS, HIS = caucus_of(CASE, "Smith"), caucus_of(CASE, "Jones")
FILE = File("../Brief\u202efdp.exe.pdf", "application/pdf", 3, FileRef('{"url": "mxc://example.org/1"}'))
KNOWN = replace(facts(None), documents=True)
PASSED = Passed(
    Kind.PDF,
    "application/pdf",
    Kept(BlobId("b1"), "1" * 64, 1_200_000),
    Kept(BlobId("b2"), "2" * 64, 1_300_000),
    20,
    (verbatim("the author's name was removed"),),
)
OTHER = replace(PASSED, served=Kept(BlobId("b3"), "3" * 64, 5), original=Kept(BlobId("b4"), "4" * 64, 6))
MACRO, FILM = Refused(verbatim("It holds a macro."), harmful=True), Refused(verbatim("It is a film."))


def sent(
    name: str, where: Conversation, case: Case = CASE, *, proven: bool = True, vault: bool = True, file: File = FILE
) -> Decision:
    proof = SignedDevice() if proven else Unproven("a strange device", "verify it")
    known = replace(facts(named(case, name).id), documents=vault, where=where)
    return routing.decide(case, message(case, name, where, file, proof), known)


def filed(
    result: Passed | Refused | Waits = PASSED,
    where: Conversation = HERS,
    home: Conversation = HERS,
    case: Case = CASE,
    *,
    deletes: bool = False,
    words: str = "",
    version_of: DocumentId | None = None,
) -> Decision:
    exposed = frozenset({named(case, "Carl").id}) if where == JOINT else frozenset()
    alice = named(case, "Alice").id
    filing = Filing(MessageId("m1"), alice, where, home, FILE.name, result, exposed, words, version_of=version_of)
    return decide_filed(case, filing, replace(KNOWN, deletes_media=deletes))


def reached(effects: tuple[Effect, ...]) -> set[Conversation]:
    """Every conversation in which something is said or shown."""
    return {e.conversation for e in effects if isinstance(e, Post | Relay | Tell | Explain | Inform | Publish)}


@pytest.mark.parametrize("where", [HERS, JOINT])
def test_a_file_of_a_party_goes_to_the_vault_and_nowhere_else(where: Conversation) -> None:
    decision = sent("Alice", where)
    [ingest] = of_kind(Ingest, decision.effects)
    assert (ingest.message, ingest.home) == (MessageId("m1"), HERS)
    assert reached(decision.effects) <= {HERS, DESK}
    assert not of_kind(Relay, decision.effects)


def test_a_file_in_the_joint_room_is_taken_down_at_once_and_who_may_have_seen_it_is_known() -> None:
    decision = sent("Alice", JOINT)
    assert decision.effects[0] == Redact(JOINT, MessageId("m1"))
    [ingest] = of_kind(Ingest, decision.effects)
    assert {CASE.person(one).name for one in ingest.exposed if CASE.person(one)} == {"Mia", "Carl", "Ann", "Eva"}  # type: ignore[union-attr]
    [told] = of_kind(Explain, decision.effects)
    assert told.conversation == HERS


def test_a_file_in_a_private_room_stays_there_until_it_is_kept() -> None:
    assert not of_kind(Redact, sent("Alice", HERS).effects)


def test_a_file_of_somebody_without_a_private_room_belongs_to_the_desk() -> None:
    [ingest] = of_kind(Ingest, sent("Eva", JOINT).effects)
    assert ingest.home == DESK
    assert reached(sent("Eva", JOINT).effects) == {DESK}


def test_a_mediators_file_at_the_desk_becomes_a_document_too() -> None:
    [ingest] = of_kind(Ingest, sent("Mia", DESK).effects)
    assert ingest.home == DESK


@pytest.mark.parametrize("where", [HERS, JOINT])
def test_a_file_that_is_nobodys_for_sure_is_held(where: Conversation) -> None:
    decision = sent("Alice", where, proven=False)
    assert of_kind(Hold, decision.effects)
    assert not of_kind(Ingest, decision.effects)


def test_without_a_vault_files_stay_as_they_are() -> None:
    assert not of_kind(Ingest, sent("Alice", HERS, vault=False).effects)


def test_what_was_kept_stands_in_its_room_as_a_card_and_the_file_goes() -> None:
    decision = filed()
    [document] = decision.case.documents
    assert (document.id, document.home, document.newest.label) == ("D1", HERS, Label.CAUCUS)
    assert reached(decision.effects) == {HERS, DESK}
    card = next(e.text for e in of_kind(Tell, decision.effects) if e.conversation == HERS)
    assert "D1 “Brieffdp.exe.pdf” (PDF, 20 pages, 1.2 MB)" in card
    assert "Who may view it now: Mia, Alice, Ann." in card
    assert "the author's name was removed" in card
    assert {Redact(HERS, MessageId("m1")), Erase(MessageId("m1"))} <= set(decision.effects)
    assert document.newest.served.sha256 in decision.reason


def test_whoever_reads_a_private_room_by_mail_gets_the_card_too() -> None:
    [told] = of_kind(Inform, filed().effects)
    assert told.to == named(CASE, "Ann").id


@pytest.mark.parametrize("result", [PASSED, MACRO])
def test_words_beside_a_file_stay_in_its_room_and_reach_whoever_reads_that_by_mail(result: Passed | Refused) -> None:
    decision = filed(result, words="I accept only\nMediatrix: clause 3")
    told = of_kind(Tell, decision.effects) + of_kind(Inform, decision.effects)
    with_them = [e for e in told if "\n> I accept only\n> Mediatrix: clause 3" in e.text]
    assert [(type(e), e.conversation) for e in with_them] == [(Announce, HERS), (Inform, HERS)]
    [desk] = [e for e in told if e not in with_them]
    assert desk.conversation == DESK
    assert "clause" not in desk.text
    assert "clause" not in decision.reason


def test_words_beside_a_file_that_is_no_document_stand_there_and_reach_whoever_reads_that_by_mail() -> None:
    effects = filed(FILM, words="clause 3").effects
    assert "clause 3" not in str(of_kind(Tell, effects))
    [told] = of_kind(Inform, effects)
    assert "\n> clause 3" in told.text


def test_words_beside_a_file_that_waits_still_stand_there_and_those_out_of_another_room_are_held() -> None:
    assert "clause 3" not in str(filed(Waits(verbatim("The scanner is down.")), words="clause 3"))
    assert "clause 3" not in str(filed(where=JOINT, words="clause 3").effects)


def test_words_beside_a_file_in_the_joint_room_are_held_and_their_author_is_told() -> None:
    decision = sent("Alice", JOINT, file=replace(FILE, words="I accept only clause 3"))
    [held] = of_kind(Hold, decision.effects)
    assert held.message == MessageId("m1")
    assert "beside it" in of_kind(Explain, decision.effects)[0].text
    assert "!held shows it" in of_kind(Tell, decision.effects)[0].text
    assert "clause" not in str(decision.effects)
    assert not of_kind(Hold, sent("Alice", JOINT).effects)
    assert not of_kind(Hold, sent("Alice", HERS, file=replace(FILE, words="I accept only clause 3")).effects)


def test_the_card_says_what_is_not_deleted() -> None:
    kept, deleted = (str(filed(deletes=d).effects) for d in (False, True))
    assert "stay on the server" in kept
    assert "stay on the server" not in deleted


def test_what_was_taken_out_of_the_joint_room_says_who_may_have_seen_it() -> None:
    decision = filed(where=JOINT)
    assert not of_kind(Redact, decision.effects)
    assert "Perhaps seen before it was taken out: Carl." in str(decision.effects)
    # And the proper way to those for whom it was meant is offered.
    assert "!doc request D1 download" in str(decision.effects)
    assert "!doc request D1" not in str(filed().effects)
    assert reached(decision.effects) == {HERS, DESK}


def test_another_file_of_the_same_name_is_another_document_with_a_name_of_its_own() -> None:
    again = filed(OTHER, case=filed().case)
    assert [(d.id, d.name, len(d.versions)) for d in again.case.documents] == [
        ("D1", "Brieffdp.exe.pdf", 1),
        ("D2", "Brieffdp.exe (2).pdf", 1),
    ]
    assert "!doc version D2 of D1" in str(again.effects)
    third = filed(replace(OTHER, original=Kept(BlobId("b6"), "6" * 64, 5)), case=again.case)
    assert third.case.documents[2].name == "Brieffdp.exe (3).pdf"


@pytest.mark.parametrize("label", [Label.PRIVILEGED, Label.MEDIATORS])
def test_a_namesake_begins_as_strict_as_what_it_may_be_meant_for(label: Label) -> None:
    case = filed().case
    former = case.documents[0]
    strict = case.with_document(former.with_version(replace(former.newest, label=label)))
    assert filed(OTHER, case=strict).case.documents[1].newest.label is label


def test_the_very_same_file_is_the_document_that_it_was() -> None:
    again = filed(case=filed().case)
    assert again.case == filed().case
    assert {Redact(HERS, MessageId("m1")), Erase(MessageId("m1"))} <= set(again.effects)
    assert "is kept already" in str(of_kind(Inform, again.effects))
    elsewhere = filed(where=JOINT, home=DESK, case=filed().case)
    assert len(elsewhere.case.documents) == 2
    [exposed] = filed(where=JOINT, case=filed().case).case.documents
    assert exposed.exposed == {named(CASE, "Carl").id}


def test_a_file_that_its_owner_calls_a_new_version_is_one_which_nobody_was_granted() -> None:
    again = filed(OTHER, case=filed().case, version_of=DocumentId("D1"))
    [document] = again.case.documents
    assert [v.number for v in document.versions] == [1, 2]
    assert document.version(1) == filed().case.documents[0].newest
    # Of somebody else's, or in another room, it is a document of its own.
    assert len(filed(OTHER, home=DESK, case=filed().case, version_of=DocumentId("D1")).case.documents) == 2


@pytest.mark.parametrize("result", [PASSED, OTHER, MACRO, FILM, Waits(verbatim("The scanner is down."))])
@pytest.mark.parametrize(
    ("label", "who_learns_its_name"),
    [(Label.PRIVILEGED, {"Ann"}), (Label.MEDIATORS, {DESK}), (Label.CAUCUS, {HERS, DESK, "Ann"})],
)
def test_a_namesake_is_named_to_those_alone_who_may_see_the_former(
    result: Passed | Refused | Waits, label: Label, who_learns_its_name: set[object]
) -> None:
    case = filed().case
    former = case.documents[0]
    decision = filed(result, case=case.with_document(former.with_version(replace(former.newest, label=label))))
    told = of_kind(Tell, decision.effects) + of_kind(Inform, decision.effects)
    reached = {(e.conversation if isinstance(e, Tell) else "Ann"): e.text for e in told}
    assert set(reached) == {HERS, DESK, "Ann"}
    assert {who for who, text in reached.items() if "Brieffdp" in text} == who_learns_its_name
    changes = {who for who, text in reached.items() if "the author's name was removed" in text}
    assert changes == (who_learns_its_name if isinstance(result, Passed) else set())


@pytest.mark.parametrize("where", [HERS, JOINT])
def test_what_does_harm_goes_and_its_owner_learns_why(where: Conversation) -> None:
    decision = filed(MACRO, where)
    assert decision.case == CASE
    gone = {Redact(HERS, MessageId("m1")), Erase(MessageId("m1"))}
    assert set(decision.effects) & gone == {e for e in gone if where == HERS or isinstance(e, Erase)}
    assert not of_kind(Hold, decision.effects)
    assert "It holds a macro." in str(of_kind(Tell, decision.effects))


def test_what_is_no_document_stays_in_its_private_room_and_everybody_learns_who_has_it() -> None:
    decision = filed(FILM)
    assert decision.case == CASE
    assert {type(e) for e in decision.effects} == {Announce, Tell, Inform}
    texts = [e.text for e in of_kind(Tell, decision.effects) + of_kind(Inform, decision.effects)]
    assert len(texts) == 3
    stays = f"is not kept as a document. It is a film. The message with it stays in PRIVATE with mediator · {CASE.id}"
    assert all(f"{stays}. Nobody else who reads there by another network gets the file." in text for text in texts)
    elsewhere = filed(FILM, DESK, DESK)
    assert {type(e) for e in elsewhere.effects} == {Tell}
    assert "another network" not in str(elsewhere.effects)


def test_what_is_no_document_out_of_the_joint_room_is_held_and_not_destroyed() -> None:
    decision = filed(FILM, JOINT)
    assert {type(e) for e in decision.effects} == {Announce, Tell, Inform, Hold}
    [held] = of_kind(Hold, decision.effects)
    assert held.message == MessageId("m1")
    assert reached(decision.effects) == {HERS, DESK}
    for told in of_kind(Tell, decision.effects) + of_kind(Inform, decision.effects):
        assert "It is a film. It was taken out of EVERYONE" in told.text
        assert "the mediator knows of it" in told.text
        assert "Its encrypted bytes stay on the server" in told.text


def test_what_waits_for_the_scanner_stays_and_is_said() -> None:
    decision = filed(Waits(verbatim("The scanner is down.")))
    assert not of_kind(Redact, decision.effects) + of_kind(Erase, decision.effects)
    assert "The scanner is down." in str(of_kind(Tell, decision.effects))
    assert decision.case == CASE


def from_carl(result: Passed | Refused | Waits) -> Decision:
    """What becomes of a file that came with a mail of his."""
    carl = named(CASE, "Carl").id
    post = Post(HIS, carl, FILE, MessageId("m1")) if isinstance(result, Refused) else None
    return decide_filed(CASE, Filing(None, carl, HIS, HIS, FILE.name, result, otherwise=post), KNOWN)


@pytest.mark.parametrize("result", [PASSED, MACRO, FILM, Waits(verbatim("The scanner is down."))])
def test_what_came_with_a_mail_stands_in_a_room_only_if_it_can_be_no_document_and_does_no_harm(
    result: Passed | Refused | Waits,
) -> None:
    decision = from_carl(result)
    assert bool(decision.case.documents) is isinstance(result, Passed)
    posts = of_kind(Post, decision.effects)
    assert [(post.conversation, post.content) for post in posts] == ([(HIS, FILE)] if result == FILM else [])
    assert {type(e) for e in decision.effects} - {Post} == {Announce, Tell, Inform}
    assert reached(decision.effects) == {HIS, DESK}
    [told] = of_kind(Inform, decision.effects)
    assert told.to == named(CASE, "Carl").id
    assert "Brieffdp.exe.pdf" in told.text
    assert "taken out" not in told.text
    assert ("It stands in PRIVATE with mediator · 1042 as it came." in told.text) is (result == FILM)


def test_words_still_go_as_words() -> None:
    known = replace(facts(named(CASE, "Alice").id), documents=True, where=HERS)
    decision = routing.decide(CASE, message(CASE, "Alice", HERS, Text("hello")), known)
    assert of_kind(Relay, decision.effects)


def test_no_number_tells_one_side_how_much_another_has_shared() -> None:
    case = filed(OTHER, case=filed().case).case
    carl = named(CASE, "Carl").id
    his = decide_filed(case, Filing(None, carl, HIS, HIS, "slip.pdf", PASSED), KNOWN).case.documents[-1]
    alone = decide_filed(CASE, Filing(None, carl, HIS, HIS, "slip.pdf", PASSED), KNOWN).case.documents[-1]
    assert his.id == alone.id == "D1001"
    assert filed(home=DESK, case=case).case.documents[-1].id == "D9001"

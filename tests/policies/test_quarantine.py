"""What is refused lies locked, and nobody gets it before a mediator says why it is kept as it is."""

from dataclasses import replace

import pytest

from policies import routing
from policies.case import DESK, JOINT, Case, Conversation
from policies.documents.document import Action, BlobId, DocumentId, Kept, Label
from policies.documents.files import Kind, file_name
from policies.documents.filing import Filing, Refused, decide_filed
from policies.documents.quota import MEGABYTE, Quota, full
from policies.documents.rights import Allowed, Wish, may
from policies.effects import Decision, Inform, Post, Tell
from policies.message import MessageId, Text
from policies.words.phrase import verbatim
from tests.policies.builders import AT, both_sides, caucus_of, facts, message, named, of_kind

CASE = both_sides("!party add Ann ann@example.net as counsel on Smith")
HERS, HIS = caucus_of(CASE, "Smith"), caucus_of(CASE, "Jones")
BYTES = Kept(BlobId("b1"), "ab" * 32, 900)
FILM = Refused(verbatim("Videos are not taken."), keepable=True, kept=BYTES)


def brought(case: Case = CASE, result: Refused = FILM, said_in: Conversation = HERS) -> Decision:
    alice = named(case, "Alice").id
    exposed = frozenset({named(case, "Carl").id}) if said_in == JOINT else frozenset()
    filing = Filing(MessageId("m1"), alice, said_in, HERS, "call.mp4", result, exposed)
    return decide_filed(case, filing, replace(facts(None), documents=True))


def says(case: Case, name: str, words: str, where: Conversation) -> Decision:
    heard = message(case, name, where, Text(words), native=True)
    return routing.decide(case, heard, replace(facts(named(case, name).id), where=where))


def who_may(case: Case, action: Action = Action.VIEW) -> set[str]:
    [document] = case.documents
    wishes = {p.name: Wish(p.id, action, 1, AT) for p in case.people}
    return {name for name, wish in wishes.items() if isinstance(may(case, document, wish), Allowed)}


def told(decision: Decision) -> str:
    return "\n".join(e.text for e in of_kind(Tell, decision.effects) + of_kind(Inform, decision.effects))


@pytest.mark.parametrize("said_in", [HERS, JOINT])
def test_what_is_refused_lies_locked_and_nobody_gets_it_not_even_its_owner(said_in: Conversation) -> None:
    decision = brought(said_in=said_in)
    assert who_may(decision.case) == set()
    assert "It lies locked as D1" in told(decision)
    assert BYTES.sha256 in decision.reason
    assert "There is no document D1" in told(says(decision.case, "Alice", "!doc show D1", HERS))
    assert "!doc keep D1" in told(says(decision.case, "Mia", "!doc list", DESK))


def test_a_mediator_has_it_kept_with_a_reason_which_is_on_record_and_its_owner_is_told() -> None:
    kept = says(brought().case, "Mia", "!doc keep D1: it is our call", DESK)
    assert who_may(kept.case, Action.DOWNLOAD) == {"Mia", "Alice", "Ann"}
    assert kept.reason == f"D1, SHA-256 {BYTES.sha256}, is kept as it was sent, by Mia. Reason: it is our call"
    reached = {(e.conversation, e.text) for e in of_kind(Tell, kept.effects) + of_kind(Inform, kept.effects)}
    assert {where for where, text in reached if "call.mp4" in text and "it is our call" in text} == {HERS, DESK}
    assert not of_kind(Post, kept.effects)
    assert "is not locked" in str(says(kept.case, "Mia", "!doc keep D1: again", DESK))


def test_what_is_kept_for_the_mediators_alone_is_named_to_nobody_else_of_its_side() -> None:
    case = brought().case
    [document] = case.documents
    strict = case.with_document(document.with_version(replace(document.newest, label=Label.MEDIATORS)))
    kept = says(strict, "Mia", "!doc keep D1: it is our call", DESK)
    ann = named(case, "Ann").id
    assert who_may(kept.case) == {"Mia", "Alice"}
    assert [e.to for e in of_kind(Inform, kept.effects)] == [ann]
    read = [str(e.text) for e in of_kind(Inform, kept.effects)]
    read += [str(e.text) for e in of_kind(Tell, kept.effects) if e.conversation != DESK]
    assert not any(word in text for text in read for word in ("call.mp4", "our call", FILM.why))


@pytest.mark.parametrize(("name", "where"), [("Alice", HERS), ("Ann", HERS), ("Carl", HIS)])
def test_nobody_else_lets_it_out(name: str, where: Conversation) -> None:
    case = brought().case
    assert says(case, name, "!doc keep D1: please", where).case.documents == case.documents


def test_without_a_reason_it_stays_locked() -> None:
    assert who_may(says(brought().case, "Mia", "!doc keep D1", DESK).case) == set()


def test_what_would_be_privileged_is_not_the_mediators_to_let_out() -> None:
    case = brought().case
    [document] = case.documents
    strict = case.with_document(document.with_version(replace(document.newest, label=Label.PRIVILEGED)))
    assert who_may(says(strict, "Mia", "!doc keep D1: it is our call", DESK).case) == set()
    assert "D1, locked" not in told(says(strict, "Mia", "!doc list", DESK))


def test_what_would_be_privileged_is_not_locked_up_where_nobody_could_let_it_out() -> None:
    case = says(brought().case, "Mia", "!doc keep D1: it is our call", DESK).case
    case = says(case, "Alice", "!doc label D1 privileged", HERS).case
    again = brought(case, replace(FILM, kept=replace(BYTES, sha256="cd" * 32)))
    assert again.case == case
    assert "lies locked" not in told(again)


@pytest.mark.parametrize("result", [Refused(verbatim("Malware."), harmful=True), Refused(verbatim("A trick."))])
def test_what_does_harm_or_is_a_trick_is_not_even_locked_up(result: Refused) -> None:
    assert brought(result=result).case == CASE


def test_the_same_file_is_locked_up_once() -> None:
    again = brought(brought().case)
    assert again.case == brought().case
    assert "locked as" not in told(again)


def test_what_nobody_examined_has_no_name_that_a_machine_would_run() -> None:
    assert file_name("call.MP4", Kind.OTHER) == "call.MP4"
    assert file_name("offer.pdf.lnk", Kind.OTHER) == "offer.pdf.lnk.bin"


def of_size(size: int) -> Case:
    [document] = brought().case.documents
    original = replace(document.newest.original, size=size)
    return CASE.with_document(replace(document, versions=(replace(document.newest, original=original),)))


def test_a_room_a_person_and_a_day_hold_so_much_and_no_more() -> None:
    case, alice, ann = of_size(900), named(CASE, "Alice").id, named(CASE, "Ann").id
    assert full(case, alice, HERS, 100, AT, quota=Quota(1000, 1000, 2)) is None
    assert full(case, ann, HERS, 101, AT, quota=Quota(1000, 1000, 2)) is not None
    assert full(case, ann, HERS, 101, AT, quota=Quota(2000, 1000, 2)) is None
    assert full(case, alice, HERS, 101, AT, quota=Quota(2000, 1000, 2)) is not None
    assert full(case, alice, HERS, 1, AT, quota=Quota(2000, 2000, 1)) is not None
    assert full(case, ann, HERS, 1, AT, quota=Quota(2000, 2000, 1)) is None


@pytest.mark.parametrize("size", [1, 99, 101, 999, 1000, 1001])
@pytest.mark.parametrize("quota", [Quota(1000, 2000, 1), Quota(1000, 1000, 9), Quota(2000, 1000, 1)])
def test_whether_another_side_has_shared_much_or_nothing_its_limits_are_no_other(size: int, quota: Quota) -> None:
    carl, his = named(CASE, "Carl").id, caucus_of(CASE, "Jones")
    assert full(of_size(900), carl, his, size, AT, quota=quota) == full(CASE, carl, his, size, AT, quota=quota)


def test_nobody_learns_from_a_limit_how_much_others_of_their_room_have_shared() -> None:
    case, alice = of_size(900), named(CASE, "Alice").id
    of_room, own = (
        full(case, alice, HERS, 101, AT, quota=quota) for quota in (Quota(1000, 2000, 9), Quota(2000, 1000, 9))
    )
    assert of_room is not None
    assert own is not None
    assert of_room.why == own.why
    told_of = brought(result=Refused(verbatim(of_room.why), limit=of_room.limit))
    assert {t.conversation for t in of_kind(Tell, told_of.effects) if of_room.limit in t.text} == {DESK}


def test_what_is_too_much_is_said_each_time_to_whom_it_concerns_and_once_to_the_mediators() -> None:
    over = full(of_size(2 * MEGABYTE), named(CASE, "Alice").id, HERS, 1, AT, quota=Quota(MEGABYTE, MEGABYTE, 9))
    assert over is not None
    limit = Refused(verbatim(over.why), limit=over.limit)
    once = brought(result=limit)
    twice = brought(once.case, limit)
    assert [DESK in {t.conversation for t in of_kind(Tell, d.effects)} for d in (once, twice)] == [True, False]
    assert all(HERS in {t.conversation for t in of_kind(Tell, d.effects)} for d in (once, twice))
    assert "no room for more documents" in told(twice)


def test_a_locked_file_gets_no_new_version() -> None:
    filing = Filing(MessageId("m2"), named(CASE, "Alice").id, HERS, HERS, "x.mp4", FILM, version_of=DocumentId("D1"))
    assert len(decide_filed(brought().case, filing, replace(facts(None), documents=True)).case.documents) == 1

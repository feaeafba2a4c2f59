"""What somebody wrote who is no more in the case goes where they had agreed that it goes, and waits for nobody (B2)."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from policies import routing
from policies.acts import take
from policies.case import DESK, JOINT, Case, Network, PersonId
from policies.documents.document import BlobId, Document, DocumentId, Kept, Label, Version
from policies.documents.enclosing import not_carried
from policies.documents.files import Kind
from policies.due import decide_due
from policies.effects import Relay, Resume, Tell
from policies.message import SignedDevice, Text
from policies.networks.delivery import Cancel, Go, Wait, may_go_over, ways_key
from policies.networks.way import Way
from policies.outcome import Done
from policies.people.ways import missing
from policies.questions.asking import Answer
from policies.schedule import Due, due_key
from rooms.clearance import kept_back
from rooms.outcome import Cancelled, Parked
from tests.policies.builders import AT, caucus_of, done, message, named, of_kind
from tests.policies.test_ways import ALICE, CARL, DORA, KNOWN, all_accepted, answers, does

EVE = "!party add Eve eve@example.net as counsel on Smith"
SAID = AT + timedelta(minutes=1)
"""After what was answered at the beginning."""


def wrote(case: Case, name: str, where: str) -> tuple[Case, Relay]:
    """What somebody wrote in a private room, on its way to the one who reads there by mail."""
    said = message(case, name, caucus_of(case, where), Text("words"), SignedDevice())
    decision = routing.decide(case, said, replace(KNOWN, by=said.author, where=said.conversation))
    [relay] = of_kind(Relay, decision.effects)
    return decision.case, relay


def confirmed(case: Case, line: str, code: str = "6H4C") -> Done:
    return does(does(case, line, code).case, f"yes {code}", "5T5T")


def handed_over(case: Case) -> Case:
    """Ines is the mediator in the place of Mia."""
    case = does(case, "!mediator add Ines @ines:example.org").case
    case = does(case, "!handover Ines", "6H4C").case
    ines = named(case, "Ines").id
    outcome = take(case, Answer("6H4C", True, ines, DESK, SignedDevice()), replace(KNOWN, by=ines))
    assert isinstance(outcome, Done)
    return outcome.case


def test_what_a_mediator_wrote_who_handed_the_case_over_goes_all_the_same() -> None:
    case, relay = wrote(all_accepted(ALICE, CARL), "Mia", "Jones")
    after = handed_over(case)
    assert after.person(relay.author or PersonId("")) is None
    assert may_go_over(after, relay) == Go()


def test_who_left_had_agreed_and_what_they_wrote_goes_where_they_had() -> None:
    case = answers(does(all_accepted(ALICE, DORA), EVE).case, "Alice").case
    case, relay = wrote(case, "Alice", "Smith")
    assert may_go_over(confirmed(case, "!party remove Alice").case, relay) == Go()


def test_who_left_had_said_no_or_yes_to_another_room_alone() -> None:
    case = does(all_accepted(ALICE, CARL), EVE).case
    assert Way(JOINT, Network.EMAIL) not in missing(case, named(case, "Alice").id)
    case, relay = wrote(answers(case, "Alice", yes=False).case, "Alice", "Smith")
    assert isinstance(may_go_over(confirmed(case, "!party remove Alice").case, relay), Cancel)


def test_what_waited_for_the_answer_of_who_left_goes_nowhere_and_the_desk_is_told() -> None:
    case, relay = wrote(does(all_accepted(ALICE, DORA), EVE).case, "Alice", "Smith")
    assert isinstance(may_go_over(case, relay), Wait)
    left = confirmed(case, "!party remove Alice")
    assert isinstance(may_go_over(left.case, relay), Cancel)
    assert Resume(ways_key(left.case)) in left.effects
    [told] = [tell.text for tell in of_kind(Tell, left.effects) if "Alice" in tell.text]
    assert "had not said whether their words may also go by mail" in told
    assert "in their private room" in told
    # Of whoever had answered, nothing is said.
    of_dora = confirmed(answers(case, "Dora").case, "!party remove Dora")
    assert not [tell for tell in of_kind(Tell, of_dora.effects) if "had not said" in tell.text]


def test_who_goes_to_another_side_leaves_the_answers_for_what_is_on_its_way() -> None:
    case = all_accepted(ALICE, DORA, replace(CARL, side="Smith"))
    case, relay = wrote(case, "Alice", "Smith")
    moved = confirmed(case, "!party side Alice on Jones").case
    assert named(moved, "Alice").id != relay.author
    assert may_go_over(moved, relay) == Go()
    assert not missing(moved, named(moved, "Alice").id)


def test_a_case_of_before_lets_what_is_on_its_way_of_those_who_left_go_where_it_went() -> None:
    case, by_mia = wrote(all_accepted(ALICE, DORA, CARL), "Mia", "Jones")
    case, by_dora = wrote(case, "Dora", "Jones")
    case = confirmed(handed_over(case), "!party remove Dora").case
    # What was not written down then.
    stored = replace(case, carried=None, former=())
    after = does(stored, "!party add Bea +34600123456 on Smith")
    assert after.case.carried is not None
    assert [may_go_over(after.case, relay) for relay in (by_mia, by_dora)] == [Go(), Go()]
    carl = named(after.case, "Carl")
    elsewhere = replace(carl, endpoint=replace(carl.endpoint, network=Network.WHATSAPP))
    assert isinstance(may_go_over(after.case.with_person(elsewhere), by_dora), Cancel)


@pytest.mark.parametrize("agreed", [True, False])
def test_what_somebody_wrote_by_a_channel_that_ended_follows_their_answer_for_that_room(*, agreed: bool) -> None:
    case = all_accepted(ALICE, CARL)
    case = does(case, EVE).case
    case = answers(case, "Alice", yes=agreed).case
    case, relay = wrote(case, "Alice", "Smith")
    case = confirmed(case, "!channel add Alice alice@example.net").case
    case = confirmed(case, "!channel leave Alice (matrix)").case
    assert case.person(relay.author or PersonId("")) is None
    assert isinstance(may_go_over(case, relay), Go if agreed else Cancel)


def granted(case: Case, name: str, code: str) -> Case:
    """The case after its owner's yes to a document, asked by the mediator, who says theirs first."""
    preview = does(case, f"!doc grant D1 download to {name}", code)
    asked = does(preview.case, f"yes {code}", code)
    return answers(asked.case, "Dora").case


def with_document(case: Case) -> Case:
    """Dora's, who has said no to WhatsApp."""
    blob = Kept(BlobId("b"), "0" * 64, 9)
    version = Version(1, Label.CAUCUS, Kind.PDF, "application/pdf", AT, blob, blob, pages=1)
    paper = Document(DocumentId("D1"), named(case, "Dora").id, caucus_of(case, "Jones"), "plan.pdf", (version,))
    return answers(case, "Dora", yes=False).case.with_document(paper)


def copy_goes(case: Case, leg: str) -> bool:
    paper = case.document("D1")
    assert paper
    return not_carried(case, paper, paper.newest, named(case, leg)) is None


def test_a_yes_to_a_document_holds_for_the_channel_that_is_left_and_was_shown() -> None:
    case = confirmed(all_accepted(ALICE, DORA), "!channel add Alice +34600999888").case
    case = does(case, "!agreement accepted Alice (WhatsApp): on paper").case
    case = with_document(confirmed(case, "!channel leave Alice (matrix)").case)
    assert not copy_goes(case, "Alice")
    after = granted(case, "Alice", "8C8C")
    assert copy_goes(after, "Alice")
    # Should they take part another way, that was not shown.
    there = named(after, "Alice")
    elsewhere = replace(there, endpoint=replace(there.endpoint, network=Network.EMAIL))
    assert not copy_goes(after.with_person(elsewhere), "Alice")


def test_a_yes_to_a_document_holds_for_no_channel_that_was_not_shown() -> None:
    case = confirmed(all_accepted(ALICE, DORA), "!channel add Alice +34600999888").case
    case = with_document(does(case, "!agreement accepted Alice (WhatsApp): on paper").case)
    after = granted(case, "Alice", "8C8C")
    assert [copy_goes(after, f"Alice ({leg})") for leg in ("matrix", "WhatsApp")] == [True, False]


def test_a_yes_to_all_holds_for_the_channel_by_which_somebody_was_shown_among_them() -> None:
    case = confirmed(all_accepted(ALICE, DORA), "!channel add Alice +34600999888").case
    case = does(case, "!agreement accepted Alice (WhatsApp): on paper").case
    # In Matrix she has not accepted it, so she reads with all by WhatsApp alone.
    matrix = named(case, "Alice (matrix)").id
    case = replace(case, acceptances=tuple(a for a in case.acceptances if a.person != matrix))
    after = granted(with_document(case), "all", "8C8C")
    assert [copy_goes(after, f"Alice ({leg})") for leg in ("matrix", "WhatsApp")] == [True, True]


def kept(case: Case, relay: Relay, said: datetime = SAID) -> Parked | Cancelled | None:
    return kept_back(case, relay, said, said)


def later(case: Case, line: str) -> Done:
    return done(case, line, replace(KNOWN, at=SAID + timedelta(hours=1)))


def test_silence_wakes_what_waited_and_a_later_yes_does_not_reach_back() -> None:
    case, relay = wrote(does(all_accepted(ALICE, DORA), EVE).case, "Alice", "Smith")
    [ask] = [a for a in case.asks if a.asked == relay.author]
    late = replace(KNOWN, at=ask.expires + timedelta(minutes=1))
    over = decide_due(case, due_key(Due.ASK, ask.code), late)
    assert Resume(ways_key(case)) in over.effects
    assert isinstance(kept(over.case, relay), Cancelled)
    accepted = done(
        over.case, "!agreement accepted Alice: by telephone", replace(late, at=late.at + timedelta(hours=1))
    )
    assert isinstance(kept(accepted.case, relay), Cancelled)
    assert kept(accepted.case, relay, late.at + timedelta(hours=2)) is None


def test_what_was_said_under_a_no_does_not_go_though_it_waited_for_something_else_and_a_yes_came() -> None:
    case = does(all_accepted(ALICE, DORA), "!party add Bea +34600123456 as counsel on Smith").case
    case, relay = wrote(answers(case, "Alice", yes=False).case, "Alice", "Smith")
    # No consent of hers to WhatsApp is on record, for which it would wait.
    assert isinstance(kept(case, relay), Cancelled)
    case = later(later(case, "!agreement accepted Alice: by telephone").case, "!consent Bea: agreed").case
    assert isinstance(kept(case, relay), Cancelled)
    assert kept(case, relay, SAID + timedelta(hours=2)) is None


def test_a_yes_that_was_taken_back_in_quiet_hours_and_given_again_brings_nothing_back() -> None:
    case = answers(does(all_accepted(ALICE, DORA), EVE).case, "Alice").case
    case = does(case, "!quiet Eve 08:00-22:00 Europe/Berlin").case
    case, relay = wrote(case, "Alice", "Smith")
    assert isinstance(kept(case, relay), Parked)
    case = later(case, "!agreement refused Alice: by telephone").case
    assert isinstance(kept(case, relay), Cancelled)
    again = done(case, "!agreement accepted Alice: by telephone", replace(KNOWN, at=SAID + timedelta(hours=2))).case
    assert isinstance(kept(again, relay), Cancelled)
    assert isinstance(kept(again, relay, SAID + timedelta(hours=3)), Parked)
    # Of a mediator's words it is not asked.
    case, by_mia = wrote(again, "Mia", "Smith")
    assert isinstance(kept(case, by_mia), Parked)

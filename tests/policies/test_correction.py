"""Somebody entered on the wrong side comes onto the right one: what was seen stays seen, nothing older is shown."""

from dataclasses import replace
from datetime import timedelta

import pytest

from policies.acts import perform
from policies.board import NOTHING, waiting
from policies.case import JOINT, Case, Person
from policies.commands.vocabulary import GiveAnswer
from policies.documents.document import Action, BlobId, Document, DocumentId, Kept, Label, Version
from policies.documents.files import Kind
from policies.documents.rights import Allowed, Wish, may
from policies.effects import Hold, Inform, Ingest, Introduce, Post, Reconcile, Relay, Resume, Tell
from policies.message import File, FileRef, SignedWebhook, Text
from policies.moderation.course import paused
from policies.moderation.mode import Spell
from policies.names import Phase, ReleaseId
from policies.networks.delivery import Cancel, channel_key, may_post, may_relay
from policies.outcome import Refused
from policies.people.membership import caucuses_of, conversations, readers
from policies.releases.release import Standing
from policies.routing import decide
from tests.policies.builders import (
    AT,
    agreed_case,
    both_sides,
    case_with,
    caucus_of,
    done,
    facts,
    message,
    named,
    of_kind,
    refused,
)

CASE = both_sides("!party add Bob @bob:example.org as counsel on Smith")
SMITH, JONES = caucus_of(CASE, "Smith"), caucus_of(CASE, "Jones")
BY_WHATSAPP = replace(facts(), whatsapp=True)


def asked(case: Case, name: str, side: str) -> Case:
    return done(case, f"!party side {name} on {side}", facts(code="6H4C")).case


def corrected(case: Case, name: str, side: str) -> Case:
    return done(asked(case, name, side), "yes 6H4C").case


def test_the_mediator_is_told_first_what_has_been_read_and_is_asked() -> None:
    outcome = done(CASE, "!party side Carl on Smith", facts(code="6H4C"))
    assert "Carl was entered on the side Jones and goes to the side Smith." in outcome.answer
    assert "Carl has been able to read all that was written in the private room of Jones" in outcome.answer
    assert "Those who read there (Mia (mediator), Carl (by mail)) have been able to read all" in outcome.answer
    assert "“yes 6H4C”" in outcome.answer
    assert readers(outcome.case, JONES) == readers(CASE, JONES)


@pytest.mark.parametrize("label", [Label.CAUCUS, Label.PRIVILEGED])
def test_the_mediator_is_told_first_which_older_documents_of_the_right_side_they_get_to_see(label: Label) -> None:
    kept = Kept(BlobId("b"), "hash", 10)
    version = Version(1, label, Kind.PDF, "application/pdf", AT, kept, kept)
    brief = Document(DocumentId("D1"), named(CASE, "Alice").id, SMITH, "brief.pdf", (version,))
    case = CASE.with_document(brief)
    outcome = done(case, "!party side Carl on Smith", facts(code="6H4C"))
    assert "As one of Smith, Carl may see these documents at once, though they are older: D1." in outcome.answer
    moved = done(outcome.case, "yes 6H4C")
    view = Wish(named(moved.case, "Carl").id, Action.VIEW, 1, AT)
    assert isinstance(may(moved.case, brief, view), Allowed)
    assert "reads no older messages there" in moved.answer
    assert "at once" not in done(case, "!party side Carl on Miller", facts(code="6H4C")).answer


def test_the_mediator_hears_that_what_was_on_its_way_does_not_come_also_of_the_joint_room() -> None:
    outcome = done(asked(CASE, "Carl", "Smith"), "yes 6H4C")
    old = named(CASE, "Carl").id
    assert isinstance(may_relay(outcome.case, JOINT, old), Cancel)
    assert isinstance(may_post(outcome.case, JOINT, old), Cancel)
    assert "does not go any more, also of the joint room" in outcome.answer
    (welcome,) = [i.text for i in of_kind(Inform, outcome.effects) if i.to == named(outcome.case, "Carl").id]
    assert "may not have reached you" in welcome


def test_after_the_yes_they_are_on_the_right_side_and_nowhere_on_the_former() -> None:
    case = corrected(CASE, "Carl", "Smith")
    old, new = named(CASE, "Carl"), named(case, "Carl")
    assert caucuses_of(case, new.id) == (SMITH,)
    assert new.id not in readers(case, JONES)
    assert all(old.id not in readers(case, where) for where in conversations(case))
    assert new.id in readers(case, JOINT)


def test_they_are_somebody_new_so_that_no_address_or_key_of_the_old_room_holds() -> None:
    outcome = done(asked(CASE, "Carl", "Smith"), "yes 6H4C")
    old, new = named(CASE, "Carl"), named(outcome.case, "Carl")
    assert (old.id, old.endpoint.id) != (new.id, new.endpoint.id)
    assert old.endpoint.id != new.endpoint.id
    assert new.endpoint.address == old.endpoint.address
    assert new.endpoint.content_consent == old.endpoint.content_consent
    introduced = {i.conversation for i in of_kind(Introduce, outcome.effects) if i.person == new.id}
    assert introduced == {JOINT, SMITH}
    assert of_kind(Reconcile, outcome.effects)
    assert Resume(channel_key(CASE, old.endpoint.id)) in outcome.effects
    late = Post(JONES, old.id, Text("still on its way"), message(CASE, "Carl", JONES).id)
    assert isinstance(may_post(outcome.case, late.conversation, late.author), Cancel)


def test_both_they_and_those_left_on_the_wrong_side_learn_it_in_private() -> None:
    outcome = done(asked(CASE, "Alice", "Jones"), "yes 6H4C")
    left = [t.conversation for t in of_kind(Tell, outcome.effects) if "by a mistake of ours" in t.text]
    assert left == [SMITH]
    told = [(i.to, i.conversation) for i in of_kind(Inform, outcome.effects) if "a mistake of ours" in i.text]
    assert told == [(named(outcome.case, "Alice").id, JONES)]
    assert not [e for e in outcome.effects if isinstance(e, Tell) and e.conversation == JOINT and "mistake" in e.text]


def test_what_somebody_by_mail_was_left_with_is_told_over_their_own_channel() -> None:
    case = both_sides("!party add Bea bea@example.com on Jones", "!consent Bea: yes")
    outcome = done(asked(case, "Carl", "Smith"), "yes 6H4C")
    told = [(i.to, i.conversation) for i in of_kind(Inform, outcome.effects) if "has been able to read" in i.text]
    assert told == [(named(case, "Bea").id, JONES)]


def test_what_they_write_to_the_old_room_all_the_same_is_held() -> None:
    case = corrected(CASE, "Alice", "Jones")
    decision = decide(case, message(case, "Alice", SMITH), facts(named(case, "Alice").id))
    assert of_kind(Hold, decision.effects)
    assert not of_kind(Relay, decision.effects)


def whatsapp_case() -> Case:
    case = case_with("!party add Alice @alice:example.org on Smith")
    case = done(case, "!party add Bea +34600123456 on Smith", BY_WHATSAPP).case
    return done(case, "!consent Bea: agreed").case


@pytest.mark.parametrize(("minutes", "held"), [(1, True), (11, False)])
def test_on_whatsapp_where_one_chat_serves_both_rooms_what_was_on_its_way_is_held(minutes: int, held: bool) -> None:
    case = corrected(whatsapp_case(), "Bea", "Jones")
    said = message(case, "Bea", caucus_of(case, "Jones"), proof=SignedWebhook())
    said = replace(said, at=AT + timedelta(minutes=minutes))
    decision = decide(case, said, facts(said.author))
    assert bool(of_kind(Hold, decision.effects)) is held
    assert bool(of_kind(Post, decision.effects)) is not held


@pytest.mark.parametrize(("minutes", "held"), [(1, True), (11, False)])
def test_a_file_that_was_on_its_way_there_is_held_like_words_and_is_no_document_of_the_new_side(
    minutes: int, held: bool
) -> None:
    case = corrected(whatsapp_case(), "Bea", "Jones")
    photo = File("offer.jpg", "image/jpeg", 3, FileRef("{}"), "our bottom line")
    said = message(case, "Bea", caucus_of(case, "Jones"), photo, proof=SignedWebhook())
    said = replace(said, at=AT + timedelta(minutes=minutes))
    decision = decide(case, said, replace(facts(said.author), documents=True))
    assert bool(of_kind(Hold, decision.effects)) is held
    assert bool(of_kind(Ingest, decision.effects)) is not held


def test_what_waits_of_theirs_is_over() -> None:
    alice = replace(facts(named(CASE, "Alice").id), where=SMITH)
    case = done(CASE, "!submit: June would do", alice).case
    case = decide(case, message(case, "Alice", SMITH, Text("yes 4F2A")), alice).case
    release = corrected(case, "Alice", "Jones").release(ReleaseId("R1"))
    assert release is not None
    assert release.standing is Standing.CLOSED


def test_questions_to_them_are_over_and_an_old_code_answers_none() -> None:
    case = done(CASE, "!ask Alice: Does Thursday suit you?", facts(code="7J5D")).case
    case = corrected(case, "Alice", "Jones")
    assert not [a for a in case.asks if a.code == "7J5D"]
    assert isinstance(perform(case, GiveAnswer("7J5D", True), facts(named(case, "Alice").id)), Refused)


def test_that_they_accepted_paused_or_are_muted_stays_theirs() -> None:
    case, _ = agreed_case("!agreement accepted Alice: signed on paper", "!mute Alice 1h")
    case = paused(case, named(case, "Alice").id, None)
    after = corrected(case, "Alice", "Jones")
    alice: Person = named(after, "Alice")
    assert after.accepted(alice.id) is not None
    assert [pause.person for pause in after.pauses] == [alice.id]
    assert after.phase is Phase.PAUSED
    assert after.floor.muted == (Spell(alice.id, AT + timedelta(hours=1)),)


def test_if_who_reads_there_changed_after_the_question_nothing_is_done() -> None:
    case = done(asked(CASE, "Alice", "Jones"), "!party add Bea bea@example.com on Smith").case
    outcome = done(case, "yes 6H4C")
    assert "void" in outcome.answer
    assert caucuses_of(outcome.case, named(outcome.case, "Alice").id) == (SMITH,)


def test_a_no_changes_nothing_and_the_board_waits_for_the_yes() -> None:
    case = asked(CASE, "Alice", "Jones")
    assert [(one.who, one.what) for one in waiting(case, NOTHING)] == [("Mia", "confirm an act")]
    assert caucuses_of(done(case, "no 6H4C").case, named(CASE, "Alice").id) == (SMITH,)


def test_it_is_corrected_back_but_never_undone() -> None:
    after = corrected(CASE, "Alice", "Jones")
    assert "corrects it again" in refused(after, "!undo")
    back = corrected(after, "Alice", "Smith")
    assert caucuses_of(back, named(back, "Alice").id) == (SMITH,)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("!party side Alice on Smith", "is on the side Smith already"),
        ("!party side Zoe on Smith", "Nobody here is called Zoe"),
        ("!party side Mia on Smith", "does not sit on exactly one side"),
        ("!party side Alice on <b>", "can't be called that"),
    ],
)
def test_what_can_not_be_corrected_is_refused_with_a_remedy(command: str, why: str) -> None:
    assert why in refused(CASE, command)


def test_who_has_withdrawn_is_not_moved_and_the_api_moves_nobody() -> None:
    case = replace(CASE, withdrawn=(named(CASE, "Alice").id,))
    assert "has withdrawn" in refused(case, "!party side Alice on Jones")
    assert "Say it at the desk" in refused(CASE, "!party side Alice on Jones", facts(None))

"""Taking back what was done last: what can be put back is, as a new act; of the rest the reason is said (M8, M11)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from policies.acts import take
from policies.case import DESK, JOINT, Case, PersonId, Phase
from policies.commands.undo import AT_ONCE
from policies.documents.carrying import Recall
from policies.documents.document import BlobId, Document, DocumentId, Kept, Label, Version
from policies.documents.files import Kind as FileKind
from policies.effects import Announce, EndHold, Inform, Pose, Publish, Reconcile, Resume, ResumeHold
from policies.message import AuthenticatedMail, MessageId, Text
from policies.moderation.floor import floor_text, spoken
from policies.moderation.hold import AtHand, HoldEnd
from policies.moderation.mode import Mode
from policies.outcome import Done, Facts, Quoted, Refused
from policies.questions.asking import Answer
from policies.releases.release import Standing
from policies.routing import decide
from policies.schedule import Schedule
from tests.policies.builders import (
    AT,
    MIA,
    alike,
    both_sides,
    caucus_of,
    done,
    facts,
    message,
    named,
    of_kind,
    refused,
)

CASE = both_sides("!mediator add Ines @ines:example.org")
HERS, HIS = caucus_of(CASE, "Smith"), caucus_of(CASE, "Jones")
CARL, INES = named(CASE, "Carl").id, named(CASE, "Ines").id
PUT_BACK = (
    "!mode closed",
    "!mode locked for 1h",
    "!turn Alice 10m",
    "!mute Carl 1h",
    "!slow 10m",
    "!cool 30m",
    "!pause",
    "!pause for 2d",
    "!quiet Carl 20:00-08:00 Europe/Berlin",
    "!language Carl de",
    "!mail pause Carl",
)


def after(case: Case, *commands: str) -> Case:
    for command in commands:
        case = done(case, command).case
    return case


def at(entry: int, by: PersonId | None = MIA, *, later: timedelta = timedelta(0), code: str = "4F2A") -> Facts:
    return replace(facts(by, at=AT + later, code=code), entry=entry)


# --- what can be put back


@pytest.mark.parametrize("command", PUT_BACK)
def test_what_is_a_setting_is_put_back_and_brought_back_again(command: str) -> None:
    did = done(CASE, command, at(31))
    undone = done(did.case, "!undo", at(32))
    assert alike(undone.case, CASE)
    assert undone.answer.startswith("Taken back: entry 31 of Desk · 1042, 2026-01-05 10:00 UTC, Mia: “")
    again = done(undone.case, "!undo", at(33))
    assert alike(again.case, did.case)
    assert "entry 32" in again.answer


@pytest.mark.parametrize(
    ("first", "second"), [("!mute Carl", "!unmute Carl"), ("!turn Alice", "!mode open"), ("!pause", "!resume")]
)
def test_taking_something_back_by_its_own_command_can_be_undone(first: str, second: str) -> None:
    before = after(CASE, first)
    assert alike(after(before, second, "!undo"), before)


def test_all_that_follows_from_a_mode_follows_from_its_undoing() -> None:
    undone = done(after(CASE, "!mode closed"), "!undo")
    assert of_kind(Reconcile, undone.effects)
    assert Announce(JOINT, floor_text(CASE)) in undone.effects
    assert "Everybody may write here." in undone.answer


def test_who_was_muted_learns_in_private_that_they_are_not() -> None:
    undone = done(after(CASE, "!mute Carl"), "!undo")
    assert [(i.to, i.conversation) for i in of_kind(Inform, undone.effects)] == [(CARL, HIS)]
    assert "may write again" in of_kind(Inform, undone.effects)[0].text


def test_what_waited_for_quiet_hours_or_a_stopped_mailbox_goes_on() -> None:
    for command in ("!quiet Carl 20:00-08:00 Europe/Berlin", "!mail pause Carl"):
        undone = done(after(CASE, command), "!undo")
        assert of_kind(Resume, undone.effects)
        assert "What was sent meanwhile, stays sent." in undone.answer


def test_what_was_for_a_time_comes_back_for_the_rest_of_it_and_ends_then() -> None:
    case = after(CASE, "!turn Alice 1h", "!mode closed")
    undone = done(case, "!undo", at(9, later=timedelta(minutes=30)))
    assert undone.case.floor.turn is not None
    assert AT + timedelta(hours=1) in {alarm.at for alarm in of_kind(Schedule, undone.effects)}


def test_what_has_ended_meanwhile_does_not_come_back() -> None:
    case = after(CASE, "!turn Alice 10m", "!mode closed")
    undone = done(case, "!undo", at(9, later=timedelta(minutes=30)))
    assert (undone.case.floor.turn, undone.case.floor.mode) == (None, Mode.OPEN)


def test_who_has_left_meanwhile_gets_no_turn() -> None:
    case = after(CASE, "!turn Alice", "!mode closed")
    gone = named(case, "Alice").id
    left = replace(case, people=tuple(p for p in case.people if p.id != gone))
    assert done(left, "!undo").case.floor.turn is None


def test_that_somebody_spoke_and_waits_does_not_stop_an_undo() -> None:
    case = after(CASE, "!slow 10m", "!mute Carl")
    case = spoken(case, named(case, "Alice").id, AT)
    undone = done(case, "!undo").case
    assert [spell.person for spell in undone.floor.resting] == [named(case, "Alice").id]
    assert not undone.floor.muted


# --- questions


def test_an_open_question_is_taken_back_and_whom_it_was_put_to_is_told() -> None:
    asked = done(CASE, "!ask Jones: Does Thursday suit you?")
    [question] = of_kind(Pose, asked.effects)
    undone = done(asked.case, "!undo")
    assert undone.case.asks == ()
    assert [(i.to, i.conversation) for i in of_kind(Inform, undone.effects)] == [(CARL, HIS)]
    assert question.code in of_kind(Inform, undone.effects)[0].text
    late = take(undone.case, Answer(question.code, True, CARL, HIS, AuthenticatedMail()), facts(CARL))
    assert isinstance(late, Refused)
    assert "can't be called back" in refused(undone.case, "!undo")


def test_an_answered_question_can_not_be_taken_back() -> None:
    asked = done(CASE, "!ask Carl: Does Thursday suit you?")
    code = of_kind(Pose, asked.effects)[0].code
    answered = take(asked.case, Answer(code, True, CARL, HIS, AuthenticatedMail()), facts(CARL))
    assert isinstance(answered, Done)
    assert "something came of it" in refused(answered.case, "!undo")


def test_a_question_at_the_desk_is_taken_back_before_it_does_anything() -> None:
    undone = done(after(CASE, "!close"), "!undo")
    assert alike(undone.case, CASE)
    assert not of_kind(Inform, undone.effects)
    assert "Nothing was done" in refused(undone.case, "!undo")


# --- releases


def previewed(case: Case = CASE, words: str = "June would do") -> Case:
    known = replace(facts(), where=HERS, quoted=Quoted(MessageId("m1"), named(case, "Alice").id, words))
    return done(case, "!release", known).case


def test_a_preview_is_taken_back_with_its_question() -> None:
    undone = done(previewed(), "!undo").case
    assert undone.asks == ()
    assert [release.standing for release in undone.releases] == [Standing.CLOSED]


def test_as_long_as_its_author_is_only_asked_nothing_crosses() -> None:
    asked = done(previewed(), "yes 4F2A", at(8, code="5G3B"))
    assert of_kind(Pose, asked.effects)
    undone = done(asked.case, "!undo")
    assert [release.standing for release in undone.case.releases] == [Standing.CLOSED]
    assert "about R1 with the code 5G3B" in of_kind(Inform, undone.effects)[0].text
    late = decide(undone.case, message(CASE, "Alice", HERS, Text("yes 5G3B")), facts(named(CASE, "Alice").id))
    assert not of_kind(Publish, late.effects)


def test_what_a_party_submitted_waits_again_when_its_preview_is_taken_back() -> None:
    alice = replace(facts(named(CASE, "Alice").id), where=HERS)
    submitted = done(CASE, "!submit: June would do", alice).case
    agreed = decide(submitted, message(CASE, "Alice", HERS, Text("yes 4F2A")), alice).case
    shown = done(agreed, "!release R1", facts(code="6H4C")).case
    undone = done(shown, "!undo").case
    assert [release.standing for release in undone.releases] == [Standing.QUEUED]


def test_what_was_released_is_out() -> None:
    asked = done(previewed(), "yes 4F2A", facts(code="5G3B")).case
    out = decide(asked, message(CASE, "Alice", HERS, Text("yes 5G3B")), facts(named(CASE, "Alice").id)).case
    assert out.releases[0].standing is Standing.RELEASED
    assert "something came of it" in refused(out, "!undo")
    assert out.releases == decide(out, message(CASE, "Mia", DESK, Text("!undo")), facts()).case.releases


# --- what is held, and documents


def test_what_was_put_aside_waits_again() -> None:
    held = AtHand(1, message(CASE, "Carl", JOINT), "it was uncertain", frozenset())
    aside = done(CASE, "!held 1 discard", replace(facts(), held=held))
    assert of_kind(EndHold, aside.effects) == [EndHold(held.message.id, HoldEnd.DISCARDED)]
    assert ResumeHold(held.message.id) in done(aside.case, "!undo").effects


def test_what_was_given_back_has_been_told() -> None:
    held = AtHand(1, message(CASE, "Carl", JOINT), "it was uncertain", frozenset())
    told = done(CASE, "!held 1 return later", replace(facts(), held=held))
    assert "can't be called back" in refused(told.case, "!undo")


def with_document(label: Label = Label.CAUCUS) -> Case:
    kept = Kept(BlobId("b1"), "0" * 64, 3)
    version = Version(1, label, FileKind.PDF, "application/pdf", AT, kept, kept)
    return CASE.with_document(Document(DocumentId("D1"), named(CASE, "Alice").id, HERS, "offer.pdf", (version,)))


def test_a_label_is_put_back_unless_its_owner_has_set_one_since() -> None:
    case = after(with_document(), "!doc label D1 mediator-only")
    undone = done(case, "!undo")
    assert undone.case.documents[0].newest.label is Label.CAUCUS
    assert of_kind(Recall, undone.effects)
    alice = replace(facts(named(CASE, "Alice").id), where=HERS)
    hers = done(case, "!doc label D1 mediator-only", alice).case
    assert "Nothing was done" in refused(hers, "!undo")


# --- what is final


@pytest.mark.parametrize(
    ("commands", "why", "instead"),
    [
        (("!party add Dora dora@example.net on Jones",), "they were invited", "!party remove Dora"),
        (("!party remove Carl", "yes 4F2A"), "taken off", "!party add"),
        (("!withdraw Carl", "yes 4F2A"), "they were told", "!resume NAME"),
        (("!close", "yes 4F2A"), "everybody was told", "!resume goes on"),
        (("!settle", "yes 4F2A", "!resume"), "everybody was told", "!settle"),
        (("!consent Carl: by telephone",), "on record", "!mail links"),
        (("!mail address Carl carl@example.org",), "on record", "!mail address"),
        (("!side add Brown",), "harms nobody", "!side list"),
        (("!broadcast: We meet on 3 May", "yes 4F2A"), "can't be called back", "Say what is right"),
        (("!mail pin Carl",), "can't be called back", "Say what is right"),
    ],
)
def test_what_is_final_says_why_and_what_to_do(commands: tuple[str, ...], why: str, instead: str) -> None:
    case = after(CASE, *commands)
    said = refused(case, "!undo")
    assert why in said
    assert instead in said


def test_the_opening_is_final() -> None:
    before = replace(CASE, phase=Phase.CONVENED, opened=False)
    assert "!mode closed" in refused(after(before, "!open"), "!undo")


@pytest.mark.parametrize("command", ["!status", "!side list", "!queue", "!log", "!board", "!dead", "!held", "!help"])
def test_to_look_is_no_act(command: str) -> None:
    case = after(CASE, "!mode closed")
    assert after(case, command).deed == case.deed


def test_what_was_done_after_it_forbids_it() -> None:
    case = after(CASE, "!quiet Carl 20:00-08:00 Europe/Berlin")
    carl = replace(facts(CARL), where=HIS)
    case = done(case, "!quiet 21:00-07:00 Europe/Berlin", carl).case
    assert "has changed since" in refused(case, "!undo")
    assert named(case, "Carl").quiet is not None


def test_a_partys_pause_is_not_undone_with_the_mediators() -> None:
    case = done(after(CASE, "!pause"), "!pause", replace(facts(CARL), where=HIS)).case
    assert "has changed since" in refused(case, "!undo")


# --- which act


def test_nothing_was_done() -> None:
    assert "Nothing was done" in refused(replace(CASE, deed=None), "!undo")


def test_another_mediators_act_is_named_before_it_is_taken_back() -> None:
    case = done(CASE, "!mode closed", at(31)).case
    assert "Mia: “The joint room is closed now" in refused(case, "!undo", at(32, INES))
    assert "!undo 31" in refused(case, "!undo", at(32, INES))
    assert alike(done(case, "!undo 31", at(32, INES)).case, CASE)


def test_an_act_of_long_ago_is_named_before_it_is_taken_back() -> None:
    case = done(CASE, "!mode closed", at(31)).case
    assert alike(done(case, "!undo", at(32, later=AT_ONCE)).case, CASE)
    assert "!undo 31" in refused(case, "!undo", at(32, later=AT_ONCE + timedelta(seconds=1)))


def test_only_the_last_act_can_be_taken_back() -> None:
    case = done(done(CASE, "!mode closed", at(31)).case, "!slow 10m", at(32)).case
    said = refused(case, "!undo 31", at(33))
    assert "Only what was done last" in said
    assert "!undo 32" in said


def test_a_party_takes_nothing_back() -> None:
    heard = decide(after(CASE, "!mode locked"), message(CASE, "Alice", HERS, Text("!undo")), facts())
    assert heard.case.floor.mode is Mode.LOCKED

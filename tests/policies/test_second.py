"""Somebody with two channels is one voice: what holds for them holds on both, and nothing else is shared (ADR 56)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from policies.acts import take
from policies.board import NOTHING, case_board, waiting
from policies.case import JOINT, Case, Consent, Conversation, Network, PersonId
from policies.commands.second import AddChannel
from policies.due import decide_due
from policies.effects import Decision, Inform, Pose, Publish, Relay, Tell
from policies.message import AuthenticatedMail, SignedDevice, SignedWebhook, Text
from policies.moderation.floor import objection, silenced
from policies.networks.delivery import Cancel, Go, Wait, may_publish, may_relay
from policies.outcome import Done, Refused
from policies.people.joining import STEP_LASTS, TELEPHONE, came, funnel
from policies.people.membership import caucuses_of, may_join, readers
from policies.plan import plan
from policies.questions.ask import Wondering
from policies.questions.asking import Answer
from policies.routing import decide
from policies.schedule import Due, Schedule, due_key
from policies.showing import GivePin
from policies.status import reader_names, sides_text, status_text
from rooms.clearance import kept_back
from rooms.outcome import Parked
from tests.policies.builders import (
    AT,
    agreed_case,
    both_sides,
    case_with,
    caucus_of,
    facts,
    message,
    named,
    of_kind,
    refused,
    unasked,
)
from tests.policies.voices import KNOWN, NUMBER, agreed_to, does, says, with_two

CASE = with_two()
NATIVE, CHAT = named(CASE, "Alice (matrix)"), named(CASE, "Alice (WhatsApp)")
SMITH = caucus_of(CASE, "Smith")


def said(case: Case, leg: str, where: Conversation, words: str = "hello") -> Decision:
    """Words of one of her channels, proven as each is."""
    person = named(case, leg)
    proof = SignedDevice() if person.endpoint.network is Network.MATRIX else SignedWebhook("1", person.endpoint.id)
    meant = message(case, leg, where, Text(words), proof)
    return decide(case, meant, replace(KNOWN, by=person.id, where=where))


# --- coming and going


def test_the_mediator_is_told_first_and_nothing_has_changed_before_the_yes() -> None:
    outcome = does(both_sides(), f"!channel add Alice {NUMBER}")
    assert "Alice is reached in Matrix at @alice:example.org now, and would be by WhatsApp" in outcome.answer
    assert "Make sure by telephone" in outcome.answer
    assert outcome.case.people == both_sides().people
    assert does(outcome.case, "no 6H4C").case.legs == ()


def test_a_second_channel_inherits_nothing_that_opens_anything() -> None:
    case = agreed_to(
        case_with("!party add Carl carl@example.net on Jones", "!consent Carl: agreed"),
        "!channel add Carl +34600123456",
    ).case
    chat = named(case, "Carl (WhatsApp)")
    assert named(case, "Carl (mail)").endpoint.content_consent is not None
    assert (chat.endpoint.content_consent, chat.endpoint.enrolled, chat.endpoint.seen) == (None, None, None)
    assert isinstance(may_relay(case, caucus_of(case, "Jones"), chat.id), Wait)


def test_the_agreement_is_accepted_on_each_channel_before_it_reads_the_joint_room() -> None:
    agreed, questions = agreed_case()
    carl = named(agreed, "Carl")
    code = next(pose.code for pose in questions if pose.to == carl.id)
    own = caucus_of(agreed, "Jones")
    outcome = take(agreed, Answer(code, True, carl.id, own, AuthenticatedMail()), facts(carl.id))
    assert isinstance(outcome, Done)
    added = agreed_to(outcome.case, f"!channel add Carl {NUMBER}")
    first, second = (named(added.case, name) for name in ("Carl (mail)", "Carl (WhatsApp)"))
    assert may_join(added.case, first.id)
    assert not may_join(added.case, second.id)
    alice = named(added.case, "Alice").id
    assert [pose.to for pose in of_kind(Pose, added.effects) if pose.to != alice] == [second.id]


def test_both_channels_are_told_and_a_mailbox_gets_a_pin() -> None:
    outcome = agreed_to(both_sides(), "!channel add Alice alice@example.net")
    told = {effect.to: effect.text for effect in of_kind(Inform, outcome.effects)}
    assert "by mail, too" in told[named(outcome.case, "Alice (matrix)").id]
    assert "in Matrix, too" in told[named(outcome.case, "Alice (mail)").id]
    assert of_kind(GivePin, outcome.effects) == [GivePin(named(outcome.case, "Alice (mail)").id)]
    assert all(NUMBER not in text and "@" not in text for text in told.values())


@pytest.mark.parametrize(
    ("case", "command", "why"),
    [
        (CASE, "!channel add Alice alice@example.net", "nobody has three"),
        (both_sides(), "!channel add Carl other@example.net", "takes part by mail already"),
        (both_sides(), "!channel add Mia mia@example.net", "a second channel is for parties"),
        (both_sides("!party add Otto @otto:example.org as observer"), f"!channel add Otto {NUMBER}", "for parties"),
        (both_sides(), "!channel add Carl @alice:example.org", "is Alice's address in this case"),
        (both_sides(), "!channel add Alice carl@example.net", "is Carl's address in this case"),
        (both_sides(), "!channel add Carl @carl:elsewhere.example", "another homeserver"),
        (both_sides(), "!channel add Nobody x@example.net", "Nobody here is called"),
        (both_sides(), "!channel leave Carl", "Carl has one channel"),
        (CASE, "!channel leave Alice", "Alice has two channels, and it is not said which is meant"),
        (CASE, "!party remove Alice (mail)", "Nobody here is called"),
        (CASE, "!party remove Alice (WhatsApp)", "!channel leave Alice (WhatsApp) ends that one"),
        (CASE, "!party side Alice on Jones", "both would have to move"),
        (CASE, "!consent Alice: agreed", "it is not said which is meant"),
        (CASE, "!party add Other +34600123456 on Jones", "nobody is on two sides"),
        (CASE, "!party add Alice other@example.net on Jones", "Alice is in this case already"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would_work(case: Case, command: str, why: str) -> None:
    assert why in refused(case, command, KNOWN)


def test_a_channel_of_an_occupied_network_can_not_be_switched_to() -> None:
    case = agreed_to(case_with("!party add Carl carl@example.net on Jones"), f"!channel add Carl {NUMBER}").case
    assert "by the other channel" in refused(case, "!channel Carl (WhatsApp) new@example.net", KNOWN)


def test_one_channel_is_left_and_what_was_theirs_stays_by_the_other() -> None:
    case = does(with_two("!mute Alice"), "!pause").case
    assert does(case, "!channel leave Alice (WhatsApp)").answer.count("CAREFUL") == 1  # as she has not come in
    left = agreed_to(case, "!channel leave Alice (matrix)")
    assert named(left.case, "Alice").id == CHAT.id
    assert silenced(left.case, CHAT.id)
    assert CHAT.id in readers(left.case, SMITH)
    assert NATIVE.id not in readers(left.case, SMITH)
    assert [(e.to, "no more in Matrix" in e.text) for e in of_kind(Inform, left.effects)] == [(CHAT.id, True)]


def test_to_matrix_is_the_other_channel_added_and_the_first_left() -> None:
    assert "!channel add Carl @carl:example.org" in refused(both_sides(), "!channel Carl @carl:example.org", KNOWN)
    case = agreed_to(both_sides("!mute Carl"), "!channel add Carl @carl:example.org").case
    case = agreed_to(case, "!channel leave Carl (mail)").case
    (carl,) = case.called("Carl")
    assert carl.endpoint.network is Network.MATRIX
    assert silenced(case, carl.id)
    unmuted = does(case, "!unmute Carl").case
    assert not silenced(unmuted, carl.id)


def test_the_mediator_is_warned_when_the_channel_that_stays_is_not_fit() -> None:
    case = agreed_to(both_sides(), "!channel add Alice alice@example.net").case
    assert "CAREFUL: the mailbox is not confirmed yet" in does(case, "!channel leave Alice (matrix)").answer


def test_whoever_is_taken_off_goes_with_both_channels() -> None:
    case = with_two("!mute Alice")
    asked = does(case, "!party remove Alice")
    assert "With all channels: Alice (matrix) and Alice (WhatsApp)." in asked.answer
    gone = does(asked.case, "yes 6H4C").case
    assert gone.called("Alice") == ()
    assert gone.floor.muted == ()


def test_a_yes_to_take_somebody_off_is_void_once_they_have_another_channel() -> None:
    asked = does(both_sides(), "!party remove Alice").case
    known = replace(KNOWN, code="2B3C")
    more = does(does(asked, f"!channel add Alice {NUMBER}", known).case, "yes 2B3C", known).case
    assert "void" in does(more, "yes 6H4C").answer


def test_undo_says_how_it_is_taken_back() -> None:
    assert "!channel leave Alice (WhatsApp)" in refused(
        agreed_to(both_sides(), f"!channel add Alice {NUMBER}").case, "!undo", KNOWN
    )
    assert "!channel add" in refused(agreed_to(CASE, "!channel leave Alice (WhatsApp)").case, "!undo", KNOWN)


def test_the_organisation_adds_one_with_what_is_on_paper() -> None:
    agreed, _ = agreed_case()
    paper = Consent("Mia", AT, "agreed")
    known = replace(KNOWN, by=None)
    outcome = AddChannel("Carl", Network.WHATSAPP, NUMBER, paper, paper).perform(agreed, known)
    assert isinstance(outcome, Done)
    chat = named(outcome.case, "Carl (WhatsApp)")
    assert chat.endpoint.content_consent == paper
    assert may_join(outcome.case, chat.id)


def test_how_far_they_have_come_in_stays_theirs() -> None:
    arrived = came(CASE, CHAT.id, AT)
    assert arrived is not None
    for case in (CASE, arrived.case):
        left = agreed_to(case, "!channel leave Alice (matrix)").case
        assert funnel(left) == funnel(case)


def test_an_interpreter_reads_both_private_rooms_by_both_channels() -> None:
    seats = [f"!party add Ina @ina:example.org as interpreter on {side}" for side in ("Smith", "Jones")]
    case = agreed_to(both_sides(*seats), "!channel add Ina ina@example.net").case
    first, second = case.called("Ina")
    for side in ("Smith", "Jones"):
        assert {first.id, second.id} <= readers(case, caucus_of(case, side))
    # What she hears in the one private room goes nowhere but there.
    told = of_kind(Relay, said(case, "Alice", SMITH).effects)
    assert {(relay.to, relay.conversation) for relay in told} == {(second.id, SMITH)}
    assert "needs exactly one private room" in refused(both_sides(*seats), f"!channel add Ina {NUMBER}", KNOWN)


def test_counsel_has_two_channels_on_the_side_of_whom_they_counsel() -> None:
    case = agreed_to(
        both_sides("!party add Bob @bob:example.org as counsel on Jones"), f"!channel add Bob {NUMBER}"
    ).case
    seats = {(seat.role, seat.side) for leg in case.called("Bob") for seat in case.roles(leg.id)}
    assert len(seats) == 1
    assert all(leg.id not in readers(case, SMITH) for leg in case.called("Bob"))


def agreed_by(case: Case, leg: str, code: str) -> Case:
    """The case once they have agreed there to what was asked under that code."""
    person = named(case, leg)
    is_chat = person.endpoint.network is Network.WHATSAPP
    proof = SignedWebhook("1", person.endpoint.id) if is_chat else SignedDevice()
    where = caucuses_of(case, person.id)[0]
    outcome = take(case, Answer(code, True, person.id, where, proof), replace(KNOWN, by=person.id, where=where))
    assert isinstance(outcome, Done)
    return outcome.case


def test_the_mediator_is_told_before_whether_the_channel_that_stays_has_been_come_in_by() -> None:
    agreed, questions = agreed_case()
    added = agreed_to(agreed, f"!channel add Alice {NUMBER}")
    native, chat = added.case.called("Alice")
    leave = "!channel leave Alice (WhatsApp)"
    assert "CAREFUL: they have not come in yet, by either" in does(added.case, leave).answer
    arrived = came(added.case, chat.id, AT)
    assert arrived is not None
    shown = does(arrived.case, leave, replace(KNOWN, code="5T5T"))
    assert "CAREFUL: nothing that came from there shows yet that they are in" in shown.answer
    assert len(does(shown.case, "yes 5T5T").case.called("Alice")) == 1, "it is not refused"
    code = next(pose.code for pose in questions if pose.to == native.id)
    assert "CAREFUL" not in does(agreed_by(arrived.case, "Alice (matrix)", code), leave).answer
    on_paper = does(arrived.case, "!agreement accepted Alice (matrix): signed at the office").case
    assert "nothing that came from there" in does(on_paper, leave).answer


def test_how_they_come_in_goes_on_by_the_channel_that_stays() -> None:
    case = unasked(agreed_to(both_sides(), "!channel add Carl +34600123456").case)
    left = agreed_to(case, "!channel leave Carl (mail)")
    (carl,) = left.case.called("Carl")
    (alarm,) = of_kind(Schedule, left.effects)
    assert alarm == Schedule(AT + STEP_LASTS, due_key(Due.JOINING, carl.id))
    step = decide_due(left.case, alarm.key, replace(KNOWN, at=alarm.at, by=None))
    assert step.rule == TELEPHONE
    assert "Telephone Carl" in of_kind(Tell, step.effects)[0].text
    arrived = came(case, carl.id, AT)
    assert arrived is not None
    for nobody_waits in (arrived.case, step.case):
        command = "!channel leave Carl (mail)" if len(nobody_waits.called("Carl")) > 1 else None
        assert command is None or not of_kind(Schedule, agreed_to(nobody_waits, command).effects)
    assert not of_kind(Schedule, agreed_to(case, "!channel leave Carl (WhatsApp)").effects), "its own still runs"


@pytest.mark.parametrize("kept", ["!quiet for 14d", "!quiet 05:00-20:00 UTC"])
def test_who_has_the_other_channel_can_not_keep_the_warning_from_the_first(kept: str) -> None:
    added = agreed_to(both_sides("!quiet Carl 08:00-12:00 UTC"), "!channel add Carl +34600123456")
    by_mail = added.case.called("Carl")[0]
    warning = next(e for e in of_kind(Inform, added.effects) if e.to == by_mail.id)
    quieted = says(added.case, "Carl (WhatsApp)", kept, "Jones")
    assert isinstance(quieted, Done)
    noon = AT + timedelta(hours=2)
    for case in (added.case, quieted.case):
        assert isinstance(waits := kept_back(case, warning, AT, AT), Parked)
        assert waits.until == noon
        assert kept_back(case, warning, AT, noon) is None
    assert isinstance(kept_back(quieted.case, replace(warning, due=None), AT, noon), Parked), "as anything else does"
    left = agreed_to(unasked(quieted.case), "!channel leave Carl (WhatsApp)")
    (ends,) = of_kind(Inform, left.effects)
    assert ends.due is not None
    woken = does(added.case, "!quiet Carl off").case
    assert kept_back(woken, warning, AT, AT) is None


# --- one voice


@pytest.mark.parametrize("name", ["Alice", "Alice (matrix)", "Alice (WhatsApp)"])
def test_a_muted_person_is_muted_on_every_channel(name: str) -> None:
    case = does(CASE, f"!mute {name}").case
    for leg in (NATIVE, CHAT):
        assert objection(case, leg.id, JOINT) is not None
        assert of_kind(Relay, said(case, leg.of_network, JOINT).effects) == []
    level = next(room for room in plan(case) if room.key == "joint").levels.users
    assert level[NATIVE.id] == level[CHAT.id] == -1
    told = of_kind(Inform, does(CASE, f"!mute {name}").effects)
    assert {effect.to for effect in told} == {NATIVE.id, CHAT.id}
    free = does(case, "!unmute Alice").case
    assert objection(free, CHAT.id, JOINT) is objection(free, NATIVE.id, JOINT) is None


def test_a_turn_is_theirs_by_either_channel_and_nobody_elses() -> None:
    case = does(CASE, "!turn Alice 10m").case
    assert objection(case, NATIVE.id, JOINT) is objection(case, CHAT.id, JOINT) is None
    assert objection(case, named(case, "Carl").id, JOINT) is not None
    assert "Alice has the word" in does(agreed_to(case, "!channel leave Alice (matrix)").case, "!status").answer


def test_who_wrote_by_one_channel_waits_in_slow_mode_on_the_other() -> None:
    case = said(does(CASE, "!slow 10m").case, "Alice (WhatsApp)", JOINT).case
    assert objection(case, NATIVE.id, JOINT) is not None


def test_a_pause_is_taken_back_by_the_other_channel_and_a_withdrawal_freezes_both() -> None:
    paused = says(CASE, "Alice (WhatsApp)", "!pause")
    assert isinstance(paused, Done)
    resumed = says(paused.case, "Alice (matrix)", "!resume")
    assert isinstance(resumed, Done)
    assert resumed.case.pauses == ()
    gone = agreed_to(CASE, "!withdraw Alice").case
    assert gone.has_withdrawn(CHAT.id)
    assert {e.to for e in of_kind(Inform, agreed_to(CASE, "!withdraw Alice").effects)} >= {NATIVE.id, CHAT.id}
    for leg in (NATIVE, CHAT):
        assert objection(gone, leg.id, SMITH) is not None
    left = agreed_to(gone, "!channel leave Alice (matrix)").case
    assert objection(left, CHAT.id, SMITH) is not None
    assert not does(left, "!resume Alice").case.has_withdrawn(CHAT.id)


def test_whoever_withdrew_gets_no_other_channel() -> None:
    gone = agreed_to(both_sides(), "!withdraw Alice").case
    assert "has withdrawn" in refused(gone, f"!channel add Alice {NUMBER}", KNOWN)


def test_what_one_channel_wrote_is_not_told_the_other_and_reaches_everybody_else() -> None:
    for where in (JOINT, SMITH):
        native = of_kind(Relay, said(CASE, "Alice (matrix)", where).effects)
        chat = of_kind(Relay, said(CASE, "Alice (WhatsApp)", where).effects)
        others = {named(CASE, "Carl").id} if where == JOINT else set()
        assert {relay.to for relay in native} == {relay.to for relay in chat} == others


def test_what_others_write_reaches_each_channel_once() -> None:
    for author, where in (("Carl", JOINT), ("Mia", JOINT), ("Mia", SMITH)):
        proof = AuthenticatedMail() if author == "Carl" else SignedDevice()
        decision = decide(CASE, message(CASE, author, where, Text("hello"), proof), replace(KNOWN, where=where))
        assert [relay.to for relay in of_kind(Relay, decision.effects)].count(CHAT.id) == 1


def test_released_words_of_theirs_are_not_sent_to_their_other_channel() -> None:
    case = does(CASE, "!mode released").case
    submitted = says(case, "Alice (matrix)", "!submit: I would go as far as June")
    assert isinstance(submitted, Done)
    (pose,) = of_kind(Pose, submitted.effects)
    assert pose.to == NATIVE.id
    yes = Answer(pose.code, True, CHAT.id, SMITH, SignedWebhook("1", CHAT.endpoint.id))
    assert isinstance(take(submitted.case, yes, replace(KNOWN, by=CHAT.id, where=SMITH)), Refused)
    queued = take(submitted.case, replace(yes, by=NATIVE.id, proof=SignedDevice()), replace(KNOWN, by=NATIVE.id))
    assert isinstance(queued, Done)
    number = queued.case.releases[-1].id
    released = agreed_to(queued.case, f"!release {number}")
    assert {e.to for e in of_kind(Publish, released.effects)} == {None, named(case, "Carl").id}
    assert {e.to for e in of_kind(Relay, released.effects)} == set()


def released_to(case: Case) -> tuple[Case, Publish]:
    """Words of Alice, released to everybody, and the copy that goes to Carl."""
    submitted = says(does(case, "!mode released").case, "Alice", "!submit: I would go as far as June")
    assert isinstance(submitted, Done)
    (pose,) = of_kind(Pose, submitted.effects)
    queued = agreed_by(submitted.case, "Alice", pose.code)
    released = agreed_to(queued, f"!release {queued.releases[-1].id}")
    return released.case, next(e for e in of_kind(Publish, released.effects) if e.to == named(case, "Carl").id)


def test_a_release_is_not_kept_from_its_reader_by_another_channel_of_somebody_who_reads_it_anyway() -> None:
    case, copy = released_to(both_sides("!party add Dora @dora:example.org as counsel on Jones"))
    more = unasked(agreed_to(case, f"!channel add Dora {NUMBER}").case)
    second = named(more, "Dora (WhatsApp)").id
    assert second in readers(more, JOINT)
    assert may_publish(more, JOINT, copy.audience, copy.to) == Go()
    left = agreed_to(more, "!channel leave Dora (matrix)").case
    assert may_publish(left, JOINT, copy.audience, copy.to) == Go()
    assert isinstance(may_publish(more, JOINT, copy.audience), Cancel), "a room shows it to whoever reads there"
    assert isinstance(may_publish(more, JOINT, copy.audience, second), Cancel), "it was not made for that channel"
    other = does(more, "!party add Emma @emma:example.org as counsel on Jones").case
    assert isinstance(may_publish(other, JOINT, copy.audience, copy.to), Cancel)


def test_a_party_takes_its_submission_back_by_the_other_channel() -> None:
    submitted = says(CASE, "Alice (matrix)", "!submit: I would go as far as June")
    assert isinstance(submitted, Done)
    number = submitted.case.releases[-1].id
    back = says(submitted.case, "Alice (WhatsApp)", f"!return {number}")
    assert isinstance(back, Done)
    assert not back.case.releases[-1].is_open


# --- one answer


def test_a_question_is_asked_on_both_and_answered_once() -> None:
    asked = does(CASE, "!ask Alice: Does Thursday suit you?")
    first, second = of_kind(Pose, asked.effects)
    assert {first.to, second.to} == {NATIVE.id, CHAT.id}
    assert len(waiting(asked.case, NOTHING)) == 1
    assert asked.answer.startswith("Alice: asked")
    given = Answer(second.code, True, second.to, SMITH, SignedWebhook("1", CHAT.endpoint.id))
    outcome = take(asked.case, given, replace(KNOWN, by=second.to, where=SMITH))
    assert isinstance(outcome, Done)
    assert outcome.case.asks == ()
    assert any(e.to == first.to and first.code in e.text for e in of_kind(Inform, outcome.effects))
    again = Answer(first.code, False, first.to, SMITH, SignedDevice())
    assert isinstance(take(outcome.case, again, replace(KNOWN, by=first.to, where=SMITH)), Refused)


def test_a_side_is_asked_and_each_human_being_answers_for_themselves() -> None:
    case = unasked(does(CASE, "!party add Bob @bob:example.org as counsel on Smith").case)
    asked = does(case, "!ask Smith: Does Thursday suit you?")
    assert len(of_kind(Pose, asked.effects)) == 3
    assert {one.who for one in waiting(asked.case, NOTHING)} == {"Alice", "Bob"}
    mine = next(pose for pose in of_kind(Pose, asked.effects) if pose.to == CHAT.id)
    given = Answer(mine.code, True, mine.to, SMITH, SignedWebhook("1", CHAT.endpoint.id))
    outcome = take(asked.case, given, replace(KNOWN, by=mine.to, where=SMITH))
    assert isinstance(outcome, Done)
    assert [ask.asked for ask in outcome.case.asks] == [named(case, "Bob").id]
    assert all(isinstance(ask.act, Wondering) for ask in outcome.case.asks)


# --- shown as one


def test_people_are_listed_once_with_the_ways_to_them() -> None:
    assert str(reader_names(CASE, SMITH)) == "Mia (mediator), Alice (in Matrix, by WhatsApp)"
    assert status_text(CASE).count("– Alice:") == 1
    assert "in Matrix as @alice:example.org; and by WhatsApp at +34600123456" in status_text(CASE)
    assert sides_text(CASE) == "Smith: Alice (party)\nJones: Carl (party)"
    assert funnel(CASE).invited == 2
    assert case_board(CASE, NOTHING, at=AT).text.count("Not in yet: Alice") == 1


def test_whoever_comes_by_either_channel_has_come() -> None:
    arrived = came(CASE, CHAT.id, AT)
    assert arrived is not None
    assert arrived.reason == "Alice is in"
    assert came(arrived.case, NATIVE.id, AT) is None


def test_a_language_and_a_rest_are_the_persons() -> None:
    case = does(CASE, "!language Alice de").case
    assert {leg.language for leg in case.called("Alice")} == {"de"}
    rested = says(
        agreed_to(both_sides(), "!channel add Carl +34600123456").case, "Carl (mail)", "!quiet for 3d", "Jones"
    )
    assert isinstance(rested, Done)
    assert all(leg.rests for leg in rested.case.called("Carl"))


@pytest.mark.parametrize("name", ["Carl", "Carl (mail)", None])
def test_a_digest_is_the_mailboxs_whichever_channel_asks_for_it(name: str | None) -> None:
    case = agreed_to(both_sides(), f"!channel add Carl {NUMBER}").case
    by_mail, chat = case.called("Carl")
    outcome = does(case, f"!digest {name} 18:00") if name else says(case, "Carl (WhatsApp)", "!digest 18:00", "Jones")
    assert isinstance(outcome, Done)
    assert [bool(leg.digest) for leg in outcome.case.called("Carl")] == [True, False]
    told = {by_mail.id} if name else {by_mail.id, chat.id}
    assert {effect.to for effect in of_kind(Inform, outcome.effects)} == told


def test_whoever_wants_to_be_left_alone_is_so_on_a_new_channel() -> None:
    case = both_sides("!quiet Carl for 3d", "!discreet Carl on")
    chat = named(agreed_to(case, f"!channel add Carl {NUMBER}").case, "Carl (WhatsApp)")
    assert chat.rests
    assert chat.discreet
    native = named(agreed_to(case, "!channel add Carl @carl:example.org").case, "Carl (matrix)")
    assert (native.rests, native.discreet) == (None, None)


def test_ids_are_never_given_twice_and_a_case_of_before_has_one_voice_each() -> None:
    before = both_sides()
    assert before.voices() == before.people
    assert all(before.voice(p.id) == p.id for p in before.people)
    assert before.living(PersonId("p99")) is None
    again = agreed_to(agreed_to(CASE, "!channel leave Alice (WhatsApp)").case, f"!channel add Alice {NUMBER}").case
    assert named(again, "Alice (WhatsApp)").id not in {p.id for p in CASE.people}
    assert again.same_voice(CHAT.id, named(again, "Alice (WhatsApp)").id)

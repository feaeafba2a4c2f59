"""What commands do to a case, and how each refusal says what would work."""

from datetime import timedelta

import pytest

from policies.acts import create
from policies.case import DESK, JOINT, Case, CaseId, Network, PersonId, Phase, Role
from policies.commands.opening import NewCase
from policies.commands.people import AddPerson
from policies.commands.session import OpenJoint
from policies.effects import Introduce, Reconcile, Resume, Tell
from policies.networks.delivery import channel_key
from policies.outcome import Done, Refused
from policies.people.membership import readers
from policies.questions.asking import ASK_LASTS
from policies.showing import Preview, ShowHeld
from tests.policies.builders import (
    ALICE_JOINS,
    AT,
    CARL_JOINS,
    MIA,
    both_sides,
    case_with,
    caucus_of,
    done,
    facts,
    named,
    new_case,
    of_kind,
    refused,
    say,
)

# --- who comes in


def test_the_first_party_convenes_the_case_and_gets_a_side() -> None:
    outcome = done(new_case(), "!party add Alice @alice:example.org")
    assert outcome.case.phase is Phase.CONVENED
    assert [side.name for side in outcome.case.sides] == ["Alice"]
    assert "Alice (party) is in" in outcome.answer


def test_somebody_by_mail_is_introduced_to_each_of_their_rooms() -> None:
    outcome = done(case_with(ALICE_JOINS, "!open"), CARL_JOINS)
    carl = named(outcome.case, "Carl")
    introduced = {effect.conversation for effect in of_kind(Introduce, outcome.effects) if effect.person == carl.id}
    assert introduced == {caucus_of(outcome.case, "Jones"), JOINT}
    assert of_kind(Reconcile, outcome.effects)


def test_nobody_in_matrix_is_introduced_by_mail() -> None:
    assert not of_kind(Introduce, done(new_case(), ALICE_JOINS).effects)


def test_without_a_consent_the_mediator_learns_how_to_record_one() -> None:
    answer = done(new_case(), CARL_JOINS).answer
    assert "Links without words are mailed" in answer
    assert "!mail pin Carl" in answer
    assert "!consent Carl:" in answer


def test_an_account_of_another_homeserver_is_refused_and_another_channel_offered() -> None:
    said = refused(new_case(), "!party add Alice @alice:elsewhere.example")
    assert "another homeserver" in said
    assert "@alice:example.org" in said
    assert "name@example.org" in said


@pytest.mark.parametrize("address", ["@alice", "@alice:", "@Ali ce:example.org", "@ALICE:example.org"])
def test_what_is_no_matrix_id_is_refused_with_one_that_is(address: str) -> None:
    command = AddPerson("Alice", Network.MATRIX, address)
    outcome = create(new_case(), NewCase("x", (command,)), facts())
    assert isinstance(outcome, Refused)
    assert "@alice:example.org" in str(outcome)


def test_our_own_ghosts_are_refused() -> None:
    assert "our own" in refused(new_case(), "!party add Carl @_mediatrix_abc:example.org")


def test_our_own_reply_addresses_are_refused() -> None:
    assert "our own" in refused(new_case(), "!party add Carl r.abc@REPLY.example.org")


@pytest.mark.parametrize("address", ["carl@", "carl@example", "ca rl@example.org", "a@b@c.org", "carl@exa mple.org"])
def test_what_is_no_mail_address_is_refused(address: str) -> None:
    command = AddPerson("Carl", Network.EMAIL, address)
    assert isinstance(create(new_case(), NewCase("x", (command,)), facts()), Refused)


def test_without_mail_nobody_comes_by_mail() -> None:
    assert "not set up" in refused(new_case(), CARL_JOINS, facts(mail=False))


@pytest.mark.parametrize("command", ["!mediator add Ines ines@example.net", "!party add Ines i@x.org as mediator"])
def test_a_mediator_does_not_come_by_mail(command: str) -> None:
    assert "works from Matrix" in refused(new_case(), command)


@pytest.mark.parametrize("spelled", ["carl@example.net", "CARL@example.NET"])
def test_the_same_address_does_not_serve_two_people(spelled: str) -> None:
    said = refused(both_sides(), f"!party add Carlos {spelled} on Smith")
    assert "Carl" in said
    assert "nobody is on two sides" in said


def test_the_same_person_is_not_on_two_sides() -> None:
    assert "nobody is on two sides" in refused(both_sides(), "!party add Alice @alice:example.org on Jones")


@pytest.mark.parametrize("role", ["counsel", "supporter", "party"])
def test_the_same_counsel_is_not_on_two_sides(role: str) -> None:
    case = both_sides("!party add Bob @bob:example.org as counsel on Smith")
    assert "nobody is on two sides" in refused(case, f"!party add Bob @bob:example.org as {role} on Jones")


def test_a_mediator_is_not_a_party_too() -> None:
    refused(both_sides(), "!party add Mia @mia:example.org on Smith")


def test_an_interpreter_serves_both_sides_and_both_are_told() -> None:
    case = both_sides("!party add Dan @dan:example.org as interpreter on Smith")
    outcome = done(case, "!party add Dan @dan:example.org as interpreter on Jones")
    dan = named(outcome.case, "Dan")
    for side in ("Smith", "Jones"):
        assert dan.id in readers(outcome.case, caucus_of(outcome.case, side))
    told = {effect.conversation: effect.text for effect in of_kind(Tell, outcome.effects)}
    assert "Dan (interpreter" in told[caucus_of(outcome.case, "Jones")]


def test_an_interpreter_of_one_side_does_not_become_counsel_of_the_other() -> None:
    case = both_sides("!party add Dan @dan:example.org as interpreter on Smith")
    refused(case, "!party add Dan @dan:example.org as counsel on Jones")


def test_counsel_does_not_become_an_interpreter_of_the_other_side() -> None:
    case = both_sides("!party add Dan @dan:example.org as counsel on Smith")
    refused(case, "!party add Dan @dan:example.org as interpreter on Jones")


def test_an_interpreter_does_not_change_names_between_sides() -> None:
    case = both_sides("!party add Dan @dan:example.org as interpreter on Smith")
    refused(case, "!party add Daniel @dan:example.org as interpreter on Jones")


def test_nobody_sits_twice_on_one_chair() -> None:
    case = both_sides("!party add Dan @dan:example.org as interpreter on Smith")
    assert "there already" in refused(case, "!party add Dan @dan:example.org as interpreter on Smith")


@pytest.mark.parametrize("role", ["counsel", "supporter", "interpreter"])
def test_whoever_belongs_to_a_side_must_be_put_on_one(role: str) -> None:
    said = refused(both_sides(), f"!party add Bob @bob:example.org as {role}")
    assert "On which side" in said
    assert "Smith" in said


def test_an_observer_gets_no_side() -> None:
    case = both_sides("!party add Olga @olga:example.org as observer")
    assert [seat.side for seat in case.roles(named(case, "Olga").id)] == [None]
    assert len(case.sides) == 2


@pytest.mark.parametrize(
    "name",
    [
        "EVERYONE",
        "Everyone in the case",
        "PRIVATE with mediator",
        "ＰＲＩＶＡＴＥ with mediator",
        "Рrivate",
        "PRlVATE with mediator",
        "Mediatrix",
        "Dеsk",
        "Al\u202eice",
        "Al\u200bice",
        "Alice (mediator)",
        "Alice: released",
        "<b>Alice</b>",
        "x" * 65,
    ],
)
def test_no_name_imitates_our_labels(name: str) -> None:
    command = AddPerson(name, Network.MATRIX, "@alice:example.org")
    outcome = create(new_case(), NewCase("x", (command,)), facts())
    assert isinstance(outcome, Refused)
    assert "name" in str(outcome)


@pytest.mark.parametrize("twin", ["alice", "ALICE", "Alíce", "Аlice", "AIice", "A1ice", "  Alice "])
def test_no_two_names_look_alike(twin: str) -> None:
    command = AddPerson(twin, Network.MATRIX, "@other:example.org")
    outcome = create(both_sides(), NewCase("x", (command,)), facts())
    assert isinstance(outcome, Refused)


# --- who goes


def test_a_removal_asks_first_and_then_takes_reading_away() -> None:
    asked = done(both_sides(), "!party remove Carl")
    assert "yes 4F2A" in asked.answer
    assert asked.case.named("Carl")
    assert not of_kind(Reconcile, asked.effects)
    gone = done(asked.case, "yes 4f2a")
    assert gone.case.named("Carl") is None
    assert of_kind(Reconcile, gone.effects) == [Reconcile(leaving=frozenset({"carl@example.net"}))]
    assert {effect.conversation for effect in of_kind(Tell, gone.effects)} >= {JOINT, caucus_of(gone.case, "Jones")}


def test_the_organisation_is_not_asked() -> None:
    assert done(both_sides(), "!party remove Carl", facts(None)).case.named("Carl") is None


def test_the_only_mediator_stays() -> None:
    case = done(both_sides(), "!party remove Mia").case
    assert "only mediator" in refused(case, "yes 4F2A")
    assert "only mediator" in refused(both_sides(), "!party remove Mia", facts(None))


def test_one_of_two_mediators_may_go_and_their_questions_with_them() -> None:
    case = both_sides("!mediator add Ines @ines:example.org")
    ines = named(case, "Ines")
    case = done(case, "!party remove Carl", facts(ines.id, code="2AAA")).case
    case = done(case, "!party remove Ines", facts(None)).case
    assert case.asks == ()
    assert case.named("Carl")


def test_nobody_of_that_name_is_removed() -> None:
    assert "In this case: Mia, Alice, Carl" in refused(both_sides(), "!party remove Zoe")


def test_an_id_is_never_used_again() -> None:
    case = both_sides()
    before = named(case, "Carl")
    case = done(done(case, "!party remove Carl").case, "yes 4F2A").case
    again = named(done(case, CARL_JOINS).case, "Carl")
    assert again.id != before.id
    assert again.endpoint.id != before.endpoint.id
    assert again.endpoint.content_consent is None


# --- questions


def test_another_persons_yes_answers_nothing() -> None:
    case = both_sides("!mediator add Ines @ines:example.org")
    case = done(case, "!party remove Carl").case
    assert "No question of yours" in refused(case, "yes 4F2A", facts(named(case, "Ines").id))
    assert "No question of yours" in refused(case, "yes 4F2A", facts(None))


def test_a_yes_comes_in_time_or_not_at_all() -> None:
    case = done(both_sides(), "!party remove Carl").case
    late = facts(at=AT + ASK_LASTS)
    assert "No question of yours" in refused(case, "yes 4F2A", late)
    assert isinstance(say(case, "yes 4F2A", facts(at=AT + ASK_LASTS - timedelta(seconds=1))), Done)


def test_a_yes_counts_once() -> None:
    case = done(done(both_sides(), "!party remove Carl").case, "yes 4F2A").case
    assert "No question of yours" in refused(done(case, CARL_JOINS).case, "yes 4F2A")


def test_a_yes_to_another_code_does_nothing() -> None:
    assert "No question of yours" in refused(done(both_sides(), "!party remove Carl").case, "yes 4F2B")


def test_the_same_question_asked_again_makes_the_old_code_void() -> None:
    case = done(done(both_sides(), "!party remove Carl").case, "!party remove Carl", facts(code="2BBB")).case
    refused(case, "yes 4F2A")
    done(case, "yes 2BBB")


def test_two_questions_are_answered_each_by_its_own_code() -> None:
    case = done(both_sides(), "!party remove Carl").case
    case = done(case, "!party remove Alice", facts(code="2BBB")).case
    case = done(case, "yes 2BBB").case
    assert case.named("Alice") is None
    assert case.named("Carl")


def test_a_repair_is_previewed_and_done_on_a_yes() -> None:
    asked = done(both_sides(), "!repair")
    assert of_kind(Preview, asked.effects)
    assert of_kind(Reconcile, done(asked.case, "yes 4F2A").effects) == [Reconcile(again=True)]


# --- the session


def test_opening_needs_a_party() -> None:
    assert "no party" in refused(new_case(), "!open")


def test_opening_twice_is_refused() -> None:
    assert "open already" in refused(both_sides(), "!open")


def test_opening_introduces_the_joint_room_to_those_on_mail() -> None:
    outcome = done(case_with(ALICE_JOINS, CARL_JOINS), "!open")
    assert of_kind(Introduce, outcome.effects) == [Introduce(named(outcome.case, "Carl").id, JOINT, as_link=True)]
    assert of_kind(Tell, outcome.effects) == []


# --- consent, and the rest


def test_a_consent_is_recorded_with_its_wording_and_wakes_what_waits() -> None:
    outcome = done(case_with(ALICE_JOINS, CARL_JOINS), "!consent carl: agreed by telephone: yes, mail me")
    carl = named(outcome.case, "Carl")
    assert carl.endpoint.content_consent
    assert carl.endpoint.content_consent.recorded_by == "Mia"
    assert carl.endpoint.content_consent.wording == "agreed by telephone: yes, mail me"
    assert of_kind(Resume, outcome.effects) == [Resume(channel_key(outcome.case, carl.endpoint.id))]


def test_no_consent_is_needed_in_matrix() -> None:
    assert "no consent is needed" in refused(both_sides(), "!consent Alice: yes")


def test_a_side_with_such_a_name_stands_already() -> None:
    assert "already" in refused(both_sides(), "!side add SMITH")


def test_a_case_file_is_refused_whole() -> None:
    steps = (
        AddPerson("Mia", Network.MATRIX, "@mia:example.org", Role.MEDIATOR),
        AddPerson("Alice", Network.MATRIX, "@alice:elsewhere.example"),
        OpenJoint(),
    )
    assert isinstance(create(Case(CaseId("1"), "x"), NewCase("x", steps), facts(None)), Refused)


def test_what_belongs_to_the_direct_chat_is_not_done_at_a_desk() -> None:
    assert "direct chat" in refused(both_sides(), "!case new Other")
    assert "direct chat" in refused(both_sides(), "!case list")


def test_what_changes_nothing_moves_no_room() -> None:
    for command in ("!status", "!side list", "!help", "!party remove Carl"):
        assert not of_kind(Reconcile, done(both_sides(), command).effects)
    assert of_kind(ShowHeld, done(both_sides(), "!held 2").effects) == [ShowHeld("2")]


def test_the_desk_is_never_told_who_reads_it() -> None:
    outcome = done(both_sides(), "!mediator add Ines @ines:example.org")
    assert DESK not in {effect.conversation for effect in of_kind(Tell, outcome.effects)}
    assert named(outcome.case, "Ines").id != PersonId(MIA)

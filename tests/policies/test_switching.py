"""Somebody is reached over another network: the same person, and nothing of the former channel counts any more."""

from dataclasses import replace

import pytest

from policies.acts import take
from policies.case import JOINT, Case, Network, Person, Seen
from policies.commands.form import Misunderstood
from policies.commands.switching import ChangeChannel
from policies.commands.vocabulary import parse
from policies.effects import Announce, Introduce, Pose, Reconcile, Resume
from policies.message import SignedWebhook
from policies.networks.delivery import Go, Wait, by_link, channel_key, may_relay
from policies.outcome import Done, Facts, Refused
from policies.questions.ask import Wondering
from policies.questions.asking import Answer
from policies.showing import GivePin
from tests.policies.builders import agreed_case, both_sides, caucus_of, facts, named, of_kind, say, unasked

NUMBER = "+34600123456"
MAIL = "!channel Bea bea@example.net"
TELEPHONE = f"!channel Carl {NUMBER}"
KNOWN = replace(facts(code="6H4C"), whatsapp=True)


def does(case: Case, command: str, known: Facts = KNOWN) -> Done:
    outcome = say(case, command, known)
    assert isinstance(outcome, Done), outcome
    return outcome


def with_bea() -> Case:
    """Carl by mail, and Bea by WhatsApp beside him."""
    case = does(both_sides(), "!party add Bea +34600123999 as counsel on Jones").case
    return unasked(does(case, "!consent Bea: agreed").case)


CASE = with_bea()
CARL, BEA = named(CASE, "Carl"), named(CASE, "Bea")


def switched(case: Case, command: str) -> Done:
    return does(does(case, command).case, "yes 6H4C")


@pytest.mark.parametrize(
    ("command", "before", "network"), [(TELEPHONE, CARL, Network.WHATSAPP), (MAIL, BEA, Network.EMAIL)]
)
def test_they_stay_who_they_are_and_everything_of_the_channel_is_new(
    command: str, before: Person, network: Network
) -> None:
    after = named(switched(CASE, command).case, before.name)
    assert after.id == before.id
    assert after.endpoint.network is network
    assert after.endpoint.id != before.endpoint.id
    assert before.endpoint.content_consent is not None
    assert (after.endpoint.content_consent, after.endpoint.enrolled, after.endpoint.seen) == (None, None, None)
    assert CASE.roles(after.id) == switched(CASE, command).case.roles(after.id)


def test_the_mediator_is_told_first_and_nothing_has_changed_before_the_yes() -> None:
    outcome = does(CASE, TELEPHONE)
    assert "Carl takes part by mail at carl@example.net now, and would by WhatsApp at +34600123456." in outcome.answer
    assert "Make sure by telephone" in outcome.answer
    assert outcome.case.people == CASE.people
    assert does(outcome.case, "no 6H4C").case.people == CASE.people


def test_the_former_address_is_nobodys() -> None:
    after = switched(CASE, TELEPHONE).case
    assert after.at_address(Network.EMAIL, "carl@example.net") is None
    assert after.at_address(Network.WHATSAPP, NUMBER) == named(after, "Carl")


def test_no_words_go_to_a_number_before_a_consent_for_it_and_to_a_mailbox_only_links() -> None:
    after = switched(CASE, TELEPHONE).case
    assert isinstance(may_relay(after, JOINT, CARL.id), Wait)
    assert may_relay(does(after, "!consent Carl: agreed").case, JOINT, CARL.id) == Go()
    assert by_link(named(switched(CASE, MAIL).case, "Bea"))


def test_what_waited_is_woken_the_first_letters_go_and_its_readers_learn_of_it() -> None:
    outcome = switched(CASE, MAIL)
    assert Resume(channel_key(CASE, BEA.endpoint.id)) in outcome.effects
    assert Reconcile() in outcome.effects
    assert {e.conversation for e in of_kind(Introduce, outcome.effects)} == {JOINT, caucus_of(CASE, "Jones")}
    told = of_kind(Announce, outcome.effects)
    assert {effect.conversation for effect in told} == {JOINT, caucus_of(CASE, "Jones")}
    assert all("Bea (counsel, by mail)" in effect.text for effect in told)
    assert GivePin(BEA.id) in outcome.effects
    assert not of_kind(GivePin, switched(CASE, TELEPHONE).effects)


def test_a_question_that_was_put_there_is_over_and_the_mediator_knows() -> None:
    case = does(CASE, "!ask Carl: Well?", replace(KNOWN, code="7K5D")).case
    outcome = switched(case, TELEPHONE)
    assert [ask for ask in outcome.case.asks if isinstance(ask.act, Wondering)] == []
    assert "7K5D: ask Carl again" in outcome.answer
    late = take(outcome.case, Answer("7K5D", True, CARL.id, caucus_of(CASE, "Jones"), SignedWebhook()), KNOWN)
    assert isinstance(late, Refused)


def test_what_they_accepted_counts_and_what_they_were_asked_to_accept_is_asked_anew() -> None:
    case, asked = agreed_case()
    [first] = [pose for pose in asked if pose.to == named(case, "Carl").id]
    outcome = switched(case, TELEPHONE)
    [again] = [pose for pose in of_kind(Pose, outcome.effects) if pose.to == first.to]
    assert again.code != first.code
    on_paper = does(case, "!agreement accepted Carl: on paper").case
    assert switched(on_paper, TELEPHONE).case.accepted(first.to) is not None
    assert [pose for pose in of_kind(Pose, switched(on_paper, TELEPHONE).effects) if pose.to == first.to] == []


def test_a_mediators_own_questions_stay() -> None:
    other = does(CASE, "!party remove Alice", replace(KNOWN, code="8M6E")).case
    assert [ask.code for ask in switched(other, TELEPHONE).case.asks] == ["8M6E"]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("!channel Carl other@example.net", "takes part by mail already. !mail address Carl other@example.net"),
        ("!channel Bea +34600123457", "takes part by WhatsApp already. !whatsapp number Bea"),
        ("!channel Alice alice@example.net", "Nobody is moved between Matrix and other networks"),
        ("!channel Carl @carl:example.org", "Nobody is moved between Matrix and other networks"),
        ("!channel Mia mia@example.net", "Nobody is moved between Matrix and other networks"),
        ("!channel Carl +34600123999", "is Bea's address in this case"),
        ("!channel Bea CARL@example.net", "is Carl's address in this case"),
        ("!channel Nobody a@example.net", "Nobody here is called Nobody"),
    ],
)
def test_what_can_not_be_is_refused_with_what_would_work(command: str, why: str) -> None:
    outcome = say(CASE, command, KNOWN)
    assert isinstance(outcome, Refused)
    assert why in str(outcome)


def test_a_number_that_takes_part_in_another_case_is_refused_at_the_yes_too() -> None:
    elsewhere = replace(KNOWN, engaged=frozenset({NUMBER}))
    assert isinstance(say(CASE, TELEPHONE, elsewhere), Refused)
    asked = does(CASE, TELEPHONE).case
    assert isinstance(say(asked, "yes 6H4C", elsewhere), Refused)


def test_a_yes_to_another_former_address_is_void() -> None:
    asked = does(CASE, TELEPHONE).case
    other = does(asked, "!mail address Carl carl@example.com").case
    after = does(other, "yes 6H4C")
    assert "void" in after.answer
    assert named(after.case, "Carl").endpoint.network is Network.EMAIL


def test_a_person_who_wants_nothing_shown_keeps_that_on_the_new_channel() -> None:
    case = does(CASE, "!discreet Carl on").case
    assert named(switched(case, TELEPHONE).case, "Carl").discreet == named(case, "Carl").discreet is not None


def test_a_doubt_and_a_stop_are_shown_before_and_stay_with_the_former_channel() -> None:
    stopped = CASE.with_person(replace(BEA, endpoint=replace(BEA.endpoint, declined=True, seen=Seen("u"))))
    outcome = does(stopped, MAIL)
    assert "they wrote STOP" in outcome.answer
    assert not named(switched(stopped, MAIL).case, "Bea").endpoint.declined


@pytest.mark.parametrize("line", ["!channel", "!channel Carl", "!channel carl@example.net"])
def test_what_is_missing_is_said(line: str) -> None:
    assert isinstance(parse(line), Misunderstood)


def test_it_is_understood() -> None:
    assert parse("!channel Carl Mary +34 600 123 456") == ChangeChannel("Carl Mary", Network.WHATSAPP, NUMBER)

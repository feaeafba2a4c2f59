"""Who takes part by WhatsApp, and what is believed of who is there."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.acts import perform
from policies.case import JOINT, Case, Doubt, Endpoint, EndpointId, Network, Seen
from policies.commands.form import Misunderstood
from policies.commands.people import AddPerson
from policies.commands.vocabulary import parse
from policies.networks.delivery import Go, Wait, may_relay
from policies.networks.whatsapp import WhatsAppState, fingerprint, further, recognise
from policies.outcome import Done, Facts, Refused
from policies.status import readers_text, status_text
from tests.policies.builders import case_with, caucus_of, facts, named

BEA = "+34600123456"
ENDPOINT = Endpoint(EndpointId("e1"), Network.WHATSAPP, BEA)
KNOWN = replace(facts(), whatsapp=True)


def said(case: Case, line: str, known: Facts = KNOWN) -> Done | Refused:
    command = parse(line)
    assert not isinstance(command, Misunderstood), command
    return perform(case, command, known)


def done(case: Case, line: str) -> Case:
    outcome = said(case, line)
    assert isinstance(outcome, Done), outcome
    return outcome.case


@pytest.mark.parametrize(
    ("line", "address", "side"),
    [
        ("!party add Bea +34600123456", BEA, None),
        ("!party add Bea Bo +34 600 123 456 on Jones", BEA, "Jones"),
        ("!party add Bea 0034600123456 as counsel on Jones", BEA, "Jones"),
        ("!party add Bea ES.4711aB", "ES.4711aB", None),
    ],
)
def test_a_number_is_understood_however_it_is_typed(line: str, address: str, side: str | None) -> None:
    command = parse(line)
    assert isinstance(command, AddPerson)
    assert (command.network, command.address, command.side) == (Network.WHATSAPP, address, side)


def test_nobody_is_written_to_before_their_consent_is_on_record() -> None:
    case = done(case_with(), "!party add Bea +34600123456 on Jones")
    bea, own = named(case, "Bea"), caucus_of(case, "Jones")
    assert isinstance(may_relay(case, own, bea.id), Wait)
    assert may_relay(done(case, "!consent Bea: agreed by telephone"), own, bea.id) == Go()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("!party add Bea +34", "no telephone number"),
        ("!party add Bea +0034600123456", "no telephone number"),
        ("!party add Bea +34600123456 as interpreter on Jones", "exactly one private room"),
        ("!party add Bea +34600123456 as observer", "exactly one private room"),
        ("!mediator add Bea +34600123456", "exactly one private room"),
    ],
)
def test_who_can_not_take_part_so_is_refused_with_what_would_work(line: str, why: str) -> None:
    assert why in str(said(case_with(), line))


def test_without_a_bridge_nobody_can_be_added() -> None:
    assert "not set up" in str(said(case_with(), "!party add Bea +34600123456", facts()))


def test_nobody_is_in_two_cases_with_one_number_or_another_spelling_of_it() -> None:
    for elsewhere in ("+5511987654321", "+551187654321"):
        known = replace(KNOWN, engaged=frozenset({elsewhere}))
        assert "another case" in str(said(case_with(), "!party add Bea +5511987654321", known))


def test_two_people_never_share_a_number() -> None:
    case = done(case_with(), "!party add Bea +5511987654321")
    assert isinstance(said(case, "!party add Bo +55 11 8765 4321"), Refused)
    assert isinstance(said(case, "!party add Bo +55 11 98765 4321"), Refused)


def test_nobody_is_added_again_under_the_id_that_is_known_of_them() -> None:
    case = done(case_with(), "!party add Bea +34600123456")
    bea = named(case, "Bea")
    case = case.with_person(replace(bea, endpoint=replace(bea.endpoint, seen=Seen("ES.4711", BEA))))
    assert "ES.4711 is Bea" in str(said(case, "!party add Bo ES.4711"))


def test_a_key_that_is_gone_is_not_asked_for_once_its_successor_is_confirmed() -> None:
    case = done(case_with(), "!party add Bea +34600123456")
    now = Seen("ES.4711", BEA, None)
    doubted = replace(named(case, "Bea").endpoint, seen=Seen("ES.4711", BEA, "k1"), doubt=Doubt("a new telephone", now))
    case = case.with_person(replace(named(case, "Bea"), endpoint=doubted))
    assert named(done(case, f"!confirm Bea: {fingerprint(now)}"), "Bea").endpoint.seen == now


def test_a_number_that_was_typed_wrong_is_corrected_with_a_channel_that_nothing_is_known_of() -> None:
    case = done(done(case_with(), "!party add Bea +34600123456 on Jones"), "!consent Bea: agreed by telephone")
    old = named(case, "Bea")
    case = case.with_person(replace(old, endpoint=replace(old.endpoint, seen=Seen("ES.4711", BEA), declined=True)))
    bea = named(done(case, "!whatsapp number Bea +34 600 123 457"), "Bea")
    assert bea.id == old.id
    assert bea.endpoint == Endpoint(bea.endpoint.id, Network.WHATSAPP, "+34600123457")
    assert bea.endpoint.id != old.endpoint.id
    after = case.with_person(bea)
    assert after.at_address(Network.WHATSAPP, BEA) is None
    assert after.at_address(Network.WHATSAPP, "ES.4711") is None
    assert isinstance(may_relay(after, caucus_of(case, "Jones"), bea.id), Wait)


def test_a_number_is_not_changed_into_somebody_elses() -> None:
    case = done(done(case_with(), "!party add Bea +5511987654321"), "!party add Bo +34600123457")
    assert "Bea's number" in str(said(case, "!whatsapp number Bo +55 11 8765 4321"))
    known = replace(KNOWN, engaged=frozenset({"+34600123458"}))
    assert "another case" in str(said(case, "!whatsapp number Bo +34600123458", known))
    assert "no telephone number" in str(said(case, "!whatsapp number Bo +34"))
    assert "does not take part by WhatsApp" in str(said(case, "!whatsapp number Mia +34600123458"))
    assert "It needs a name" in str(parse("!whatsapp number +34600123458"))


def test_everybody_is_told_that_meta_reads() -> None:
    case = done(done(case_with(), "!party add Bea +34600123456 on Jones"), "!open")
    text = readers_text(case, JOINT)
    assert "Bea (by WhatsApp)" in text
    assert "Meta" in text
    assert BEA not in text
    assert BEA in status_text(case)


# --- who is there

SEEN = st.builds(
    Seen,
    st.sampled_from([None, "ES.1aa", "ES.2bb"]),
    st.sampled_from([None, BEA, "+34600999999"]),
    st.sampled_from([None, "k1", "k2"]),
)


@given(st.lists(SEEN, max_size=6))
def test_nothing_that_was_known_of_somebody_changes_without_a_doubt(shown: list[Seen]) -> None:
    endpoint = ENDPOINT
    for now in shown:
        known = recognise(endpoint, now)
        if isinstance(known, Doubt):
            continue
        before = endpoint.seen or Seen(phone=BEA)
        for one in ("user", "phone", "key"):
            assert getattr(before, one) in {None, getattr(known, one)}
            assert getattr(now, one) in {None, getattr(known, one)}
        endpoint = replace(endpoint, seen=known)


@given(SEEN)
def test_whoever_shows_the_same_again_is_believed_again(now: Seen) -> None:
    known = recognise(ENDPOINT, now)
    if not isinstance(known, Doubt):
        assert recognise(replace(ENDPOINT, seen=known), now) == known


@given(st.permutations(list(WhatsAppState)))
def test_reports_come_to_the_same_end_in_any_order(order: list[WhatsAppState]) -> None:
    state = WhatsAppState.LEAVING
    for one in order:
        state = further(state, one)
    assert state is WhatsAppState.READ

"""Verification by emoji against a client whose mathematics is vodozemac's: what is proven, and what ends it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.crypto.emoji import EMOJI
from appservice.crypto.ids import Ed25519Key
from appservice.crypto.verification import (
    Cancelled,
    Code,
    Comparing,
    Keys,
    Reply,
    Step,
    Verification,
    Verified,
    answer,
    cancel,
    confirm,
    decimals,
    emoji,
    hear,
)
from tests.appservice.crypto.people import ALICE, ROOM
from tests.appservice.crypto.sas_client import FLOW, THEM, US, Client, some_keys


@pytest.fixture(params=[None, ROOM], ids=["to-device", "in a room"])
def client(request: pytest.FixtureRequest) -> Client:
    return Client(request.param)


def begun(client: Client) -> Verification:
    step = answer(client.flow, client.room, US, ALICE, client.request())
    assert step is not None
    (ready,) = step.replies
    assert ready.type == "m.key.verification.ready"
    assert ready.content == client.content(from_device="OURS", methods=["m.sas.v1"])
    return step.after


def accepted(client: Client) -> Verification:
    step = hear(begun(client), "start", client.start(), client.keys)
    (accept,) = step.replies
    client.take_accept(accept)
    assert emoji(step.after) == ()
    return step.after


def comparing(client: Client) -> Verification:
    step = hear(accepted(client), "key", client.key(), client.keys)
    (key,) = step.replies
    client.take_key(key)
    return step.after


def ended(step: Step) -> str | None:
    """The code with which we cancelled, and said so."""
    if not isinstance(step.after.state, Cancelled):
        return None
    *_, reply = step.replies
    assert reply.type == "m.key.verification.cancel"
    assert reply.content["code"] == step.after.state.code
    return step.after.state.code


def test_both_sides_see_the_same_emoji_and_numbers(client: Client) -> None:
    now = comparing(client)
    assert (emoji(now), decimals(now)) == client.shown


@pytest.mark.parametrize("they_are_first", [True, False])
def test_it_is_done_when_our_person_has_confirmed_and_their_keys_were_proven_in_any_order(
    client: Client, they_are_first: bool
) -> None:
    now, ours = comparing(client), some_keys()
    if they_are_first:
        heard = hear(now, "mac", client.mac(), client.keys)
        assert heard.replies == ()
        step = confirm(heard.after, ours, client.keys)
        mac, done = step.replies
    else:
        said = confirm(now, ours, client.keys)
        (mac,) = said.replies
        step = hear(said.after, "mac", client.mac(), client.keys)
        (done,) = step.replies
    client.check_mac(mac, ours)
    assert done == Reply("m.key.verification.done", client.content())
    assert step.after.state == Verified(client.keys.master)


def test_nothing_is_proven_to_them_before_our_person_has_confirmed(client: Client) -> None:
    step = hear(comparing(client), "mac", client.mac(), client.keys)
    assert step.replies == ()
    assert not step.after.ended


def test_somebody_in_between_sees_other_emoji_than_they_do() -> None:
    towards_us, towards_them = Client(), Client()
    assert emoji(comparing(towards_us)) != emoji(comparing(towards_them))


def test_a_proof_of_the_device_alone_proves_no_identity(client: Client) -> None:
    said = confirm(comparing(client), some_keys(), client.keys)
    mac = client.mac(**{"ed25519:PHONE": str(client.keys.device)})
    assert hear(said.after, "mac", mac, client.keys).after.state == Verified(None)


def test_keys_that_we_do_not_know_are_passed_over(client: Client) -> None:
    said = confirm(comparing(client), some_keys(), client.keys)
    mac = client.mac(**{"ed25519:PHONE": str(client.keys.device), "ed25519:TABLET": "x" * 43})
    assert hear(said.after, "mac", mac, client.keys).after.state == Verified(None)


def _spoil(mac: dict[str, Any]) -> None:
    mac["mac"][next(iter(mac["mac"]))] = "A" * 43


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (_spoil, Code.KEY_MISMATCH),
        (lambda mac: mac["mac"].popitem(), Code.KEY_MISMATCH),
        (lambda mac: mac.update(keys="A" * 43), Code.KEY_MISMATCH),
        (lambda mac: mac.update(keys="☂"), Code.KEY_MISMATCH),
        (lambda mac: mac.update(mac={}), Code.KEY_MISMATCH),
        (lambda mac: mac.pop("keys"), Code.INVALID_MESSAGE),
        (lambda mac: mac.update(mac={"ed25519:PHONE": 7}), Code.INVALID_MESSAGE),
        (lambda mac: mac.update(mac=[]), Code.INVALID_MESSAGE),
    ],
)
def test_a_proof_that_does_not_hold_ends_it(
    client: Client, damage: Callable[[dict[str, Any]], object], code: Code
) -> None:
    said = confirm(comparing(client), some_keys(), client.keys)
    mac = client.mac()
    damage(mac)
    assert ended(hear(said.after, "mac", mac, client.keys)) is code


@pytest.mark.parametrize(
    "known",
    [lambda keys: replace(keys, master=some_keys().master), lambda keys: replace(keys, device=some_keys().device)],
)
def test_other_keys_than_the_ones_we_know_are_not_proven(client: Client, known: Callable[[Keys], Keys]) -> None:
    said = confirm(comparing(client), some_keys(), client.keys)
    theirs = known(client.keys)
    proven = {f"ed25519:{THEM.device_id}": str(client.keys.device), f"ed25519:{theirs.master}": str(client.keys.master)}
    assert ended(hear(said.after, "mac", client.mac(**proven), theirs)) is Code.KEY_MISMATCH


def test_a_proof_of_unknown_keys_only_ends_it(client: Client) -> None:
    said = confirm(comparing(client), some_keys(), client.keys)
    assert ended(hear(said.after, "mac", client.mac(), Keys(None, None))) is Code.KEY_MISMATCH


def test_our_own_proof_sent_back_to_us_proves_nothing(client: Client) -> None:
    said = confirm(comparing(client), client.keys, client.keys)
    (mac,) = said.replies
    assert ended(hear(said.after, "mac", mac.content, client.keys)) is Code.KEY_MISMATCH


def test_a_proof_of_another_verification_proves_nothing(client: Client) -> None:
    said = confirm(comparing(client), some_keys(), client.keys)
    other = Client(client.room, keys=client.keys)
    comparing(other)
    assert ended(hear(said.after, "mac", other.mac(), client.keys)) is Code.KEY_MISMATCH


@pytest.mark.parametrize(
    "change",
    [
        {"method": "m.reciprocate.v1"},
        {"method": None},
        {"key_agreement_protocols": ["curve25519"]},
        {"key_agreement_protocols": "curve25519-hkdf-sha256"},
        {"hashes": []},
        {"message_authentication_codes": ["hkdf-hmac-sha256"]},
        {"short_authentication_string": ["qr"]},
        {"short_authentication_string": None},
    ],
)
def test_a_way_we_do_not_know_ends_it(client: Client, change: dict[str, Any]) -> None:
    assert ended(hear(begun(client), "start", client.start(**change), client.keys)) is Code.UNKNOWN_METHOD


def test_a_client_without_emoji_compares_numbers(client: Client) -> None:
    step = hear(begun(client), "start", client.start(short_authentication_string=["decimal"]), client.keys)
    assert step.replies[0].content["short_authentication_string"] == ["decimal"]


def test_a_request_for_another_method_is_cancelled_and_one_without_a_device_left_unanswered(client: Client) -> None:
    step = answer(FLOW, client.room, US, ALICE, client.request(methods=["m.qr_code.show.v1"]))
    assert step is not None
    assert ended(step) is Code.UNKNOWN_METHOD
    assert answer(FLOW, client.room, US, ALICE, client.request(from_device=7)) is None


@pytest.mark.parametrize(
    ("stage", "kind", "fields"),
    [
        (begun, "start", {"from_device": "TABLET"}),
        (begun, "start", {"from_device": None}),
        (begun, "start", {"a float": 1.5}),
        (accepted, "key", {"key": None}),
        (accepted, "key", {"key": "short"}),
        (accepted, "key", {"key": "A" * 43}),
    ],
)
def test_what_is_malformed_ends_it(
    client: Client, stage: Callable[[Client], Verification], kind: str, fields: dict[str, Any]
) -> None:
    content = client.start(**fields) if kind == "start" else client.content(**fields)
    assert ended(hear(stage(client), kind, content, client.keys)) is Code.INVALID_MESSAGE


STAGES = (begun, accepted, comparing)
EXPECTED = {(begun, "start"), (accepted, "key"), (comparing, "mac")}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", ["request", "ready", "start", "accept", "key", "mac", "done", "unheard_of", ""])
def test_what_is_out_of_turn_ends_it(client: Client, stage: Callable[[Client], Verification], kind: str) -> None:
    now = stage(client)
    if (stage, kind) not in EXPECTED:
        assert ended(hear(now, kind, client.content(), client.keys)) is Code.UNEXPECTED_MESSAGE


def test_a_second_proof_ends_it(client: Client) -> None:
    first = hear(comparing(client), "mac", client.mac(), client.keys)
    assert ended(hear(first.after, "mac", client.mac(), client.keys)) is Code.UNEXPECTED_MESSAGE


@pytest.mark.parametrize("stage", STAGES)
def test_they_may_cancel_at_any_time_and_we_say_nothing_to_it(
    client: Client, stage: Callable[[Client], Verification]
) -> None:
    step = hear(stage(client), "cancel", client.content(code="m.user"), client.keys)
    assert step == Step(replace(step.after, state=Cancelled(by_us=False, code="m.user")))


@pytest.mark.parametrize("stage", STAGES)
def test_what_ended_stays_ended(client: Client, stage: Callable[[Client], Verification]) -> None:
    over = cancel(stage(client), Code.TIMEOUT).after
    assert hear(over, "mac", client.content(), client.keys) == Step(over)
    assert confirm(over, some_keys(), client.keys) == Step(over)
    assert cancel(over, Code.USER) == Step(over)
    assert (emoji(over), decimals(over)) == ((), ())


def test_there_is_nothing_to_confirm_before_there_are_emoji_and_nothing_twice(client: Client) -> None:
    for now in (begun(client), accepted(client)):
        assert confirm(now, some_keys(), client.keys) == Step(now)
    once = confirm(comparing(client), some_keys(), client.keys).after
    assert confirm(once, some_keys(), client.keys) == Step(once)


def test_secrets_do_not_show(client: Client) -> None:
    state = comparing(client).state
    assert isinstance(state, Comparing)
    assert state.secret not in repr(state)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
fields_of_messages = st.sampled_from(
    ["from_device", "method", "methods", "key", "mac", "keys", "code", "hashes", "transaction_id", "m.relates_to"]
)


@given(
    st.sampled_from(STAGES),
    st.sampled_from(["start", "key", "mac", "cancel", "done"]),
    st.dictionaries(fields_of_messages, json),
)
def test_nothing_they_say_raises_or_proves_anything(
    stage: Callable[[Client], Verification], kind: str, damage: dict[str, Any]
) -> None:
    client = Client()
    now = stage(client)
    answer(FLOW, None, US, ALICE, {**client.request(), **damage})
    step = hear(now, kind, {**client.start(), **client.key(), **damage}, Keys(Ed25519Key("A"), Ed25519Key("B")))
    assert not isinstance(step.after.state, Verified)


def test_there_are_sixty_four_different_emoji() -> None:
    assert len(set(EMOJI)) == 64

"""Tokens, addresses and Message-IDs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.email.ids import (
    EmailAddress,
    MalformedAddress,
    ReplyToken,
    holds_token_address,
    mask_token_addresses,
    message_id,
    new_reply_token,
    parse_address,
    parse_recipient,
    token_address,
    token_hash,
)
from tests.bridges.email.builders import ADDRESS, OWN_DOMAIN, TOKEN


def test_a_token_has_130_random_bits_and_no_two_are_alike() -> None:
    tokens = {new_reply_token().value for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(len(token) == 26 and set(token) <= set("abcdefghijklmnopqrstuvwxyz234567") for token in tokens)


def test_a_token_is_found_again_in_its_address_whatever_the_case() -> None:
    token = new_reply_token()
    address = token_address(token, OWN_DOMAIN)
    assert parse_recipient(address, OWN_DOMAIN) == token
    assert parse_recipient(address.upper(), OWN_DOMAIN) == token


@pytest.mark.parametrize(
    "recipient",
    [
        "",
        "carl@example.org",
        ADDRESS.replace(OWN_DOMAIN, "example.org"),
        ADDRESS.replace("r.", "x."),
        ADDRESS.replace("r.", "r.a"),
        ADDRESS[:10] + ADDRESS[11:],
        f"{ADDRESS} ",
        f"{ADDRESS}\n",
        f"<{ADDRESS}>",
        ADDRESS.replace("a", "1"),
        f"x{ADDRESS}",
        f"{ADDRESS}.example.com",
    ],
)
def test_any_other_recipient_is_none_of_ours(recipient: str) -> None:
    assert parse_recipient(recipient, OWN_DOMAIN) is None


@given(st.text())
def test_no_recipient_raises(text: str) -> None:
    parse_recipient(text, OWN_DOMAIN)
    parse_recipient(f"r.{text}@{OWN_DOMAIN}", OWN_DOMAIN)


def test_a_hash_tells_tokens_apart_and_neither_it_nor_a_printed_token_shows_them() -> None:
    token = ReplyToken("a" * 26)
    assert token_hash(token) != token_hash(ReplyToken("b" * 26))
    assert len(token_hash(token)) == 64
    assert "a" * 26 not in repr(token) + token_hash(token)


def test_the_same_outbox_row_always_gets_the_same_message_id() -> None:
    assert message_id("row", OWN_DOMAIN) == message_id("row", OWN_DOMAIN)
    assert message_id("row", OWN_DOMAIN) != message_id("row2", OWN_DOMAIN)
    assert "row" not in message_id("row", OWN_DOMAIN)


def test_a_text_with_a_secret_address_is_seen_and_masked() -> None:
    text = f"write to {ADDRESS.upper()}, or call"
    assert holds_token_address(text)
    assert mask_token_addresses(text) == f"write to R.…@{OWN_DOMAIN.upper()}, or call"
    assert not holds_token_address(mask_token_addresses(text))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("carl@example.org", "Carl@EXAMPLE.org", True),
        ("carl@bücher.example", "carl@xn--bcher-kva.example", True),
        ("carl@example.org", "c.arl@example.org", False),
        ("carl@example.org", "carl+x@example.org", False),
        ("carl@example.org", "carl@example.com", False),
    ],
)
def test_addresses_compare_without_case_and_nothing_else_is_guessed(one: str, other: str, same: bool) -> None:
    first, second = parse_address(one), parse_address(other)
    assert isinstance(first, EmailAddress)
    assert isinstance(second, EmailAddress)
    assert (first.key == second.key) is same


@pytest.mark.parametrize(
    "text",
    [
        "",
        "carl",
        "@example.org",
        "carl@",
        "carl@localhost",
        "carl@-example.org",
        "carl@exa mple.org",
        "ca rl@example.org",
        '"ca rl"@example.org',
        ".carl@example.org",
        "carl.@example.org",
        "cärl@example.org",
        "carl@example.org\r\nBcc: bea@example.com",
        "carl@example.org>",
        "a@b@example.org",
        f"{'a' * 65}@example.org",
        f"a@{'a.' * 130}org",
        "carl@.example.org",
        f"carl@{'ä' * 70}.example",
    ],
)
def test_a_malformed_address_is_refused_with_a_reason(text: str) -> None:
    refused = parse_address(text)
    assert isinstance(refused, MalformedAddress)
    assert refused.reason
    assert "carl" not in refused.reason


@given(st.text())
def test_any_text_is_an_address_or_is_refused(text: str) -> None:
    for candidate in (text, f"{text}@example.org", f"a@{text}", f"a@{text}.org"):
        found = parse_address(candidate)
        assert isinstance(found, EmailAddress | MalformedAddress)
        if isinstance(found, EmailAddress):
            assert found.spelled.isascii()
            assert parse_address(found.spelled) == found


def test_a_token_does_not_show_in_its_own_repr() -> None:
    assert TOKEN.value not in repr(TOKEN)
    assert "carl" not in repr(parse_address("carl@example.org"))

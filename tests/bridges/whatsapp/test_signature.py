"""Only Meta's webhooks, byte for byte, are believed."""

import hashlib
import hmac

import pytest

from bridges.whatsapp.signature import challenge, is_signed

SECRET = "s3cret"
BODY = rb'{"a":"\u00e4","b":"\/"}'


def signed(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_what_was_signed_is_believed() -> None:
    assert is_signed(signed(BODY), BODY, SECRET)


@pytest.mark.parametrize(
    "header",
    [None, "", "sha256=", signed(BODY)[:-1], signed(BODY)[7:], signed(BODY).upper(), signed(BODY, "other"), "sha1=ä"],
)
def test_nothing_else_is(header: str | None) -> None:
    assert not is_signed(header, BODY, SECRET)


def test_the_same_json_in_other_bytes_is_not() -> None:
    assert not is_signed(signed(BODY), '{"a":"ä","b":"/"}'.encode(), SECRET)


def test_the_handshake_gives_the_challenge_back_to_who_knows_our_token() -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158", "hub.verify_token": "ours"}
    assert challenge(asked, "ours") == "1158"
    assert challenge(asked | {"hub.verify_token": "öther"}, "ours") is None
    assert challenge(asked | {"hub.mode": "x"}, "ours") is None
    assert challenge({}, "ours") is None

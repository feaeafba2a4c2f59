"""registration.yaml lacks nothing that encryption needs."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from appservice.matrix.ids import UserId
from appservice.setup import registration
from appservice.setup.init import create
from appservice.setup.mistakes import ConfigError
from tests.appservice.setup.config.test_config import OPTIONS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    create(tmp_path, OPTIONS)
    return tmp_path / "registration.yaml"


def test_what_init_writes_is_right(file: Path) -> None:
    loaded = registration.load(file)
    assert loaded.sender_localpart == "_mediatrix_as"
    assert loaded.namespaces.users[0].regex == r"@_mediatrix_.*:example\.org"
    assert loaded.as_token != loaded.hs_token


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("rate_limited", {"rate_limited": True}),
        ("receive_ephemeral", {"receive_ephemeral": False}),
        ("receive_ephemeral", {"receive_ephemeral": None}),
        ("org.matrix.msc3202", {"org.matrix.msc3202": False}),
        ("io.element.msc4190", {"io.element.msc4190": False}),
        ("as_token", {"as_token": "CHANGE ME"}),
        ("as_token", {"as_token": "a" * 43}),
        ("hs_token", {"hs_token": "short"}),
        ("url", {"url": "127.0.0.1:29340"}),
        ("sender_localpart", {"sender_localpart": "@bot:example.org"}),
        ("namespaces.users[0].regex", {"namespaces": {"users": [{"exclusive": True, "regex": "("}]}}),
        ("namespaces.users", {"namespaces": {"users": []}}),
        ("receive_ephemerals", {"receive_ephemerals": True}),
    ],
)
def test_each_mistake_is_named_with_a_remedy(file: Path, where: str, change: dict[str, Any]) -> None:
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **change}))
    with pytest.raises(ConfigError) as caught:
        registration.load(file)
    [mistake] = caught.value.mistakes
    assert mistake.where == where
    assert mistake.remedy


@pytest.mark.parametrize("key", ["receive_ephemeral", "org.matrix.msc3202", "io.element.msc4190", "rate_limited"])
def test_what_the_homeserver_would_take_for_false_is_missed(file: Path, key: str) -> None:
    content = yaml.safe_load(file.read_text())
    del content[key]
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError) as caught:
        registration.load(file)
    assert [(m.where, m.what) for m in caught.value.mistakes] == [(key, "missing")]


def test_one_token_for_both_directions_is_refused(file: Path) -> None:
    content = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**content, "hs_token": content["as_token"]}))
    with pytest.raises(ConfigError, match="are the same"):
        registration.load(file)


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ({"exclusive": True, "regex": r"@_mediatrix_.*:example\.org"}, []),
        ({"exclusive": False, "regex": r"@_mediatrix_.*:example\.org"}, ["namespaces.users"]),
        ({"exclusive": True, "regex": r"@_mediatrix_.*:example\.net"}, ["namespaces.users"]),
        ({"exclusive": True, "regex": "@.*"}, ["namespaces.users[0].regex"]),
    ],
)
def test_our_ids_must_be_ours_alone_and_peoples_must_not(
    file: Path, space: dict[str, Any], expected: list[str]
) -> None:
    content = {**yaml.safe_load(file.read_text()), "namespaces": {"users": [space]}}
    file.write_text(yaml.safe_dump(content))
    loaded = registration.load(file)
    found = registration.mismatches(loaded, [UserId("@_mediatrix_bot:example.org")], "example.org")
    assert [mistake.where for mistake in found] == expected

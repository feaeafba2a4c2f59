"""`mediatrix init` makes an installation that starts, once."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from appservice.setup import config, registration
from appservice.setup.init import EmailOptions, InitOptions, create, example
from appservice.setup.mistakes import ConfigError
from tests.appservice.setup.config.test_config import OPTIONS

REPOSITORY = Path(__file__).parents[4]


def test_the_secrets_are_fresh_and_nobody_elses_business(tmp_path: Path) -> None:
    first, second = create(tmp_path / "a", OPTIONS), create(tmp_path / "b", OPTIONS)
    for one, other in zip(first.files, second.files, strict=True):
        assert stat.S_IMODE(one.stat().st_mode) == 0o600
        assert one.name in {"config.yaml", "agreement.md"} or one.read_text() != other.read_text()
    assert stat.S_IMODE((tmp_path / "a/secrets").stat().st_mode) == 0o700


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    create(tmp_path, OPTIONS)
    before = {file: file.read_text() for file in tmp_path.rglob("*") if file.is_file()}
    (tmp_path / "config.yaml").unlink()
    with pytest.raises(ConfigError) as caught:
        create(tmp_path, OPTIONS)
    assert {"registration.yaml", "secrets/master.key"} <= {mistake.where for mistake in caught.value.mistakes}
    after = {file: file.read_text() for file in tmp_path.rglob("*") if file.is_file()}
    assert after == {file: text for file, text in before.items() if file.name != "config.yaml"}


def test_options_that_cannot_be_right_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        create(tmp_path, replace(OPTIONS, server_name="not a server", mediators=("mira",)))
    assert {mistake.where for mistake in caught.value.mistakes} >= {"homeserver.server_name", "mediators[0]"}
    assert list(tmp_path.iterdir()) == []


def test_what_was_left_out_is_named_and_keeps_the_service_from_starting(tmp_path: Path) -> None:
    made = create(tmp_path, InitOptions(server_name="example.org", homeserver_url="http://127.0.0.1:8008"))
    assert {mistake.where for mistake in made.unfinished} == {
        "appservice.public_base_url",
        "organisation.name",
        "organisation.contact",
        "organisation.telephone",
        "mediators",
    }
    assert made.next_steps[0].startswith("Fill in config.yaml: ")
    with pytest.raises(ConfigError):
        config.load(tmp_path / "config.yaml")


@pytest.mark.parametrize("text", ['Town "Mediation": #1', "it's\\n", "{a: b}", "- x"])
def test_whatever_the_organisation_is_called_comes_back_as_it_was(tmp_path: Path, text: str) -> None:
    create(tmp_path, replace(OPTIONS, organisation=text))
    assert config.load(tmp_path / "config.yaml").organisation.name == text


def test_the_email_bridge_is_written_as_asked(tmp_path: Path) -> None:
    email = EmailOptions(reply_domain="reply.example.org", authserv_id="mx.example.org", lmtp_port=2424, smtp_port=2525)
    create(tmp_path, replace(OPTIONS, email=email))
    loaded = config.load(tmp_path / "config.yaml").email
    assert loaded is not None
    assert (loaded.reply_domain, loaded.lmtp.port, loaded.smtp.port) == ("reply.example.org", 2424, 2525)


def test_the_homeservers_settings_name_the_registration(tmp_path: Path) -> None:
    settings = yaml.safe_load(create(tmp_path, OPTIONS).homeserver_settings)
    assert settings["app_service_config_files"] == [str(tmp_path / "registration.yaml")]
    assert settings["experimental_features"] == {
        "msc2409_to_device_messages_enabled": True,
        "msc3202_transaction_extensions": True,
    }


@pytest.mark.parametrize("name", ["config.yaml", "registration.yaml", "agreement.md"])
def test_the_committed_examples_are_what_init_writes_and_are_refused(tmp_path: Path, name: str) -> None:
    assert (REPOSITORY / name).read_text() == example()[name]
    for each, text in example().items():
        (tmp_path / each).write_text(text)
        (tmp_path / each).chmod(0o600)
    with pytest.raises(ConfigError) as refused:
        config.load(tmp_path / "config.yaml")
    assert {"homeserver.server_name", "mediators[0]", "registration.yaml: as_token"} <= {
        mistake.where for mistake in refused.value.mistakes
    }
    with pytest.raises(ConfigError):
        registration.load(tmp_path / "registration.yaml")


@pytest.mark.parametrize("name", ["config.yaml", "registration.yaml"])
def test_every_key_of_the_examples_is_explained(name: str) -> None:
    for line in example()[name].splitlines():
        key, _, rest = line.partition(": ")
        if rest and not key.lstrip().startswith("#") and key.strip() not in {"aliases", "rooms"}:
            assert "  # " in line, line

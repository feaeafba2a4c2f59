"""config.yaml is refused with every mistake named, and never starts with an example's values."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from appservice.setup import config
from appservice.setup.init import InitOptions, create
from appservice.setup.mistakes import ConfigError, Mistake
from policies.moderation.rulebook import Rulebook, Trial

Edit = Callable[[dict[str, Any]], None]
OPTIONS = InitOptions(
    server_name="example.org",
    homeserver_url="http://127.0.0.1:8008",
    mediators=("@mira:example.org",),
    public_base_url="https://mediation.example.org",
    organisation="Town Mediation",
    contact="Mira Moss",
    telephone="+1 555 0100",
)
EMAIL = {"reply_domain": "reply.example.org", "authserv_id": "mx.example.org"}


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    create(tmp_path, OPTIONS)
    return tmp_path


def edited(folder: Path, edit: Edit) -> Path:
    file = folder / "config.yaml"
    content = yaml.safe_load(file.read_text())
    edit(content)
    file.write_text(yaml.safe_dump(content))
    return file


def mistakes(file: Path, environ: dict[str, str] | None = None) -> dict[str, Mistake]:
    with pytest.raises(ConfigError) as caught:
        config.load(file, environ or {})
    return {mistake.where: mistake for mistake in caught.value.mistakes}


def test_what_init_writes_is_right(installation: Path) -> None:
    loaded = config.load(installation / "config.yaml")
    assert loaded.bot_user == "@_mediatrix_bot:example.org"
    assert loaded.mediators == ("@mira:example.org",)
    assert len(loaded.secrets.master_key.get_secret_value()) == 32
    assert loaded.database.url.get_secret_value() == f"sqlite+aiosqlite:///{installation}/mediatrix.db"
    assert loaded.email is None


WHATSAPP = {
    "private_number": "111111111",
    "template": {"name": "new_message"},
    "app_secret": {"env": "APP"},
    "verify_token": {"env": "VERIFY"},
    "access_token": {"env": "ACCESS"},
}
WHATSAPP_SECRETS = {"APP": "a" * 32, "VERIFY": "q8Rk2mZp7xWv4nTb9sLc6hYd3fGj5tBe", "ACCESS": "b" * 40}


def test_whatsapp_is_off_until_its_section_says_otherwise(installation: Path) -> None:
    assert config.load(installation / "config.yaml").whatsapp is None
    file = edited(installation, lambda raw: raw.update(whatsapp=WHATSAPP))
    loaded = config.load(file, WHATSAPP_SECRETS).whatsapp
    assert loaded is not None
    assert (loaded.joint_number, loaded.graph_base_url) == (None, "https://graph.facebook.com")
    assert not any(secret in repr(loaded) for secret in WHATSAPP_SECRETS.values())


def test_each_mistake_in_the_whatsapp_section_is_named(installation: Path) -> None:
    wrong = {
        "private_number": "+34 600",
        "template": {"name": "New Message"},
        "app_secret": "in clear",
        "graph_base_url": "http://graph.example.org",
        "graph_version": "latest",
    }
    file = edited(installation, lambda raw: raw.update(whatsapp=WHATSAPP | wrong))
    found = mistakes(file, WHATSAPP_SECRETS)
    assert set(found) == {f"whatsapp.{name}" for name in wrong if name != "template"} | {"whatsapp.template.name"}


S3 = {
    "endpoint": "https://s3.example.org",
    "bucket": "mediatrix-documents",
    "access_key_id": "mediatrix",
    "secret_access_key": {"env": "S3"},
}


def test_documents_lie_in_a_bucket_where_there_is_one(installation: Path) -> None:
    file = edited(installation, lambda raw: raw.update(documents={"s3": S3}))
    loaded = config.load(file, {"S3": "s" * 40}).documents
    assert loaded is not None
    assert loaded.s3 is not None
    assert (loaded.s3.bucket, loaded.s3.region, loaded.s3.prefix) == ("mediatrix-documents", "us-east-1", "")
    assert "s" * 40 not in repr(loaded)


def test_each_mistake_about_the_bucket_is_named(installation: Path) -> None:
    wrong = {"endpoint": "s3.example.org", "bucket": "Mine", "prefix": "../other", "secret_access_key": "in clear"}
    file = edited(installation, lambda raw: raw.update(documents={"s3": S3 | wrong}))
    assert set(mistakes(file)) == {f"documents.s3.{name}" for name in wrong}


def test_one_number_can_not_be_both(installation: Path) -> None:
    file = edited(installation, lambda raw: raw.update(whatsapp=WHATSAPP | {"joint_number": "111111111"}))
    assert "whatsapp.joint_number" in mistakes(file, WHATSAPP_SECRETS)


def test_strangers_need_a_triage_desk_which_all_mediators_man_unless_some_are_named(installation: Path) -> None:
    numbers = WHATSAPP | {"intake_number": "333333333"}
    mail = {"reply_domain": "reply.example.org", "authserv_id": "mx.example.org", "intake_address": "info@example.org"}
    file = edited(installation, lambda raw: raw.update(whatsapp=numbers, email=mail, intake={"enabled": False}))
    assert set(mistakes(file, WHATSAPP_SECRETS)) == {"whatsapp.intake_number", "email.intake_address"}
    file = edited(installation, lambda raw: raw.update(intake={}))
    loaded = config.load(file, WHATSAPP_SECRETS)
    assert loaded.at_triage == loaded.mediators
    file = edited(installation, lambda raw: raw.update(intake={"mediators": ["@mia:elsewhere.example"]}))
    assert set(mistakes(file, WHATSAPP_SECRETS)) == {"intake.mediators[0]"}
    file = edited(installation, lambda raw: raw.update(whatsapp=WHATSAPP | {"intake_number": "111111111"}))
    assert "whatsapp.intake_number" in mistakes(file, WHATSAPP_SECRETS)


def test_there_is_a_mediators_room_of_all_mediators_unless_some_are_named_or_there_is_none(installation: Path) -> None:
    assert config.load(installation / "config.yaml").in_mediators_room == ()
    file = edited(installation, lambda raw: raw.update(mediators_room={}))
    loaded = config.load(file)
    assert loaded.in_mediators_room == loaded.mediators
    file = edited(installation, lambda raw: raw.update(mediators_room={"mediators": ["@mia:elsewhere.example"]}))
    assert set(mistakes(file)) == {"mediators_room.mediators[0]"}
    file = edited(installation, lambda raw: raw.update(mediators_room={"enabled": False}))
    assert config.load(file).in_mediators_room == ()


def test_heads_are_mailed_to_addresses_that_leave_this_machine(installation: Path) -> None:
    mail = {"reply_domain": "reply.example.org", "authserv_id": "mx.example.org"}
    assert config.load(installation / "config.yaml").record.heads_to == ()
    kept = edited(installation, lambda raw: raw.update(email=mail, record={"heads_to": ["Records@Example.org"]}))
    assert config.load(kept, {}).record.heads_to == ("Records@example.org",)
    without = edited(installation, lambda raw: raw.update(email={"enabled": False}))
    assert "without the email bridge" in str(mistakes(without)["record.heads_to[0]"])
    wrong = ["records", "me@reply.example.org"]
    file = edited(installation, lambda raw: raw.update(email=mail, record={"heads_to": wrong[:1]}))
    assert "name@example.org" in str(mistakes(file)["record.heads_to[0]"])
    file = edited(installation, lambda raw: raw.update(record={"heads_to": wrong[1:]}))
    assert "reply_domain" in str(mistakes(file)["record.heads_to[0]"])


def test_only_rules_of_order_can_be_tried_out(installation: Path) -> None:
    assert config.load(installation / "config.yaml").rules.rulebook == Rulebook()
    file = edited(installation, lambda raw: raw.update(rules={"edit_minutes": 5, "dry_run": ["late-edit"]}))
    assert config.load(file, {}).rules.rulebook == Rulebook(5, (Trial.LATE_EDIT,))
    file = edited(installation, lambda raw: raw.update(rules={"edit_minutes": 0, "dry_run": ["in-clear"]}))
    assert set(mistakes(file)) == {"rules.edit_minutes", "rules.dry_run[0]"}


def test_a_time_zone_is_one_that_there_is(installation: Path) -> None:
    assert config.load(installation / "config.yaml").organisation.time_zone == "UTC"
    file = edited(installation, lambda raw: raw["organisation"].update(time_zone="Europe/Berlin"))
    assert config.load(file, {}).organisation.time_zone == "Europe/Berlin"
    file = edited(installation, lambda raw: raw["organisation"].update(time_zone="Atlantis"))
    assert "Europe/Berlin" in str(mistakes(file)["organisation.time_zone"])


def test_no_secret_shows_when_a_configuration_is_printed(installation: Path) -> None:
    loaded = config.load(installation / "config.yaml")
    for name in ("master.key", "provisioning.token"):
        assert (installation / "secrets" / name).read_text().strip() not in repr(loaded)
    assert loaded.appservice.registration.as_token.get_secret_value() not in repr(loaded)


def test_secrets_may_come_from_the_environment(installation: Path) -> None:
    file = edited(installation, lambda c: c["secrets"].update(provisioning_token={"env": "MEDIATRIX_TOKEN"}))
    token = "0123456789-abcdefghijklmnopqrstuvwxyz"
    assert config.load(file, {"MEDIATRIX_TOKEN": token}).secrets.provisioning_token.get_secret_value() == token
    assert mistakes(file)["secrets.provisioning_token"].what == "the environment variable MEDIATRIX_TOKEN is not set"


@pytest.mark.parametrize(
    ("where", "edit"),
    [
        ("homeserver.url", lambda c: c["homeserver"].update(url="matrix.example.org")),
        ("homeserver.url", lambda c: c["homeserver"].update(url="https://user:pw@example.org")),
        ("homeserver.url", lambda c: c["homeserver"].update(url="http://[::1")),
        ("homeserver.url", lambda c: c["homeserver"].update(url="http://a:99999")),
        ("homeserver.server_name", lambda c: c["homeserver"].update(server_name="https://example.org")),
        ("homeserver.server_name", lambda c: c["homeserver"].pop("server_name")),
        ("homeserver", lambda c: c.pop("homeserver")),
        ("homeserver", lambda c: c.update(homeserver="x")),
        ("appservice.listen.port", lambda c: c["appservice"]["listen"].update(port=0)),
        ("appservice.listen.port", lambda c: c["appservice"]["listen"].update(port="29340")),
        ("appservice.public_base_url", lambda c: c["appservice"].update(public_base_url="http://example.org")),
        ("appservice.public_base_url", lambda c: c["appservice"].update(public_base_url="https://example.org/m")),
        ("email.lmtp.port", lambda c: c.update(email={**EMAIL, "lmtp": {"port": c["appservice"]["listen"]["port"]}})),
        ("appservice.trusted_proxies[1]", lambda c: c["appservice"].update(trusted_proxies=["::1", "proxy"])),
        ("appservice.bot", lambda c: c["appservice"].update(bot="_other_bot")),
        ("appservice.bot", lambda c: c["appservice"].update(bot="_mediatrix_as")),
        ("appservice.user_prefix", lambda c: c["appservice"].update(user_prefix="ghost.*")),
        ("registration.yaml: namespaces.users", lambda c: c["homeserver"].update(server_name="example.net")),
        ("elsewhere.yaml", lambda c: c["appservice"].update(registration="elsewhere.yaml")),
        ("database.url", lambda c: c["database"].update(url="postgres://localhost/mediatrix")),
        ("database.url", lambda c: c["database"].update(url="sqlite+aiosqlite:///:memory:")),
        ("database.url", lambda c: c["database"].update(url="postgresql+asyncpg://me:secret@localhost/mediatrix")),
        ("organisation.telephone", lambda c: c["organisation"].update(telephone=" ")),
        ("organisation.telephone", lambda c: c["organisation"].update(telephone=15550100)),
        ("organisation.name", lambda c: c["organisation"].update(name="Town\u202eMediation")),
        ("mediators", lambda c: c.update(mediators=[])),
        ("mediators[0]", lambda c: c.update(mediators=["mira"])),
        ("mediators[1]", lambda c: c.update(mediators=["@mira:example.org", "@max:example.net"])),
        ("secrets.master_key", lambda c: c["secrets"].update(master_key="c2VjcmV0")),
        ("secrets.master_key", lambda c: c["secrets"].update(master_key={"file": "a", "env": "B"})),
        ("secrets.master_key", lambda c: c["secrets"].update(master_key={"file": "secrets/none"})),
        ("secrets.provisioning_token", lambda c: c["secrets"].update(provisioning_token={"env": "WEAK"})),
        ("email.reply_domain", lambda c: c.update(email={"authserv_id": "mx"})),
        ("email.lmtp", lambda c: c.update(email={**EMAIL, "lmtp": {"host": "0.0.0.0"}})),
        ("email.lmtp.servers[0]", lambda c: c.update(email={**EMAIL, "lmtp": {"servers": ["mail.example.org"]}})),
        ("email.smtp.port", lambda c: c.update(email={**EMAIL, "smtp": {"port": "mail"}})),
        ("email.smtp.tls", lambda c: c.update(email={**EMAIL, "smtp": {"tls": "ssl"}})),
        ("email.smtp", lambda c: c.update(email={**EMAIL, "smtp": {"username": "me"}})),
        ("rooms.rotation_messages", lambda c: c["rooms"].update(rotation_messages=0)),
        ("logging.level", lambda c: c["logging"].update(level="loud")),
    ],
)
def test_each_mistake_is_named_by_its_path_with_a_remedy(installation: Path, where: str, edit: Edit) -> None:
    found = mistakes(edited(installation, edit), {"WEAK": "password" * 8})
    assert where in found, found
    assert found[where].remedy or "not one of" in found[where].what
    assert "secret@" not in str(found)


def test_all_mistakes_are_reported_at_once(installation: Path) -> None:
    def edit(content: dict[str, Any]) -> None:
        content["homeserver"]["url"] = "nonsense"
        content["logging"]["level"] = "loud"
        del content["secrets"]["master_key"]

    assert {"homeserver.url", "logging.level", "secrets.master_key"} <= mistakes(edited(installation, edit)).keys()


def test_an_unknown_setting_is_refused_with_the_one_that_was_meant(installation: Path) -> None:
    file = edited(installation, lambda c: c["appservice"].update(trusted_proxy=[]))
    found = mistakes(file)["appservice.trusted_proxy"]
    assert (found.what, found.remedy) == ("no such setting", 'did you mean "trusted_proxies"?')


def test_a_setting_that_is_like_no_other_gets_the_list(installation: Path) -> None:
    found = mistakes(edited(installation, lambda c: c["logging"].update(zzz=1)))["logging.zzz"]
    assert found.remedy == "there are: level, format"


def test_a_bridge_that_is_switched_off_need_not_be_filled_in(installation: Path) -> None:
    file = edited(installation, lambda c: c.update(email={"enabled": False, "reply_domain": "CHANGE ME"}))
    assert config.load(file).email is None


def test_nothing_leaves_the_machine_in_clear(installation: Path) -> None:
    file = edited(installation, lambda c: c.update(email={**EMAIL, "smtp": {"host": "mail.example.org"}}))
    assert mistakes(file)["email.smtp"].what == "mail would travel in clear"
    smtp = {"host": "mail.example.org", "username": "me", "password": {"env": "PASSWORD"}}
    file = edited(installation, lambda c: c.update(email={**EMAIL, "smtp": smtp}))
    assert mistakes(file, {"PASSWORD": "p"})["email.smtp"].what == "the password would travel in clear"
    smtp["tls"] = "starttls"
    file = edited(installation, lambda c: c.update(email={**EMAIL, "smtp": smtp}))
    assert config.load(file, {"PASSWORD": "p"}).email is not None


@pytest.mark.parametrize("name", ["registration.yaml", "secrets/master.key"])
def test_a_secret_that_everyone_can_read_is_refused_with_what_mends_it(installation: Path, name: str) -> None:
    (installation / name).chmod(0o644)
    [found] = mistakes(installation / "config.yaml").values()
    assert found.remedy == f"chmod o= {installation / name}"
    (installation / name).chmod(0o640)
    config.load(installation / "config.yaml")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: b: c", "mapping values are not allowed here"),
        ("mediators:\n  - @mira:example.org", "found character '@' that cannot start any token"),
        ("homeserver:\n  url: x\n  url: y", '"url" is given twice'),
        ("- a", "not a mapping of settings"),
        ("", "not a mapping of settings"),
        ("1: 2", "not a mapping of settings"),
        ("\x00", "not YAML in UTF-8"),
    ],
)
def test_a_file_that_is_no_configuration_says_why(tmp_path: Path, text: str, what: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    [found] = mistakes(file).values()
    assert found.what == what


def test_a_file_that_is_not_there_says_where_it_was_sought(tmp_path: Path) -> None:
    [found] = mistakes(tmp_path / "none.yaml").values()
    assert found.what == "cannot be read: No such file or directory"
    assert str(tmp_path) in found.remedy


def test_the_environment_is_the_processs_own_by_default(installation: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = edited(installation, lambda c: c["database"].update(url={"env": "MEDIATRIX_DATABASE"}))
    monkeypatch.setitem(os.environ, "MEDIATRIX_DATABASE", "postgresql+asyncpg://me:pw@localhost/mediatrix")
    assert config.load(file).database.url.get_secret_value().startswith("postgresql+asyncpg://me:pw@")

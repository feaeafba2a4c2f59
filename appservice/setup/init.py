"""`mediatrix init`: everything a new installation needs, with real secrets, and what the homeserver must be told."""

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appservice.setup import config, registration
from appservice.setup.channels import DEFAULT_LMTP_PORT, Tls
from appservice.setup.config import DEFAULT_PORT
from appservice.setup.mistakes import ConfigError, Mistake
from appservice.setup.secretfiles import fresh_token
from appservice.setup.templates import AGREEMENT, CONFIG, HOMESERVER, REGISTRATION
from appservice.setup.values import MASTER_KEY_BYTES, USER_PREFIX
from policies.frozen import frozen

PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700
CHANGE_ME: Final = "CHANGE ME"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailOptions:
    """The email bridge of a new installation."""

    reply_domain: str
    authserv_id: str
    lmtp_host: str = "127.0.0.1"
    lmtp_port: int = DEFAULT_LMTP_PORT
    smtp_host: str = "127.0.0.1"
    smtp_port: int = 25
    smtp_tls: Tls = Tls.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class InitOptions:
    """What has to be known for a new installation. What is left out has to be filled in before the first start."""

    server_name: str
    homeserver_url: str
    mediators: tuple[str, ...] = ()
    listen_host: str = "127.0.0.1"
    listen_port: int = DEFAULT_PORT
    appservice_url: str | None = None
    """How the homeserver reaches us; where we listen, if None."""
    public_base_url: str = CHANGE_ME
    organisation: str = CHANGE_ME
    contact: str = CHANGE_ME
    telephone: str = CHANGE_ME
    database_url: str = "sqlite+aiosqlite:///mediatrix.db"
    email: EmailOptions | None = None
    agreement: bool = True
    """Whether an agreement to mediate must be accepted; its text is there in any case."""

    @property
    def reached_at(self) -> str:
        """The URL at which the homeserver reaches us."""
        return self.appservice_url or f"http://{self.listen_host}:{self.listen_port}"


@frozen
class Installation:
    """What was made, and what its administrator does now."""

    files: tuple[Path, ...]
    homeserver_settings: str
    """For homeserver.yaml (Synapse)."""
    unfinished: tuple[Mistake, ...]
    """What must be filled in first."""
    next_steps: tuple[str, ...]


def create(folder: Path, options: InitOptions) -> Installation:
    """Write a new installation into `folder`. Raises ConfigError, with nothing written, for options that can't be
    right, and where one of the files exists already; OSError where the folder can't be written."""
    contents = _contents(options)
    files = tuple(folder / name for name in contents)
    if there := [file for file in files if file.exists()]:
        remedy = "choose another folder, or move it away: its secrets can't be made again"
        names = [str(file.relative_to(folder)) for file in there]
        raise ConfigError(str(folder), [Mistake(name, "exists already", remedy) for name in names])
    new_folders = [parent for parent in dict.fromkeys(file.parent for file in files) if not parent.exists()]
    for file, text in zip(files, contents.values(), strict=True):
        file.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
        _write_private(file, text)
    try:
        unfinished = _unfinished(folder / "config.yaml")
    except ConfigError:
        for file in files:
            file.unlink()
        for parent in reversed(new_folders):
            parent.rmdir()
        raise
    return Installation(
        files=files,
        homeserver_settings=HOMESERVER.substitute(registration=(folder / "registration.yaml").absolute()),
        unfinished=unfinished,
        next_steps=tuple(_next_steps(folder, unfinished)),
    )


def example() -> Mapping[str, str]:
    """The examples in the repository: complete, and refused because of their placeholders."""
    options = InitOptions(server_name=CHANGE_ME, homeserver_url="http://127.0.0.1:8008", mediators=(CHANGE_ME,))
    return {
        "config.yaml": _config(options),
        "agreement.md": AGREEMENT,
        "registration.yaml": _registration(options, lambda: CHANGE_ME, r"@_mediatrix_.*:CHANGE ME"),
    }


def _contents(options: InitOptions) -> Mapping[str, str]:
    regex = registration.namespace_regex(options.server_name, USER_PREFIX)
    return {
        "config.yaml": _config(options),
        "registration.yaml": _registration(options, fresh_token, regex),
        "agreement.md": AGREEMENT,
        "secrets/master.key": base64.b64encode(secrets.token_bytes(MASTER_KEY_BYTES)).decode() + "\n",
        "secrets/provisioning.token": fresh_token() + "\n",
    }


def _config(options: InitOptions) -> str:
    email = options.email or EmailOptions(reply_domain="reply.example.org", authserv_id="mx.example.org")
    return CONFIG.substitute(
        _quoted(
            homeserver_url=options.homeserver_url,
            server_name=options.server_name,
            listen_host=options.listen_host,
            public_base_url=options.public_base_url,
            database_url=options.database_url,
            organisation=options.organisation,
            contact=options.contact,
            telephone=options.telephone,
            reply_domain=email.reply_domain,
            authserv_id=email.authserv_id,
            lmtp_host=email.lmtp_host,
            smtp_host=email.smtp_host,
        ),
        listen_port=options.listen_port,
        mediators=json.dumps(options.mediators),
        agreement_enabled=json.dumps(options.agreement),
        email_enabled=json.dumps(options.email is not None),
        lmtp_port=email.lmtp_port,
        smtp_port=email.smtp_port,
        smtp_tls=email.smtp_tls.value,
    )


def _registration(options: InitOptions, token: Callable[[], str], regex: str) -> str:
    return REGISTRATION.substitute(
        _quoted(url=options.reached_at, as_token=token(), hs_token=token()),
        sender_localpart=registration.SENDER_LOCALPART,
        regex="'" + regex.replace("'", "''") + "'",
    )


def _quoted(**values: str) -> dict[str, str]:
    # A JSON string is a YAML string, whatever is in it.
    return {name: json.dumps(value) for name, value in values.items()}


def _unfinished(file: Path) -> tuple[Mistake, ...]:
    """What is left to fill in; raises ConfigError where something given is wrong."""
    try:
        config.load(file)
    except ConfigError as error:
        if wrong := [mistake for mistake in error.mistakes if not _to_fill_in(mistake)]:
            raise ConfigError("the options given", wrong) from None
        return error.mistakes
    return ()


def _to_fill_in(mistake: Mistake) -> bool:
    return mistake.what == config.PLACEHOLDER or mistake.where == "mediators"


def _next_steps(folder: Path, unfinished: tuple[Mistake, ...]) -> list[str]:
    steps = [
        "Put the settings above into homeserver.yaml; the homeserver's account must be able to read registration.yaml.",
        "Restart the homeserver.",
        f"Start the service: mediatrix run -c {folder / 'config.yaml'}",
        f"While it runs, try what it needs: mediatrix registration check -c {folder / 'config.yaml'}",
    ]
    if unfinished:
        steps.insert(0, "Fill in config.yaml: " + ", ".join(mistake.where for mistake in unfinished))
    return [*steps, f"Keep a copy of {folder / 'secrets'} apart from the database's backups."]


def _write_private(file: Path, text: str) -> None:
    file.touch(mode=PRIVATE_FILE, exist_ok=False)
    file.write_text(text)

"""config.yaml: every setting of the service, checked before anything starts.

Unknown keys are refused, secrets come from files or the environment, and all mistakes are reported at once, each
with its path and what mends it. The committed examples are refused: their values are placeholders.
"""

import base64
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    SecretBytes,
    SecretStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from appservice.casefile import MatrixUser, PlainLine
from appservice.logs import LogFormat
from appservice.matrix.ids import UserId, is_server_name, server_of
from appservice.setup import registration, yamlfile
from appservice.setup.mistakes import ConfigError, Mistake, explain, mistaken
from appservice.setup.registration import Registration
from appservice.setup.secretfiles import is_placeholder, resolve, strong
from policies.agreement import Agreement, Confidentiality
from policies.text import clean

DEFAULT_PORT: Final = 29340
DEFAULT_LMTP_PORT: Final = 29341
USER_PREFIX: Final = "_mediatrix_"
BOT: Final = "_mediatrix_bot"
MASTER_KEY_BYTES: Final = 32
MOST_WORDS: Final = 20_000
"""Characters of a text that goes to people in one message."""
PLACEHOLDER: Final = "still the example's placeholder"

_NUMBER_ID: Final = r"^[0-9]{5,20}$"
_SQLITE: Final = "sqlite+aiosqlite:///"
_POSTGRES: Final = "postgresql+asyncpg://"


def _context(info: ValidationInfo) -> Mapping[str, Any]:
    context: Mapping[str, Any] = info.context or {"folder": Path(), "environ": {}}
    return context


def _secret(value: object, info: ValidationInfo) -> str:
    return resolve(value, _context(info))


def _token(value: object, info: ValidationInfo) -> str:
    return strong(_secret(value, info))


def _master_key(value: object, info: ValidationInfo) -> bytes:
    text = _secret(value, info)
    remedy = f"{MASTER_KEY_BYTES} random bytes in base64: openssl rand -base64 {MASTER_KEY_BYTES}"
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        raise mistaken("not base64", remedy) from None
    if len(key) != MASTER_KEY_BYTES or len(set(key)) < MASTER_KEY_BYTES // 4:
        raise mistaken(f"not {MASTER_KEY_BYTES} random bytes", remedy)
    return key


def _database_url(value: object, info: ValidationInfo) -> str:
    inline = isinstance(value, str)
    url = str(value) if inline else _secret(value, info)
    remedy = f"{_SQLITE}mediatrix.db or {_POSTGRES}USER@HOST/NAME"
    if url.startswith(_SQLITE) and url != _SQLITE:
        path = url.removeprefix(_SQLITE)
        if path.startswith(":memory:"):
            raise mistaken("a database in memory forgets every case", remedy)
        return f"{_SQLITE}{(_context(info)['folder'] / path).absolute()}"
    if not url.startswith(_POSTGRES):
        raise mistaken("not a database that we can use", remedy)
    try:
        password = urlsplit(url).password
    except ValueError:
        raise mistaken("not a URL", remedy) from None
    if inline and password is not None:
        raise mistaken("a password does not stand in this file", "write {file: PATH} or {env: NAME} with the whole URL")
    return url


def _http_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment or parts.username is not None:
        raise mistaken("not a plain http or https URL", "like https://matrix.example.org")
    return text.rstrip("/")


def _public_url(text: str) -> str:
    url = _http_url(text)
    if url.startswith("http:") and not is_loopback(urlsplit(url).hostname or ""):
        raise mistaken("people would reach it unencrypted", "put a reverse proxy with TLS before it and write https://")
    return url


def _server_name(text: str) -> str:
    if not is_server_name(text):
        raise mistaken("not a server name", "it is what stands after the colon of your user ids, like example.org")
    return text


def _localpart(text: str) -> str:
    if not text.startswith("_") or not text.isascii() or not text.replace("_", "").replace("-", "").isalnum():
        raise mistaken("not fit for the ids of a bridge", f"begin with _, then a-z, 0-9, _ and -: {USER_PREFIX}")
    return text


def _domain(text: str) -> str:
    if not is_server_name(text) or "." not in text or ":" in text:
        raise mistaken("not a domain", "like reply.example.org")
    return text.lower()


def _network(value: object) -> IPv4Network | IPv6Network:
    try:
        return ip_network(value if isinstance(value, str) else "", strict=False)
    except ValueError:
        raise mistaken("not a network", "like 10.0.0.0/8, or a single address") from None


def _registration(value: object, info: ValidationInfo) -> Registration:
    if not isinstance(value, str):
        raise mistaken("not a path", "like registration.yaml")
    return registration.load(_context(info)["folder"] / value)


def _document(value: object, info: ValidationInfo) -> str:
    """The text of a file that people will read."""
    remedy = "the path of a text file with a few pages at most, like agreement.md"
    if not isinstance(value, str):
        raise mistaken("not a path", remedy)
    try:
        file: Path = _context(info)["folder"] / value
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        raise mistaken("can't be read", remedy) from None
    if not 0 < len(text) <= MOST_WORDS or clean(text) != text:
        raise mistaken("empty, too long, or with invisible characters", remedy)
    return text


def _folder(value: object, info: ValidationInfo) -> Path:
    """A folder, which need not be there yet."""
    if not isinstance(value, str | Path) or not str(value):
        raise mistaken("not a path", "the path of a folder, like documents")
    folder: Path = _context(info)["folder"] / value
    return folder.absolute()


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Port = Annotated[int, Field(ge=1, le=65535, strict=True)]
Secret = Annotated[SecretStr, BeforeValidator(_secret)]


class Homeserver(_Section):
    """The one homeserver that we serve."""

    url: Annotated[str, AfterValidator(_http_url)] = Field(description="the URL of its client-server API")
    server_name: Annotated[str, AfterValidator(_server_name)] = Field(description="its name in user ids")


class Listen(_Section):
    """A listening socket."""

    host: str = Field(default="127.0.0.1", min_length=1, description="the address to listen on")
    port: Port = Field(default=DEFAULT_PORT, description="the port to listen on, 1 to 65535")


class Appservice(_Section):
    """Ourselves."""

    listen: Listen = Field(default=Listen(), description="where we listen")
    public_base_url: Annotated[str, AfterValidator(_public_url)] = Field(description="our URL as people see it")
    trusted_proxies: tuple[Annotated[IPv4Network | IPv6Network, PlainValidator(_network)], ...] = Field(
        default=(), description="networks of our reverse proxies, whose X-Forwarded-For is believed"
    )
    registration: Annotated[Registration, PlainValidator(_registration)] = Field(
        description="the path of registration.yaml"
    )
    user_prefix: Annotated[str, AfterValidator(_localpart)] = Field(
        default=USER_PREFIX, description="how the ids of our users begin"
    )
    bot: Annotated[str, AfterValidator(_localpart)] = Field(default=BOT, description="the bot's localpart")

    @model_validator(mode="after")
    def _bot_is_ours(self) -> Self:
        if not self.bot.startswith(self.user_prefix):
            raise mistaken("the bot's id does not begin with user_prefix", f"like {self.user_prefix}bot", at="bot")
        if self.bot == self.registration.sender_localpart:
            # That user cannot /sync, and what the homeserver lost would stay lost.
            raise mistaken("the bot is the registration's sender_localpart", f"keep them apart: {BOT}", at="bot")
        return self


class Database(_Section):
    """Where everything is kept."""

    url: Annotated[SecretStr, BeforeValidator(_database_url)] = Field(
        default=SecretStr(f"{_SQLITE}mediatrix.db"), validate_default=True, description="an SQLAlchemy URL"
    )


class Organisation(_Section):
    """Who invites: said in every invitation (R9)."""

    name: PlainLine = Field(max_length=100, description="the organisation's name")
    contact: PlainLine = Field(max_length=100, description="a person's name")
    telephone: PlainLine = Field(max_length=40, description="a number at which that person calls back")


class Secrets(_Section):
    """What must not be known, nor stand in the database."""

    master_key: Annotated[SecretBytes, BeforeValidator(_master_key)] = Field(
        description="the key of everything that is encrypted at rest"
    )
    old_master_keys: tuple[Annotated[SecretBytes, BeforeValidator(_master_key)], ...] = Field(
        default=(), description="former master keys, until nothing is left under them: mediatrix keys rotate"
    )
    provisioning_token: Annotated[SecretStr, BeforeValidator(_token)] = Field(
        description="the token of the provisioning API"
    )

    @property
    def masters(self) -> tuple[bytes, ...]:
        """Every master key, the one that seals first."""
        return tuple(key.get_secret_value() for key in (self.master_key, *self.old_master_keys))


class Tls(StrEnum):
    """How a connection to a mail server is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


class Lmtp(_Section):
    """Where our mail server hands us mail."""

    host: str = Field(default="127.0.0.1", min_length=1, description="the address to listen on")
    port: Port = Field(default=DEFAULT_LMTP_PORT, description="the port to listen on, 1 to 65535")


class Smtp(_Section):
    """The mail server that sends for us."""

    host: str = Field(default="127.0.0.1", min_length=1, description="the mail server")
    port: Port = Field(default=25, description="its port, 1 to 65535")
    tls: Tls = Field(default=Tls.NONE, description="none, starttls or implicit")
    username: str | None = Field(default=None, description="a user name, where the server wants one")
    password: Secret | None = Field(default=None, description="its password, as {file: PATH} or {env: NAME}")

    @model_validator(mode="after")
    def _nothing_leaves_in_clear(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise mistaken("username and password go together", "give both or neither")
        if self.tls is Tls.NONE and not is_loopback(self.host):
            what = "mail" if self.password is None else "the password"
            raise mistaken(f"{what} would travel in clear", "set tls to starttls or implicit")
        return self


class Email(_Section):
    """The email bridge."""

    enabled: bool = Field(default=True, description="whether there is an email bridge")
    reply_domain: Annotated[str, AfterValidator(_domain)] = Field(description="the domain of reply addresses")
    authserv_id: str = Field(
        min_length=1, pattern=r"^[A-Za-z0-9.-]+$", description="the name our mail server signs its checks with"
    )
    accept_spf: bool = Field(default=False, description="whether SPF is proof where a domain signs nothing")
    arc_sealers: tuple[Annotated[str, AfterValidator(_domain)], ...] = Field(
        default=(), description="domains of forwarders whose word on what they verified counts (ARC)"
    )
    joint_delay_seconds: int = Field(
        default=15, ge=0, le=120, description="seconds a mail to all waits, should it come to another address, too"
    )
    lmtp: Lmtp = Field(default=Lmtp(), description="where mail comes in")
    smtp: Smtp = Field(default=Smtp(), description="where mail goes out")


class WhatsAppTemplate(_Section):
    """The approved message that asks somebody to write, so that they can be written to."""

    name: str = Field(pattern=r"^[a-z0-9_]{1,512}$", description="its name at Meta")
    language: str = Field(
        default="en", pattern=r"^[a-z]{2,3}(_[A-Z]{2})?$", description="its language, like en or en_GB"
    )


class WhatsApp(_Section):
    """The WhatsApp bridge, on the Cloud API."""

    enabled: bool = Field(default=True, description="whether there is a WhatsApp bridge")
    private_number: Annotated[str, Field(pattern=_NUMBER_ID)] = Field(
        description="Meta's id of our number for private rooms (phone number id), in quotes"
    )
    joint_number: Annotated[str, Field(pattern=_NUMBER_ID)] | None = Field(
        default=None,
        description="Meta's id of our number for joint rooms; without it, what parties write is private",
    )
    template: WhatsAppTemplate = Field(description="the message that asks somebody to write")
    app_secret: Secret = Field(description="the app's secret, which signs webhooks, as {file: PATH} or {env: NAME}")
    verify_token: Annotated[SecretStr, BeforeValidator(_token)] = Field(
        description="the token of the webhook's subscription"
    )
    access_token: Secret = Field(description="the system user's token, which opens the Cloud API")
    graph_base_url: Annotated[str, AfterValidator(_public_url)] = Field(
        default="https://graph.facebook.com", description="the URL of the Cloud API"
    )
    graph_version: str = Field(default="v26.0", pattern=r"^v[0-9]{1,3}\.[0-9]$", description="its version")

    @model_validator(mode="after")
    def _two_numbers(self) -> Self:
        if self.private_number == self.joint_number:
            remedy = "give the id of another number, or leave joint_number out"
            raise mistaken("the same number for private and joint rooms", remedy, at="joint_number")
        return self


class AgreementToMediate(_Section):
    """What everyone accepts before the joint room (M2)."""

    enabled: bool = Field(default=True, description="whether an agreement must be accepted")
    file: Annotated[str, PlainValidator(_document)] = Field(description="its text, a file in Markdown")
    confidentiality: Confidentiality = Field(
        default=Confidentiality.STRICT, description="strict, share-unless-marked or no-secrets, for new cases"
    )

    @property
    def first_version(self) -> Agreement:
        """As a new case takes it."""
        return Agreement(1, self.file, self.confidentiality)


class Rooms(_Section):
    """What our rooms are like."""

    rotation_messages: int = Field(default=100, ge=1, le=10_000, description="messages until a new room key")
    rotation_hours: int = Field(default=168, ge=1, le=8_760, description="hours until a new room key")


class Documents(_Section):
    """The vault that files go to. Without this section files stay as they are sent."""

    enabled: bool = Field(default=True, description="whether files go to the vault")
    folder: Annotated[Path, PlainValidator(_folder)] = Field(
        default=Path("documents"), validate_default=True, description="the folder of the vault, ours alone"
    )
    media_admin_token: Secret | None = Field(
        default=None, description="an administrator's token at the homeserver, which deletes files from it"
    )


class Level(StrEnum):
    """The least important lines to log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Logging(_Section):
    """What is logged, and how."""

    level: Level = Field(default=Level.INFO, description="debug, info, warning or error")
    format: LogFormat = Field(default=LogFormat.TEXT, description="text or json")


def _unless_disabled(value: object) -> object:
    return None if isinstance(value, dict) and value.get("enabled") is False else value


class Config(_Section):
    """Everything that can be set."""

    homeserver: Homeserver = Field(description="the homeserver")
    appservice: Appservice = Field(description="ourselves")
    database: Database = Field(default_factory=Database, description="the database")
    organisation: Organisation = Field(description="who invites")
    mediators: tuple[MatrixUser, ...] = Field(min_length=1, description="Matrix user ids of who may open cases")
    secrets: Secrets = Field(description="the secrets")
    email: Annotated[Email | None, BeforeValidator(_unless_disabled)] = Field(
        default=None, description="the email bridge"
    )
    whatsapp: Annotated[WhatsApp | None, BeforeValidator(_unless_disabled)] = Field(
        default=None, description="the WhatsApp bridge"
    )
    agreement: Annotated[AgreementToMediate | None, BeforeValidator(_unless_disabled)] = Field(
        default=None, description="the agreement to mediate"
    )
    documents: Annotated[Documents | None, BeforeValidator(_unless_disabled)] = Field(
        default=None, description="the vault of documents"
    )
    rooms: Rooms = Field(default=Rooms(), description="the rooms")
    logging: Logging = Field(default=Logging(), description="the log")

    @property
    def bot_user(self) -> UserId:
        """The bot's whole user id."""
        return UserId(f"@{self.appservice.bot}:{self.homeserver.server_name}")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if wrong := [*self._foreign_mediators(), *self._registration_mismatches()]:
            raise ConfigError("", wrong)
        return self

    def _foreign_mediators(self) -> Iterable[Mistake]:
        # Redaction, media deletion and holds don't reach other servers (R10).
        server = self.homeserver.server_name
        for number, user in enumerate(self.mediators):
            if server_of(user) != server:
                remedy = f"give this mediator one of {server}"
                yield Mistake(f"mediators[{number}]", "an account of another homeserver", remedy)

    def _registration_mismatches(self) -> Iterable[Mistake]:
        server = self.homeserver.server_name
        ours = (self.bot_user, UserId(f"@{self.appservice.user_prefix}0:{server}"))
        for mistake in registration.mismatches(self.appservice.registration, ours, server):
            yield replace(mistake, where=f"registration.yaml: {mistake.where}")


def load(file: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Read and check a configuration; paths in it begin at its folder. Raises ConfigError with every mistake."""
    raw = yamlfile.read(file)
    placeholders = tuple(_placeholders(raw))
    marked = {mistake.where for mistake in placeholders}
    try:
        config = Config.model_validate(raw, context={"folder": file.absolute().parent, "environ": environ})
    except ValidationError as error:
        others = [mistake for mistake in explain(error, Config) if mistake.where not in marked]
        raise ConfigError(file.name, [*placeholders, *others]) from None
    if placeholders:
        raise ConfigError(file.name, placeholders)
    return config


def _placeholders(value: object, where: str = "") -> Iterable[Mistake]:
    match value:
        case str() if is_placeholder(value):
            yield Mistake(where, PLACEHOLDER, "put your own value here")
        case dict() if where in {"email", "whatsapp"} and value.get("enabled") is False:
            return
        case dict():
            for key, inner in value.items():
                yield from _placeholders(inner, f"{where}.{key}".removeprefix("."))
        case list():
            for number, inner in enumerate(value):
                yield from _placeholders(inner, f"{where}[{number}]")
        case _:
            return

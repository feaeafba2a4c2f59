"""config.yaml: every setting of the service, checked before anything starts.

Unknown keys are refused, secrets come from files or the environment, and all mistakes are reported at once, each
with its path and what mends it. The committed examples are refused: their values are placeholders.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator

from appservice.casefile import MatrixUser, PlainLine
from appservice.logs import LogFormat
from appservice.matrix.ids import UserId, server_of
from appservice.setup import registration, yamlfile
from appservice.setup.channels import Email, WhatsApp
from appservice.setup.desks import Intake, MediatorsRoom
from appservice.setup.mistakes import ConfigError, Mistake, explain, mistaken
from appservice.setup.secretfiles import is_placeholder
from appservice.setup.values import (
    SQLITE,
    USER_PREFIX,
    DatabaseUrl,
    Folder,
    HttpUrl,
    Localpart,
    MailAddress,
    MasterKey,
    Network,
    Port,
    PublicUrl,
    RegistrationFile,
    RootUrl,
    Secret,
    Section,
    ServerName,
    TimeZone,
    Token,
    Words,
)
from bridges.portal.views import LEAVE_TO
from policies.documents.quota import MEGABYTE, Quota
from policies.moderation.agreement import Agreement, Confidentiality
from policies.moderation.rulebook import EDIT_MINUTES, EDIT_MINUTES_MOST, Rulebook, Trial
from policies.words.language import Language
from policies.words.zones import UNIVERSAL

DEFAULT_PORT: Final = 29340
BOT: Final = "_mediatrix_bot"
PLACEHOLDER: Final = "still the example's placeholder"


class Homeserver(Section):
    """The one homeserver that we serve."""

    url: HttpUrl = Field(description="the URL of its client-server API")
    server_name: ServerName = Field(description="its name in user ids")
    reports_token: Secret | None = Field(
        default=None, description="an administrator's token at it, with which reports are fetched that people make"
    )


class Listen(Section):
    """A listening socket."""

    host: str = Field(default="127.0.0.1", min_length=1, description="the address to listen on")
    port: Port = Field(default=DEFAULT_PORT, description="the port to listen on, 1 to 65535")


class Appservice(Section):
    """Ourselves."""

    listen: Listen = Field(default=Listen(), description="where we listen")
    public_base_url: RootUrl = Field(description="our URL as people see it")
    trusted_proxies: tuple[Network, ...] = Field(
        default=(), description="networks of our reverse proxies, whose X-Forwarded-For is believed"
    )
    registration: RegistrationFile = Field(description="the path of registration.yaml")
    user_prefix: Localpart = Field(default=USER_PREFIX, description="how the ids of our users begin")
    bot: Localpart = Field(default=BOT, description="the bot's localpart")

    @model_validator(mode="after")
    def _bot_is_ours(self) -> Self:
        if not self.bot.startswith(self.user_prefix):
            raise mistaken("the bot's id does not begin with user_prefix", f"like {self.user_prefix}bot", at="bot")
        if self.bot == self.registration.sender_localpart:
            # That user cannot /sync, and what the homeserver lost would stay lost.
            raise mistaken("the bot is the registration's sender_localpart", f"keep them apart: {BOT}", at="bot")
        return self


class Database(Section):
    """Where everything is kept."""

    url: DatabaseUrl = Field(
        default=SecretStr(f"{SQLITE}mediatrix.db"), validate_default=True, description="an SQLAlchemy URL"
    )


class Discreet(Section):
    """What those see of us who want that nothing tells anything, and where the page is left in a hurry (B5)."""

    name: PlainLine = Field(default="", max_length=60, description="whom their mails come from; empty: nobody named")
    subject: PlainLine | None = Field(
        default=None, max_length=60, description="the subject of their mails; default: a message for you"
    )
    address: MailAddress | None = Field(
        default=None, description="the address their mails come from, of a domain that tells nothing"
    )
    base_url: RootUrl | None = Field(
        default=None, description="our URL in their mails, another name of this server that tells nothing"
    )
    leave_to: PublicUrl = Field(default=LEAVE_TO, description="the page that whoever leaves ours in a hurry is led to")


class Organisation(Section):
    """Who invites: said in every invitation (R9)."""

    name: PlainLine = Field(max_length=100, description="the organisation's name")
    contact: PlainLine = Field(max_length=100, description="a person's name")
    telephone: PlainLine = Field(max_length=40, description="a number at which that person calls back")
    successor: MatrixUser | None = Field(
        default=None, description="the Matrix user id of who comes into a case when no mediator is left at its desk"
    )
    time_zone: TimeZone = Field(default=UNIVERSAL, description="the time zone of its mediators, for new cases")
    language: Language = Field(
        default=Language.ENGLISH, description="in which parties are written to, for new cases: en, de, es or fr"
    )
    discreet: Discreet = Field(
        default=Discreet(), description="what is shown of us to those who want that nothing tells anything"
    )


class Secrets(Section):
    """What must not be known, nor stand in the database."""

    master_key: MasterKey = Field(description="the key of everything that is encrypted at rest")
    old_master_keys: tuple[MasterKey, ...] = Field(
        default=(), description="former master keys, until nothing is left under them: mediatrix keys rotate"
    )
    provisioning_token: Token = Field(description="the token of the provisioning API")

    @property
    def masters(self) -> tuple[bytes, ...]:
        """Every master key, the one that seals first."""
        return tuple(key.get_secret_value() for key in (self.master_key, *self.old_master_keys))


class AgreementToMediate(Section):
    """What everyone accepts before the joint room (M2)."""

    enabled: bool = Field(default=True, description="whether an agreement must be accepted")
    file: Words = Field(description="its text, a file in Markdown")
    confidentiality: Confidentiality = Field(
        default=Confidentiality.STRICT, description="strict, share-unless-marked or no-secrets, for new cases"
    )

    @property
    def first_version(self) -> Agreement:
        """As a new case takes it."""
        return Agreement(1, self.file, self.confidentiality)


class Record(Section):
    """The record of what was decided (A1)."""

    heads_to: tuple[MailAddress, ...] = Field(
        default=(), description="mail addresses that get its signed heads, as each desk does"
    )


class Rules(Section):
    """The rules of the joint room, for new cases; mediators change them with !rules (M7)."""

    edit_minutes: int = Field(
        default=EDIT_MINUTES, ge=1, le=EDIT_MINUTES_MOST, description="minutes in which words can be changed"
    )
    dry_run: tuple[Trial, ...] = Field(default=(), description="rules that only tell the desk: late-edit, joint-file")

    @property
    def rulebook(self) -> Rulebook:
        """As a new case takes it."""
        return Rulebook(self.edit_minutes, self.dry_run)


class Rooms(Section):
    """What our rooms are like."""

    rotation_messages: int = Field(default=100, ge=1, le=10_000, description="messages until a new room key")
    undo_seconds: int = Field(
        default=30, ge=0, le=600, description="seconds in which mediators take back a post before it is mailed"
    )
    rotation_hours: int = Field(default=168, ge=1, le=8_760, description="hours until a new room key")


class Clamd(Section):
    """A malware scanner. While it doesn't answer, files wait."""

    socket: Folder | None = Field(default=None, description="the path of its Unix socket (LocalSocket in clamd.conf)")
    host: str | None = Field(default=None, min_length=1, description="or the host of its TCP socket")
    port: Port = Field(default=3310, description="and its port, 1 to 65535")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.socket is None) == (self.host is None):
            raise mistaken("give either a socket or a host", "like socket: /run/clamav/clamd.ctl", at="socket")
        return self


class S3(Section):
    """A bucket of an S3-compatible storage, where the vault's ciphertext lies."""

    endpoint: HttpUrl = Field(description="the URL of the storage, without the bucket")
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="its bucket")
    region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]{1,40}$", description="its region")
    prefix: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*)?$",
        description="what our names begin with",
    )
    access_key_id: str = Field(min_length=1, description="who we are there")
    secret_access_key: Secret = Field(description="the secret that shows it")


class Documents(Section):
    """The vault that files go to. Without this section files stay as they are sent."""

    enabled: bool = Field(default=True, description="whether files go to the vault")
    folder: Folder = Field(
        default=Path("documents"), validate_default=True, description="the folder of the vault, ours alone"
    )
    s3: S3 | None = Field(default=None, description="the bucket for encrypted files, instead of the folder")
    most_megabytes: int = Field(default=50, ge=1, le=200, description="how large a file may be, in MB")
    case_megabytes: int = Field(
        default=5000, ge=1, description="how much all documents of one private room of a case may be, in MB"
    )
    person_megabytes: int = Field(default=1000, ge=1, description="how much one person's may be in a case, in MB")
    day_files: int = Field(default=100, ge=1, description="how many files one person may share in a case in 24 hours")
    clamd: Clamd | None = Field(default=None, description="the malware scanner, if there is one")
    media_admin_token: Secret | None = Field(
        default=None, description="an administrator's token at the homeserver, which deletes files from it"
    )

    @property
    def quota(self) -> Quota:
        """How much there may be."""
        return Quota(self.case_megabytes * MEGABYTE, self.person_megabytes * MEGABYTE, self.day_files)


class Level(StrEnum):
    """The least important lines to log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Logging(Section):
    """What is logged, and how."""

    level: Level = Field(default=Level.INFO, description="debug, info, warning or error")
    format: LogFormat = Field(default=LogFormat.TEXT, description="text or json")


def _unless_disabled(value: object) -> object:
    return None if isinstance(value, dict) and value.get("enabled") is False else value


class Config(Section):
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
    intake: Annotated[Intake | None, BeforeValidator(_unless_disabled)] = Field(
        default=None, description="the triage desk"
    )
    mediators_room: Annotated[MediatorsRoom | None, BeforeValidator(_unless_disabled)] = Field(
        default=None, description="the mediators' room"
    )
    record: Record = Field(default=Record(), description="the record of what was decided")
    rules: Rules = Field(default=Rules(), description="the rules of the joint room")
    rooms: Rooms = Field(default=Rooms(), description="the rooms")
    logging: Logging = Field(default=Logging(), description="the log")

    @property
    def at_triage(self) -> tuple[UserId, ...]:
        """Who sees what strangers write; nobody, where there is no triage desk."""
        by_mail = self.email is not None and self.email.intake_address is not None
        if self.intake is None or not (self.whatsapp or by_mail):
            return ()
        return self.intake.mediators or self.mediators

    @property
    def in_mediators_room(self) -> tuple[UserId, ...]:
        """Who is in the mediators' room in Matrix; nobody, where there is none."""
        return (self.mediators_room.mediators or self.mediators) if self.mediators_room else ()

    @property
    def bot_user(self) -> UserId:
        """The bot's whole user id."""
        return UserId(f"@{self.appservice.bot}:{self.homeserver.server_name}")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if wrong := [
            *self._foreign_mediators(),
            *self._foreign_successor(),
            *self._registration_mismatches(),
            *self._shared_ports(),
            *self._undeliverable_heads(),
            *self._intake_for_nobody(),
        ]:
            raise ConfigError("", wrong)
        return self

    def _foreign_mediators(self) -> Iterable[Mistake]:
        # Redaction, media deletion and holds don't reach other servers (R10).
        server = self.homeserver.server_name
        lists = (
            ("mediators", self.mediators),
            ("intake.mediators", self.intake.mediators if self.intake else ()),
            ("mediators_room.mediators", self.mediators_room.mediators if self.mediators_room else ()),
        )
        for where, mediators in lists:
            for number, user in enumerate(mediators):
                if server_of(user) != server:
                    remedy = f"give this mediator one of {server}"
                    yield Mistake(f"{where}[{number}]", "an account of another homeserver", remedy)

    def _foreign_successor(self) -> Iterable[Mistake]:
        server, successor = self.homeserver.server_name, self.organisation.successor
        if successor and server_of(successor) != server:
            remedy = f"name somebody with an account of {server}"
            yield Mistake("organisation.successor", "an account of another homeserver", remedy)

    def _shared_ports(self) -> Iterable[Mistake]:
        if self.email and not self.email.imap and self.email.lmtp.port == self.appservice.listen.port:
            yield Mistake("email.lmtp.port", "the same as appservice.listen.port", "give each a port of its own")

    def _undeliverable_heads(self) -> Iterable[Mistake]:
        for number, address in enumerate(self.record.heads_to):
            where, domain = f"record.heads_to[{number}]", address.rpartition("@")[2].lower()
            if self.email is None:
                yield Mistake(where, "heads can't be mailed without the email bridge", "set up email, or leave it out")
            elif domain == self.email.reply_domain.lower():
                yield Mistake(where, "an address at our own reply_domain", "give one that leaves this machine")

    def _intake_for_nobody(self) -> Iterable[Mistake]:
        if self.whatsapp and self.whatsapp.intake_number and self.intake is None:
            remedy = "add an intake section, or leave intake_number out"
            yield Mistake("whatsapp.intake_number", "a number for strangers, and no triage desk", remedy)
        if self.email and self.email.intake_address and self.intake is None:
            remedy = "add an intake section, or leave intake_address out"
            yield Mistake("email.intake_address", "an address for strangers, and no triage desk", remedy)

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
        case dict() if where in {"email", "whatsapp", "intake", "mediators_room"} and value.get("enabled") is False:
            return
        case dict():
            for key, inner in value.items():
                yield from _placeholders(inner, f"{where}.{key}".removeprefix("."))
        case list():
            for number, inner in enumerate(value):
                yield from _placeholders(inner, f"{where}[{number}]")
        case _:
            return

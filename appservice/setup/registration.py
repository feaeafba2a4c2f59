"""registration.yaml: what the homeserver is told of us, made, read and checked.

The settings are those that encryption needs (MSC2409, MSC3202, MSC4190): without one of them the service seems to
run and can't read a word.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from appservice.matrix.ids import UserId
from appservice.setup import yamlfile
from appservice.setup.mistakes import ConfigError, Mistake, explain, mistaken
from appservice.setup.secretfiles import exposed, is_placeholder, strong

SENDER_LOCALPART: Final = "_mediatrix_as"
"""A user that nothing uses: Synapse lets a registration's own user not /sync."""

_LOCALPART: Final = re.compile(r"[a-z0-9._=/+-]+")
_ANYONE: Final = "alice"


def _token(value: SecretStr) -> SecretStr:
    strong(value.get_secret_value())
    return value


def _url(text: str) -> str:
    if is_placeholder(text) or urlsplit(text).scheme not in {"http", "https"} or not urlsplit(text).hostname:
        raise mistaken("not the URL at which the homeserver reaches us", "like http://127.0.0.1:29340")
    return text.rstrip("/")


def _localpart(text: str) -> str:
    if _LOCALPART.fullmatch(text) is None:
        raise mistaken("not the first part of a user id", f"use {SENDER_LOCALPART}")
    return text


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error:
        text = ""
    if not text or is_placeholder(text):
        raise mistaken("not a regular expression for our user ids", r"like '@_mediatrix_.*:example\.org'")
    return text


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, populate_by_name=True)


class Namespace(_Part):
    """User ids of ours."""

    exclusive: bool = Field(description="true: nobody else may register these ids")
    regex: Annotated[str, AfterValidator(_regex)] = Field(description="which ids")


class Namespaces(_Part):
    """What is ours at the homeserver. Aliases and rooms are not: we are in our rooms, and none has an alias."""

    users: tuple[Namespace, ...] = Field(min_length=1, description="the user ids of the bot and the ghosts")
    aliases: tuple[Namespace, ...] = ()
    rooms: tuple[Namespace, ...] = ()


Token = Annotated[SecretStr, AfterValidator(_token)]


class Registration(_Part):
    """A registration as the application service API (2.1) has it, with Synapse's unstable keys."""

    id: str = Field(min_length=1, description="a name that no other application service of the homeserver has")
    url: Annotated[str, AfterValidator(_url)] = Field(description="the URL at which the homeserver reaches us")
    as_token: Token = Field(description="the secret by which the homeserver knows us")
    hs_token: Token = Field(description="the secret by which we know the homeserver")
    sender_localpart: Annotated[str, AfterValidator(_localpart)] = Field(description=f"{SENDER_LOCALPART}")
    rate_limited: Literal[False] = Field(description="false: a slow ghost would hold up a case")
    receive_ephemeral: Literal[True] = Field(description="true: or no message for a device ever arrives")
    transaction_extensions: Literal[True] = Field(
        alias="org.matrix.msc3202", description="true: or we run out of keys without noticing"
    )
    device_management: Literal[True] = Field(
        alias="io.element.msc4190", description="true: or no ghost can have a device"
    )
    namespaces: Namespaces = Field(description="the ids that are ours")
    protocols: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _two_tokens(self) -> Self:
        if self.as_token == self.hs_token:
            raise mistaken("as_token and hs_token are the same", "each needs its own")
        return self


def namespace_regex(server_name: str, user_prefix: str) -> str:
    """The ids of our users at one homeserver."""
    return f"@{user_prefix}.*:{re.escape(server_name)}"


def load(file: Path) -> Registration:
    """Read and check a registration. Raises ConfigError with every mistake."""
    raw = yamlfile.read(file)
    open_to_all = exposed(file)
    mistakes = [open_to_all] if open_to_all is not None else []
    try:
        found = Registration.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(file.name, [*mistakes, *explain(error, Registration)]) from None
    if mistakes:
        raise ConfigError(file.name, mistakes)
    return found


def mismatches(registration: Registration, users: Iterable[UserId], server_name: str) -> Iterable[Mistake]:
    """Where a registration does not fit the configuration: `users` must be ours alone, others must not be."""
    for user in users:
        if not any(space.exclusive and _owns(space, user) for space in registration.namespaces.users):
            remedy = rf"like '@_mediatrix_.*:{re.escape(server_name)}', exclusive: true"
            yield Mistake("namespaces.users", f"no exclusive namespace has {user}", remedy)
    for number, space in enumerate(registration.namespaces.users):
        if _owns(space, UserId(f"@{_ANYONE}:{server_name}")):
            yield Mistake(f"namespaces.users[{number}].regex", "takes ids of people", "begin it with our prefix")


def _owns(space: Namespace, user: UserId) -> bool:
    return re.match(space.regex, user) is not None  # as Synapse does

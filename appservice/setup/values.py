"""What a single setting may be, and what mends it: addresses, secrets, names, files.

Secrets come from files or the environment. Paths begin at the configuration's folder.
"""

import base64
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Final
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
    ValidationInfo,
)

from appservice.matrix.ids import is_server_name
from appservice.setup import registration
from appservice.setup.mistakes import mistaken
from appservice.setup.registration import Registration
from appservice.setup.secretfiles import resolve, strong
from bridges.email.ids import MalformedAddress, parse_address
from policies.words.text import clean
from policies.words.zones import zone_named

USER_PREFIX: Final = "_mediatrix_"
MASTER_KEY_BYTES: Final = 32
MOST_WORDS: Final = 20_000
"""Characters of a text that goes to people in one message."""
SQLITE: Final = "sqlite+aiosqlite:///"
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
    remedy = f"{SQLITE}mediatrix.db or {_POSTGRES}USER@HOST/NAME"
    if url.startswith(SQLITE) and url != SQLITE:
        path = url.removeprefix(SQLITE)
        if path.startswith(":memory:"):
            raise mistaken("a database in memory forgets every case", remedy)
        return f"{SQLITE}{(_context(info)['folder'] / path).absolute()}"
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


def _root_url(text: str) -> str:
    url = _public_url(text)
    if urlsplit(url).path:
        raise mistaken("it has a path", "give us the root of a host: https://mediation.example.org")
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


def _mail_address(text: str) -> str:
    read = parse_address(text)
    if isinstance(read, MalformedAddress):
        raise mistaken(read.reason, "like records@example.org")
    return read.spelled


def _time_zone(text: str) -> str:
    if zone_named(text) is None:
        raise mistaken("not a time zone", "like Europe/Berlin, or UTC")
    return text


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


class Section(BaseModel):
    """Settings that belong together."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


Port = Annotated[int, Field(ge=1, le=65535, strict=True)]
Secret = Annotated[SecretStr, BeforeValidator(_secret)]
Token = Annotated[SecretStr, BeforeValidator(_token)]
MasterKey = Annotated[SecretBytes, BeforeValidator(_master_key)]
DatabaseUrl = Annotated[SecretStr, BeforeValidator(_database_url)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
RootUrl = Annotated[str, AfterValidator(_root_url)]
ServerName = Annotated[str, AfterValidator(_server_name)]
Localpart = Annotated[str, AfterValidator(_localpart)]
Domain = Annotated[str, AfterValidator(_domain)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
Network = Annotated[IPv4Network | IPv6Network, PlainValidator(_network)]
RegistrationFile = Annotated[Registration, PlainValidator(_registration)]
Folder = Annotated[Path, PlainValidator(_folder)]
Words = Annotated[str, PlainValidator(_document)]
"""The text of a file that people will read."""

"""A real Synapse on loopback, with SQLite, in a directory of its own.

The directory holds everything: a second start in it is the same homeserver, with its users and rooms. The settings
are those that the service recommends to administrators, except that rate limits are open and passwords cheap to
check.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import yaml

from sandbox.children import end, environment, tied_to_us
from sandbox.ports import LOOPBACK, require_free

START_TIMEOUT = 120.0  # seconds; about 3 on an idle machine
POLL = 0.05  # seconds between two looks at /health
OPEN = {"per_second": 100_000, "burst_count": 100_000}  # a rate limit that nobody meets


class HomeserverFailed(Exception):
    """Synapse did not start, or ended by itself; the message carries the end of what it said."""


class RequestRefused(Exception):
    """The homeserver answered a request of the sandbox with an error."""

    def __init__(self, status: int, errcode: str, message: str) -> None:
        super().__init__(f"{status} {errcode}: {message}")
        self.status = status
        self.errcode = errcode


@dataclass(frozen=True, slots=True)
class HomeserverConfig:
    """Where and how a Synapse runs. `overrides` replaces top-level keys of homeserver.yaml."""

    python: Path
    directory: Path
    port: int
    server_name: str = "mediatrix.localhost"
    registrations: tuple[Path, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Session:
    """A password login: what an HTTP client needs to act as that user and device."""

    user_id: str
    device_id: str
    access_token: str


@dataclass(frozen=True, slots=True)
class _Secrets:
    """What must stay the same from one start to the next, or tokens and signatures stop being valid."""

    registration: str
    macaroon: str
    form: str

    @classmethod
    def kept_in(cls, directory: Path) -> Self:
        path = directory / "secrets.json"
        if not path.exists():
            fresh = {name: secrets.token_urlsafe(32) for name in ("registration", "macaroon", "form")}
            path.write_text(json.dumps(fresh))
        return cls(**json.loads(path.read_text()))


class Homeserver:
    """One Synapse: `start`, use `url`, `stop`. Usable as an async context manager."""

    def __init__(self, config: HomeserverConfig) -> None:
        self.config = config
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """The base URL of the client-server API, without a slash at its end."""
        return f"http://{LOOPBACK}:{self.config.port}"

    @property
    def server_name(self) -> str:
        return self.config.server_name

    @property
    def pid(self) -> int:
        """Of the running Synapse."""
        assert self._process is not None, "start() first"
        return self._process.pid

    @property
    def log(self) -> Path:
        """What Synapse says: warnings and worse."""
        return self.config.directory / "homeserver.log"

    def user_id(self, localpart: str) -> str:
        return f"@{localpart}:{self.server_name}"

    async def start(self) -> None:
        """Writes the configuration, starts Synapse and waits for /health.

        Raises PortTaken, or HomeserverFailed when Synapse can't be run or ends by itself.
        """
        if not self.config.python.exists():
            raise HomeserverFailed(f"no Python with Synapse at {self.config.python}: run `make setup`")
        require_free(self.config.port, "the homeserver")
        path = await asyncio.to_thread(write_configuration, self.config)
        command = (str(self.config.python.absolute()), "-m", "synapse.app.homeserver", "-c", str(path))
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *tied_to_us(*command),
                cwd=self.config.directory,
                env=environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for whoever started us, who then stops us in order
            )
        try:
            await asyncio.wait_for(self._healthy(self._process), START_TIMEOUT)
        except BaseException as error:
            await self.kill()
            if isinstance(error, TimeoutError):
                raise HomeserverFailed(f"not healthy after {START_TIMEOUT:.0f} s{self._last_words()}") from None
            raise

    async def stop(self) -> None:
        """Ends Synapse in order; does nothing when it does not run."""
        process, self._process = self._process, None
        if process is not None:
            await end(process)

    async def kill(self) -> None:
        """Ends Synapse as a power cut would."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def register(self, localpart: str, password: str, *, admin: bool = False) -> str:
        """Makes sure that the user exists, without a device, and returns its Matrix id.

        By the registration shared secret (Synapse's `/_synapse/admin/v1/register`). A user who exists keeps their
        password.
        """
        nonce = (await self.request("GET", "/_synapse/admin/v1/register"))["nonce"]
        fields = (nonce, localpart, password, "admin" if admin else "notadmin")
        secret = _Secrets.kept_in(self.config.directory).registration
        body = {
            "nonce": nonce,
            "username": localpart,
            "password": password,
            "admin": admin,
            "mac": hmac.new(secret.encode(), "\0".join(fields).encode(), hashlib.sha1).hexdigest(),
            "inhibit_login": True,
        }
        try:
            await self.request("POST", "/_synapse/admin/v1/register", body=body)
        except RequestRefused as refused:
            if refused.errcode != "M_USER_IN_USE":
                raise
        return self.user_id(localpart)

    async def log_in(self, localpart: str, password: str, device_id: str | None = None) -> Session:
        """A new device with an access token and no encryption keys, for plain HTTP in tests."""
        body = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": localpart},
            "password": password,
            **({"device_id": device_id} if device_id else {}),
        }
        answer = await self.request("POST", "/_matrix/client/v3/login", body=body)
        return Session(answer["user_id"], answer["device_id"], answer["access_token"])

    async def request(self, method: str, path: str, *, token: str | None = None, body: object = None) -> dict[str, Any]:
        """One JSON request to the homeserver. Raises RequestRefused for every status from 400."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, self.url + path, headers=headers, json=body) as response,
        ):
            answer: dict[str, Any] = await response.json(content_type=None)
            if response.status >= 400:
                raise RequestRefused(response.status, answer.get("errcode", ""), answer.get("error", ""))
            return answer

    async def _healthy(self, process: asyncio.subprocess.Process) -> None:
        async with aiohttp.ClientSession() as http:
            while True:
                if process.returncode is not None:
                    raise HomeserverFailed(f"ended with status {process.returncode}{self._last_words()}")
                try:
                    async with http.get(f"{self.url}/health") as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientConnectionError:
                    pass
                await asyncio.sleep(POLL)

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-15:]
        return "; it said:\n" + "\n".join(lines) if lines else ""


def write_configuration(config: HomeserverConfig) -> Path:
    """Writes homeserver.yaml and what it needs into the directory, keeping keys and secrets that are there."""
    config.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    signing_key = config.directory / "signing.key"
    if not signing_key.exists():
        seed = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        signing_key.write_text(f"ed25519 a_{secrets.token_hex(2)} {seed}\n")
    (config.directory / "log.yaml").write_text(yaml.safe_dump(_logging()))
    path = config.directory / "homeserver.yaml"
    path.write_text(yaml.safe_dump({**_settings(config), **config.overrides}, sort_keys=False))
    return path


def _settings(config: HomeserverConfig) -> dict[str, Any]:
    here = config.directory.resolve()
    kept = _Secrets.kept_in(here)
    return {
        "server_name": config.server_name,
        "public_baseurl": f"http://{LOOPBACK}:{config.port}/",
        "pid_file": str(here / "homeserver.pid"),
        "listeners": [
            {
                "port": config.port,
                "bind_addresses": [LOOPBACK],
                "type": "http",
                "tls": False,
                "resources": [{"names": ["client", "openid"], "compress": False}],
            }
        ],
        "database": {"name": "sqlite3", "args": {"database": str(here / "homeserver.db")}},
        "media_store_path": str(here / "media"),
        "log_config": str(here / "log.yaml"),
        "signing_key_path": str(here / "signing.key"),
        "registration_shared_secret": kept.registration,
        "macaroon_secret_key": kept.macaroon,
        "form_secret": kept.form,
        "report_stats": False,
        "trusted_key_servers": [],
        "caches": {"global_factor": 0.1},
        "bcrypt_rounds": 4,
        **_application_services(config),
        **_recommended(),
        **_open_rate_limits(),
    }


def _application_services(config: HomeserverConfig) -> dict[str, Any]:
    return {
        "app_service_config_files": [str(path.resolve()) for path in config.registrations],
        "experimental_features": {
            "msc2409_to_device_messages_enabled": True,
            "msc3202_transaction_extensions": True,
        },
    }


def _recommended() -> dict[str, Any]:
    """What the service asks of administrators: nothing leaves this server, and nobody can be looked up."""
    return {
        "enable_registration": False,
        "allow_guest_access": False,
        "presence": {"enabled": False},
        "require_auth_for_profile_requests": True,
        "limit_profile_requests_to_users_who_share_rooms": True,
        "user_directory": {"enabled": True, "search_all_users": False},
        "url_preview_enabled": False,
        "federation_domain_whitelist": [],
        "encryption_enabled_by_default_for_room_type": "all",
    }


def _open_rate_limits() -> dict[str, Any]:
    return {
        "rc_message": OPEN,
        "rc_registration": OPEN,
        "rc_registration_token_validity": OPEN,
        "rc_login": {"address": OPEN, "account": OPEN, "failed_attempts": OPEN},
        "rc_admin_redaction": OPEN,
        "rc_joins": {"local": OPEN, "remote": OPEN},
        "rc_joins_per_room": OPEN,
        "rc_room_creation": OPEN,
        "rc_3pid_validation": OPEN,
        "rc_invites": {"per_room": OPEN, "per_user": OPEN, "per_issuer": OPEN},
        "rc_third_party_invite": OPEN,
        "rc_media_create": OPEN,
        "rc_key_requests": OPEN,
        "rc_delayed_event_mgmt": OPEN,
        "rc_reports": OPEN,
    }


def _logging() -> dict[str, Any]:
    return {
        "version": 1,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "disable_existing_loggers": False,
    }

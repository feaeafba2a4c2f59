"""A whole Mediatrix on this machine: a real homeserver, the service as its own process, mail and WhatsApp to play with.

The demo, the story and the end-to-end tests all live in one of these. Everything listens on loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.children import environment, tied_to_us
from sandbox.homeserver import Homeserver, HomeserverConfig
from sandbox.mail import MailSandbox
from sandbox.ports import LOOPBACK, free_port, require_free
from sandbox.whatsapp import server as whatsapp
from sandbox.whatsapp.server import WhatsAppSandbox
from sandbox.whatsapp.webhooks import Unsubscribed

AUTHSERV_ID = "mx.reply.example.org"
REPLY_DOMAIN = "reply.example.org"
MEDIATOR = "mia"
JOINT_DELAY = 1  # seconds
UNDO = 1  # second in which a mediator takes back what would be mailed
_READY = 120.0
_STOP = 60.0


class ServiceFailed(Exception):
    """The service ended, or never became ready; the message ends with its last words."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens."""

    homeserver: int
    service: int
    lmtp: int
    smtp: int
    whatsapp: int

    @classmethod
    def free(cls) -> Self:
        """Of those that nobody listens on."""
        return cls(*(free_port() for _ in range(5)))

    @classmethod
    def above(cls, first: int) -> Self:
        """Five in a row."""
        return cls(*range(first + 1, first + 6))


class World:
    """Starts and stops everything, in order; what is in `folder` stays from one start to the next."""

    def __init__(
        self,
        folder: Path,
        ports: Ports,
        synapse_python: Path,
        *,
        mediators: Sequence[str] = (MEDIATOR,),
        agreement: bool = False,
        triage: bool = False,
        successor: str | None = None,
        program: str = "appservice.cli",
    ) -> None:
        """`mediators`: the localparts of those who may open cases; `agreement`: whether one has to be accepted;
        `triage`: whether strangers reach a triage desk; `successor`: the localpart of who comes in when no mediator is
        left; `program`: the module that runs the service."""
        self._program = program
        self._agreement, self._triage, self._successor = agreement, triage, successor
        self.folder, self.ports, self._mediators = folder, ports, mediators
        self.config = folder / "service" / "config.yaml"
        self.homeserver = Homeserver(
            HomeserverConfig(
                python=synapse_python,
                directory=folder / "homeserver",
                port=ports.homeserver,
                registrations=(folder / "service" / "registration.yaml",),
            )
        )
        self.mail = MailSandbox(authserv_id=AUTHSERV_ID, port=ports.smtp)
        self.mail.service = (LOOPBACK, ports.lmtp)
        self.whatsapp = WhatsAppSandbox(port=ports.whatsapp)
        self.whatsapp.webhooks.url = f"http://{LOOPBACK}:{ports.service}/whatsapp/webhook"
        self._service: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def log(self) -> Path:
        """What the service says."""
        return self.folder / "service" / "service.log"

    @property
    def service_pid(self) -> int:
        """Of the running service."""
        assert self._service is not None, "start_service() first"
        return self._service.pid

    async def start(self) -> None:
        """Start everything, or nothing. Raises PortTaken, HomeserverFailed or ServiceFailed."""
        require_free(self.ports.service, "the service")
        require_free(self.ports.lmtp, "the service's mail intake")
        await self.configure()
        self.homeserver.config.directory.mkdir(parents=True, exist_ok=True)
        try:
            await self.homeserver.start()
            await self.mail.start()
            await self.whatsapp.start()
            await self.start_service()
            await self.whatsapp.webhooks.subscribe(whatsapp.SECRETS[whatsapp.VERIFY])
        except Unsubscribed as error:
            await self.stop()
            raise ServiceFailed(str(error)) from error
        except BaseException:
            await self.stop()
            raise

    async def configure(self) -> None:
        """Write the service's configuration, unless it is there."""
        if not self.config.exists():
            await self._init()

    async def stop(self) -> None:
        """Stop everything."""
        await self.stop_service()
        await self.whatsapp.stop()
        await self.mail.stop()
        await self.homeserver.stop()

    async def start_service(self) -> None:
        """Start the service, and wait until it is ready."""
        with self.log.open("ab") as log:
            self._service = await asyncio.create_subprocess_exec(
                *tied_to_us(sys.executable, "-m", self._program, "run", "-c", str(self.config)),
                env=environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        assert self._service.stdout is not None
        try:
            async with asyncio.timeout(_READY):
                line = await self._service.stdout.readline()
        except TimeoutError:
            line = b""
        if b"ready" not in line:
            raise ServiceFailed(f"the service did not become ready\n{self.last_words()}")

    async def stop_service(self) -> None:
        """Stop the service in order."""
        await self._end(signal.SIGTERM)

    async def kill_service(self) -> None:
        """Stop the service as a power cut does."""
        await self._end(signal.SIGKILL)

    async def cli(self, *arguments: str) -> str:
        """Run `mediatrix …` against this world's configuration; what it printed. Raises ServiceFailed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "appservice.cli", *arguments),
            env=environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await process.communicate()
        if process.returncode:
            raise ServiceFailed(printed.decode())
        return printed.decode()

    def last_words(self) -> str:
        """The end of the service's log."""
        return "\n".join(self.log.read_text().splitlines()[-30:]) if self.log.exists() else ""

    async def _init(self) -> None:
        await self.cli(
            "init",
            str(self.config.parent),
            "--server-name",
            self.homeserver.server_name,
            "--homeserver-url",
            self.homeserver.url,
            *(part for name in self._mediators for part in ("--mediator", self.homeserver.user_id(name))),
            "--port",
            str(self.ports.service),
            "--public-base-url",
            f"http://127.0.0.1:{self.ports.service}",
            "--organisation",
            "Example Mediation",
            "--contact",
            "Paula Example",
            "--telephone",
            "+49 30 901820",
            *(() if self._agreement else ("--no-agreement",)),
            "--reply-domain",
            REPLY_DOMAIN,
            "--authserv-id",
            AUTHSERV_ID,
            "--lmtp-port",
            str(self.ports.lmtp),
            "--smtp-port",
            str(self.ports.smtp),
        )
        settings = self.config.read_text()
        # One mail to two addresses comes within a moment here: nobody has to wait a quarter of a minute for the other.
        settings = _changed(r"# (joint_delay_seconds): \d+", rf"\1: {JOINT_DELAY}", settings)
        settings = _changed(r"(undo_seconds): \d+", rf"\1: {UNDO}", settings)
        if self._triage:
            settings = _changed(r"(?m)^(intake:.*\n  enabled: )false", r"\1true", settings)
        if self._successor:
            named = self.homeserver.user_id(self._successor)
            settings = _changed(r'# (successor): "[^"]*"', rf'\1: "{named}"', settings)
        section = whatsapp.SETTINGS.replace("BASE_URL", self.whatsapp.base_url)
        self.config.write_text(_changed(r"(?m)^whatsapp:\n(?:  .*\n)+", section, settings))
        for name, secret in whatsapp.SECRETS.items():
            file = self.config.parent / "secrets" / name
            file.touch(mode=0o600)
            file.write_text(secret)

    async def _end(self, how: signal.Signals) -> None:
        process, self._service = self._service, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, how)
        try:
            async with asyncio.timeout(_STOP):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _changed(setting: str, to: str, settings: str) -> str:
    changed = re.sub(setting, to, settings)
    if changed == settings:
        raise RuntimeError(f"the configuration that was made has nothing like {setting} to change")
    return changed

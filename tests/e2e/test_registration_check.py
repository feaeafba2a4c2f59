"""`registration check` finds what a real homeserver lacks, and names the setting."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from prometheus_client import CollectorRegistry

from appservice.matrix.transaction import Transaction
from appservice.setup import config
from appservice.setup.config import Config
from appservice.setup.init import InitOptions, create
from appservice.setup.probe import Finding, ProbeEcho, Verdict, check, probe_user
from appservice.web.bearer import TokenGate
from appservice.web.errors import answer_errors
from appservice.web.proxies import TrustedProxies
from appservice.web.server import WebServer
from appservice.web.transactions import HomeserverApi
from sandbox.ports import LOOPBACK, free_port
from tests.e2e.conftest import StartHomeserver
from tests.fakes.memory import MemoryDatabase

SERVER = "mediatrix.localhost"
FEATURES = "experimental_features"
WHAT_BRINGS_MESSAGES = "msc2409_to_device_messages_enabled"
OPEN_TO_STRANGERS = {
    "presence": {"enabled": True},
    "enable_registration": True,
    "enable_registration_without_verification": True,
    "require_auth_for_profile_requests": False,
    "limit_profile_requests_to_users_who_share_rooms": False,
}


class Stored:
    """Where the service would keep transactions."""

    def __init__(self) -> None:
        self.to_device: list[str] = []

    async def accept(self, transaction: Transaction) -> None:
        self.to_device += [message.type for message in transaction.to_device]


@dataclass(frozen=True)
class Installed:
    """An installation with its homeserver."""

    config: Config
    stored: Stored
    echo: ProbeEcho

    async def check(self, *, running: bool = True, patience: float = 60) -> tuple[Finding, ...]:
        return await check(self.config, self.echo if running else None, patience=patience)


@asynccontextmanager
async def installed(
    start_homeserver: StartHomeserver,
    folder: Path,
    *,
    registration: Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
    served: bool = True,
    hs_token: str | None = None,
) -> AsyncIterator[Installed]:
    """A service whose homeserver was told the given things instead of what we wrote."""
    port = free_port()
    create(
        folder,
        InitOptions(
            server_name=SERVER,
            homeserver_url="http://127.0.0.1:8008",
            mediators=(f"@mira:{SERVER}",),
            listen_port=port,
            public_base_url="http://127.0.0.1",
            organisation="Town Mediation",
            contact="Mira Moss",
            telephone="+1 555 0100",
        ),
    )
    told = folder / "as-the-homeserver-has-it.yaml"
    told.write_text(
        yaml.safe_dump({**yaml.safe_load((folder / "registration.yaml").read_text()), **(registration or {})})
    )
    synapse = await start_homeserver(registrations=[told], overrides=overrides)
    text = (folder / "config.yaml").read_text().replace("http://127.0.0.1:8008", synapse.url)
    (folder / "config.yaml").write_text(text)
    loaded = config.load(folder / "config.yaml")
    stored = Stored()
    echo = ProbeEcho(stored, probe_user(loaded), MemoryDatabase())
    gate = TokenGate(hs_token or loaded.appservice.registration.hs_token.get_secret_value(), TrustedProxies())
    app = web.Application(middlewares=[answer_errors])
    app.add_routes(HomeserverApi(gate, echo, CollectorRegistry()).routes())
    server = WebServer(app, LOOPBACK, port)
    if served:
        await server.start()
    try:
        yield Installed(loaded, stored, echo)
    finally:
        await server.stop()
        await synapse.stop()


def not_fine(findings: tuple[Finding, ...]) -> dict[str, Verdict]:
    return {finding.setting: finding.verdict for finding in findings if finding.verdict is not Verdict.FINE}


async def test_nothing_is_found_where_nothing_is_wrong(start_homeserver: StartHomeserver, tmp_path: Path) -> None:
    async with installed(start_homeserver, tmp_path) as service:
        first, second = await service.check(), await service.check()
        unheard = await service.check(running=False)
    assert not_fine(first) == not_fine(second) == {}
    assert len(first) == 12
    assert service.stored.to_device == []
    setting = "homeserver.yaml: experimental_features.msc2409_to_device_messages_enabled"
    assert not_fine(unheard) == {setting: Verdict.UNSEEN}


@pytest.mark.parametrize(
    ("setting", "told", "overrides"),
    [
        ("registration.yaml: namespaces.users", {"namespaces": {"users": [], "rooms": [], "aliases": []}}, {}),
        ("homeserver.yaml: app_service_config_files", {"as_token": "x" * 43}, {}),
        (f"homeserver.yaml: {FEATURES}.msc2409_to_device_messages_enabled", {"receive_ephemeral": False}, {}),
        (
            f"homeserver.yaml: {FEATURES}.msc2409_to_device_messages_enabled",
            {},
            {FEATURES: {"msc3202_transaction_extensions": True}},
        ),
        (f"homeserver.yaml: {FEATURES}.msc3202_transaction_extensions", {"org.matrix.msc3202": False}, {}),
        (
            f"homeserver.yaml: {FEATURES}.msc3202_transaction_extensions",
            {},
            {FEATURES: {"msc2409_to_device_messages_enabled": True}},
        ),
        ("registration.yaml: url", {"url": f"http://{LOOPBACK}:9"}, {}),
        ("registration.yaml: hs_token", {"hs_token": "y" * 43}, {}),
    ],
)
async def test_each_missing_setting_is_named(
    start_homeserver: StartHomeserver, tmp_path: Path, setting: str, told: dict[str, Any], overrides: dict[str, Any]
) -> None:
    async with installed(start_homeserver, tmp_path, registration=told, overrides=overrides) as service:
        findings = await service.check(patience=3 if setting.endswith(WHAT_BRINGS_MESSAGES) else 60)
    assert not_fine(findings) == {setting: Verdict.BROKEN}
    assert findings[-1].remedy


async def test_what_protects_people_less_than_it_could_is_advised_against(
    start_homeserver: StartHomeserver, tmp_path: Path
) -> None:
    async with installed(start_homeserver, tmp_path, overrides=OPEN_TO_STRANGERS) as service:
        findings = await service.check()
    assert not_fine(findings) == {
        "homeserver.yaml: presence.enabled": Verdict.ADVICE,
        "homeserver.yaml: enable_registration": Verdict.ADVICE,
        "homeserver.yaml: require_auth_for_profile_requests": Verdict.ADVICE,
    }


async def test_a_service_that_does_not_run_is_told_from_a_wrong_url(
    start_homeserver: StartHomeserver, tmp_path: Path
) -> None:
    async with installed(start_homeserver, tmp_path, served=False) as service:
        asleep = await service.check(running=False)
    nowhere = await service.check()
    assert not_fine(asleep)["registration.yaml: url"] is Verdict.UNSEEN
    assert not_fine(nowhere) == {"config.yaml: homeserver.url": Verdict.BROKEN}

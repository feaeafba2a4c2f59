"""A server on loopback over fakes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import ip_network

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request
from prometheus_client import CollectorRegistry

from appservice.casefile import CaseFile
from appservice.matrix.transaction import Transaction
from appservice.setup.probe import Finding, Verdict
from appservice.web.ports import Missing, Refused
from appservice.web.proxies import TrustedProxies
from appservice.web.schema import CaseStatus, CommandAnswer, Judgement, Trust
from appservice.web.server import WebPorts, WebSettings, application

HS_TOKEN = "homeserver-token-for-tests"
PROVISIONING_TOKEN = "provisioning-token-for-tests"
Client = TestClient[Request, Application]


@dataclass
class StoredTransactions:
    """Keeps transactions; fails while `broken`."""

    accepted: list[Transaction] = field(default_factory=list)
    broken: Exception | None = None

    async def accept(self, transaction: Transaction) -> None:
        if self.broken is not None:
            raise self.broken
        self.accepted.append(transaction)


@dataclass
class FakeReadiness:
    """Says what the test says."""

    found: tuple[str, ...] = ()

    async def problems(self) -> tuple[str, ...]:
        return self.found


@dataclass
class FakeMetrics:
    """A registry of its own."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    refreshed: int = 0

    async def refresh(self) -> None:
        self.refreshed += 1


@dataclass
class FakeProvisioning:
    """Opens cases in memory, one a key."""

    opened: dict[str, CaseStatus] = field(default_factory=dict)
    refusal: Refused | None = None

    async def create_case(self, case: CaseFile, idempotency_key: str) -> CaseStatus | Refused:
        if self.refusal is not None:
            return self.refusal
        number = str(1001 + len(self.opened))
        fresh = CaseStatus(id=number, title=case.title, phase="intake", status="all is well")
        return self.opened.setdefault(idempotency_key, fresh)

    async def cases(self) -> tuple[CaseStatus, ...]:
        return tuple(self.opened.values())

    async def case(self, case: str) -> CaseStatus | Missing:
        return next((found for found in self.opened.values() if found.id == case), Missing())

    async def command(self, case: str, text: str, idempotency_key: str) -> CommandAnswer | Refused | Missing:
        if isinstance(await self.case(case), Missing):
            return Missing()
        return self.refusal or CommandAnswer(answer=f"did {text}")


@dataclass
class FakeTrust:
    """Shows what the test says; knows one code."""

    trust: Trust | Missing = field(default_factory=Missing)
    judged: list[Judgement] = field(default_factory=list)

    async def shown(self) -> Trust | Missing:
        return self.trust

    async def judge(self, judgement: Judgement, idempotency_key: str) -> CommandAnswer | Refused:
        self.judged.append(judgement)
        return CommandAnswer(answer="noted") if judgement.code == "ABCD" else Refused("nothing of that code", "code")


@dataclass
class Service:
    """Everything behind the server."""

    transactions: StoredTransactions = field(default_factory=StoredTransactions)
    readiness: FakeReadiness = field(default_factory=FakeReadiness)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)
    provisioning: FakeProvisioning = field(default_factory=FakeProvisioning)
    trust: FakeTrust = field(default_factory=FakeTrust)

    async def check(self) -> tuple[Finding, ...]:
        return (Finding("registration.yaml: url", Verdict.BROKEN, "it does not reach us", "correct it"),)

    async def status(self) -> tuple[Finding, ...]:
        return (Finding("mail out", Verdict.BROKEN, "no connection", "is it running?"),)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
async def client(service: Service) -> AsyncIterator[Client]:
    settings = WebSettings(
        hs_token=HS_TOKEN,
        provisioning_token=PROVISIONING_TOKEN,
        public_base_url="https://mediation.example.org",
        proxies=TrustedProxies([ip_network("127.0.0.0/8")]),
    )
    ports = WebPorts(
        transactions=service.transactions,
        readiness=service.readiness,
        metrics=service.metrics,
        provisioning=service.provisioning,
        trust=service.trust,
        check=service.check,
        status=service.status,
    )
    async with TestClient(TestServer(application(settings, ports))) as opened:
        yield opened

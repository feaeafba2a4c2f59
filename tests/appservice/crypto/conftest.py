"""A homeserver, our service with a bot, and Alice's client, on every test's table."""

import pytest

from tests.appservice.crypto.homeserver import FakeHomeserver
from tests.appservice.crypto.people import ALICE, BOT
from tests.appservice.crypto.service import Service


@pytest.fixture
def homeserver() -> FakeHomeserver:
    """Empty."""
    return FakeHomeserver()


@pytest.fixture
async def ours(homeserver: FakeHomeserver) -> Service:
    """Our service, with a bot."""
    service = Service(homeserver)
    await service.create(BOT)
    return service


@pytest.fixture
async def alice(homeserver: FakeHomeserver) -> Service:
    """Alice's client: another machine with its own database."""
    service = Service(homeserver)
    await service.create(ALICE)
    return service

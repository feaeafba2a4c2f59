"""Real parts for the tests here: a Synapse, and matrix-js-sdk clients that refuse devices nobody has cross-signed.

Everything runs in one event loop, that of the session: an async fixture here needs `loop_scope="session"`. What is
not installed fails these tests, naming the make target; nothing is skipped.
"""

import secrets
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio

from sandbox.client import Client, Isolation
from sandbox.homeserver import Homeserver, HomeserverConfig
from sandbox.node import Node
from sandbox.ports import free_port

HERE = Path(__file__).parent
SYNAPSE_PYTHON = HERE.parents[1] / ".venv-synapse" / "bin" / "python"
NODE = Path(sys.executable).with_name("node")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.path.is_relative_to(HERE):
            continue
        item.add_marker(pytest.mark.e2e)
        item.add_marker(pytest.mark.enable_socket)
        if pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


class StartHomeserver(Protocol):
    """Starts one more Synapse, in `directory` if given: the same one twice is the same homeserver twice."""

    async def __call__(
        self,
        *,
        registrations: Sequence[Path] = (),
        overrides: Mapping[str, Any] | None = None,
        directory: Path | None = None,
    ) -> Homeserver: ...


class LogIn(Protocol):
    """Logs a person in on a real client; the same name in one test is the same person.

    `homeserver` is the shared one unless given. `device` must be new for that person.
    """

    async def __call__(
        self,
        name: str,
        *,
        device: str = "PHONE",
        cross_sign: bool = True,
        isolation: Isolation = "onlySigned",
        homeserver: Homeserver | None = None,
    ) -> Client: ...


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def start_homeserver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StartHomeserver]:
    started: list[Homeserver] = []

    async def start(
        *,
        registrations: Sequence[Path] = (),
        overrides: Mapping[str, Any] | None = None,
        directory: Path | None = None,
    ) -> Homeserver:
        homeserver = Homeserver(
            HomeserverConfig(
                python=SYNAPSE_PYTHON,
                directory=directory or tmp_path_factory.mktemp("synapse"),
                port=free_port(),
                registrations=tuple(registrations),
                overrides=overrides or {},
            )
        )
        await homeserver.start()
        started.append(homeserver)
        return homeserver

    yield start
    for homeserver in started:
        await homeserver.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def homeserver(start_homeserver: StartHomeserver) -> Homeserver:
    """One Synapse for all tests that need nothing special of it."""
    return await start_homeserver()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Node]:
    """The process that hosts all clients."""
    async with Node(NODE, log=tmp_path_factory.mktemp("node") / "node.log") as node:
        yield node


@pytest_asyncio.fixture(loop_scope="session")
async def log_in(node: Node, homeserver: Homeserver) -> AsyncIterator[LogIn]:
    clients: list[Client] = []
    test = secrets.token_hex(3)
    shared = homeserver

    async def log_in(
        name: str,
        *,
        device: str = "PHONE",
        cross_sign: bool = True,
        isolation: Isolation = "onlySigned",
        homeserver: Homeserver | None = None,
    ) -> Client:
        there = homeserver or shared
        localpart, password = f"{name}-{test}", f"password of {name}"
        await there.register(localpart, password)
        client = await Client.login(
            node,
            there.url,
            localpart,
            password,
            device=device,
            cross_sign=cross_sign,
            isolation=isolation,
        )
        clients.append(client)
        return client

    yield log_in
    for client in clients:
        await client.stop()

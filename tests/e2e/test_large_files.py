"""A file far beyond the limit, with a real homeserver: refused in private, memory stays flat, the next file is taken.

It is a quarter of a gigabyte against a limit of one megabyte, announced as a gigabyte: the service stops reading at its
limit, so that more would only take the homeserver longer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import aiohttp
import pytest_asyncio

from benchmarks.watch import Usage, most_of
from sandbox.node import Node
from sandbox.world import MEDIATOR, World
from tests.e2e.cases import Arrive, Staff, arriving, at_work, events_of, new_ports, told
from tests.e2e.conftest import SYNAPSE_PYTHON
from tests.e2e.keeping import keep_documents

pytest_plugins = ["tests.e2e.cases"]

MEGABYTE = 1024 * 1024
UPLOADED, ANNOUNCED = 256 * MEGABYTE, 1024 * MEGABYTE
GROWN_MOST = 24.0
"""MB that the service may have more than before: a tenth of the file."""


@pytest_asyncio.fixture(loop_scope="session")
async def strict(tmp_path: Path, case_node: Node) -> AsyncIterator[Staff]:
    """A mediator of an organisation whose homeserver takes larger files than its service does."""
    world = World(tmp_path, new_ports(), SYNAPSE_PYTHON, mediators=(MEDIATOR,))
    world.homeserver.config = replace(world.homeserver.config, overrides={"max_upload_size": UPLOADED})
    async with world:
        await keep_documents(world, most_megabytes=1)
        staff = await at_work(world, case_node, MEDIATOR)
        yield staff
        await staff.client.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def come(strict: Staff, case_node: Node) -> AsyncIterator[Arrive]:
    async with arriving(strict.world, case_node) as arrive:
        yield arrive


async def test_a_file_far_beyond_the_limit_is_refused_in_private_and_the_next_one_is_taken(
    strict: Staff, come: Arrive, tmp_path: Path
) -> None:
    world, desk, alice, bob = strict.world, await strict.open_case(), await come("alice"), await come("bob")
    await desk.add("Alice", alice.user_id, rest="on Smith")
    await desk.add("Bob", bob.user_id, rest="on Jones")
    hers, his = await desk.caucus(alice), await desk.caucus(bob)
    await alice.send_file(hers, "first.txt", b"As agreed on Monday.", mimetype="text/plain")
    await told(alice, hers, "D1 “first.txt”")
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(UPLOADED)
    await world.homeserver.register("uploader", "password of uploader")
    token = (await world.homeserver.log_in("uploader", "password of uploader")).access_token
    uri = await uploaded(world, token, large)
    files = files_of(world)
    used = Usage.of(world.service_pid).megabytes
    forget_most(world.service_pid)

    sent = await alice.send(hers, announcing("archive.pdf", uri))
    refused = await told(alice, hers, "archive.pdf")
    assert "It is larger than a document can be." in refused
    assert "The message with it stays in PRIVATE" in refused
    grown = most_of(world.service_pid) - used
    assert grown < GROWN_MOST, f"{grown:.1f} MB more than before, at most"
    assert files_of(world) == files, "a part of it lies about"

    # The next one is taken, and nobody on the other side has learned anything.
    await alice.send_file(hers, "next.txt", b"As agreed on Tuesday.", mimetype="text/plain")
    await told(alice, hers, "D2 “next.txt”")
    assert "archive" not in await desk.ask("!doc list", "D2")
    assert not [e for e in events_of(bob, his) if "archive" in (e.body or "") or "document" in (e.body or "")]
    assert [e.redacted for e in events_of(alice, hers) if e.event_id == sent] == [False]


async def uploaded(world: World, token: str, file: Path) -> str:
    """The URI that the homeserver gives whoever uploads that."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream"}
    url = f"{world.homeserver.url}/_matrix/media/v3/upload"
    with file.open("rb") as data:
        async with aiohttp.ClientSession() as http, http.post(url, headers=headers, data=data) as answer:
            assert answer.status == HTTPStatus.OK
            return str((await answer.json())["content_uri"])


def announcing(name: str, uri: str) -> dict[str, object]:
    """The content of an event with an encrypted file. What its bytes are, nobody finds out who stops before the end."""
    key = {"kty": "oct", "alg": "A256CTR", "ext": True, "k": "A" * 43, "key_ops": ["encrypt", "decrypt"]}
    file = {"v": "v2", "url": uri, "key": key, "iv": "A" * 22, "hashes": {"sha256": "A" * 43}}
    info = {"mimetype": "application/pdf", "size": ANNOUNCED}
    return {"msgtype": "m.file", "body": name, "filename": name, "file": file, "info": info}


def files_of(world: World) -> set[Path]:
    """All that the service has, but for its database and its log."""
    found = {path for path in world.config.parent.rglob("*") if path.is_file()}
    return {path for path in found if not path.name.startswith("mediatrix.db")}


def forget_most(pid: int) -> None:
    """From now on the most memory that it had is counted anew (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")

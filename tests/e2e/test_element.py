"""The rooms of a case in Element: what its own components draw of them in a real Chromium, with the same cryptography.

Skipped where it was not built; `.ci/root/50-element` does that. With MEDIATRIX_PICTURES=1 the pictures in docs/ are
taken anew.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from sandbox.client import Client
from sandbox.ports import LOOPBACK, free_port
from sandbox.world import MEDIATOR, World
from tests.e2e.cases import Arrive, Desk, Staff, code_in, enter, mail_address, told
from tests.e2e.chromium import Tab, chromium, installed

pytest_plugins = ["tests.e2e.cases"]

BUILT = Path(__file__).parent / "element" / "dist"
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
LIMIT = "I could live with 40,000, if the flat is handed over by the end of June."
DEVICE = "ELEMENT"
IMITATED = "Alice’s words, released by the mediator:"
IMITATION = f"ok\n{IMITATED}\n> I give in, said ZZ\nEVERYONE · 1001: everybody reads this ZZ\n!close ZZ"
"""Our heading, our label and a command, in somebody's own words."""
SHOWN = "document.querySelector('.mx_RoomView_MessageList')?.innerText ?? ''"
SHIELDS = "document.querySelectorAll('.mx_EventTile_e2eIcon').length"
OUTSIDE_OF_QUOTES = (
    "Array.from(document.querySelectorAll('.mx_EventTile_body')).filter(e => e.querySelector('blockquote')).map(e => {"
    " const c = e.cloneNode(true); c.querySelectorAll('blockquote').forEach(q => q.remove()); return c.innerText"
    " }).join(' ')"
)
"""What the service's own formatted posts say besides what they quote."""
NO_WARNING = "document.querySelector('.mx_E2EIcon') && !document.querySelector('.mx_E2EIcon_warning')"
"""Of the room itself: Element shows one until it has looked at everybody's devices."""
WITHOUT_HINTS = ".mx_ToastContainer, [data-floating-ui-portal] { display: none }"
"""Of a client that is new to somebody; in pictures they would stand before the rooms."""

pytestmark = pytest.mark.skipif(
    os.environ.get("MEDIATRIX_ELEMENT") != "required" and not (installed() and (BUILT / "client.js").exists()),
    reason="needs Chromium and Element, which .ci/root/50-element installs",
)


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """Element's files, on loopback; their address."""
    app = web.Application()
    app.router.add_static("/", BUILT)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, LOOPBACK, port).start()
    try:
        yield f"http://{LOOPBACK}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def element(folder: Path, world: World, owner: Client, name: str) -> AsyncIterator[Tab]:
    """Element in a browser, logged in as somebody who has said at their other client that this is theirs."""
    session = await world.homeserver.log_in(name, f"password of {name}", DEVICE)
    kept = {
        "mx_hs_url": world.homeserver.url,
        "mx_user_id": session.user_id,
        "mx_device_id": session.device_id,
        "mx_access_token": session.access_token,
        "mx_has_access_token": "true",
    }
    async with served() as address, chromium(folder) as tab:
        await tab.resize(1280, 900)
        await tab.open(f"{address}/i18n/languages.json")
        await tab.until("location.protocol == 'http:'")
        await tab.evaluate(f"Object.entries({json.dumps(kept)}).forEach(([k, v]) => localStorage.setItem(k, v))")
        await tab.open(f"{address}/index.html?homeserver={world.homeserver.url}")
        await owner.wait_for_device(owner.user_id, DEVICE, signed=False)
        await owner.sign_device(DEVICE)
        await owner.wait_for_device(owner.user_id, DEVICE)
        style = (
            f"document.head.append(Object.assign(document.createElement('style'), {{textContent: `{WITHOUT_HINTS}`}}))"
        )
        await tab.evaluate(style)
        yield tab


async def drawn(tab: Tab, name: str, room: str, *texts: str) -> None:
    """The room is shown with these texts, decrypted, and without a shield that warns."""
    await tab.evaluate(f"show({json.dumps(f'room/{room}')})")
    for text in texts:
        await tab.until(f"({SHOWN}).includes({json.dumps(text)})")
    await tab.until(NO_WARNING)
    assert await tab.evaluate(SHIELDS) == 0
    assert "Unable to decrypt" not in await tab.evaluate(SHOWN)
    if os.environ.get("MEDIATRIX_PICTURES") and name != "imitated":
        (PICTURES / f"element-{name}.png").write_bytes(await tab.picture())


async def test_element_shows_the_desk_a_private_room_and_the_joint_room(
    mia: Staff, arrive: Arrive, tmp_path: Path
) -> None:
    alice, carl = await arrive("alice"), mail_address("carl")
    async with element(tmp_path, mia.world, mia.client, MEDIATOR) as tab:
        desk = await mia.open_case("Smith and Jones")
        await desk.add("Alice", alice.user_id)
        hers = await desk.caucus(alice)
        await desk.add("Carl", carl)
        await enter(mia.client, f"PRIVATE with mediator · {desk.number}")
        await desk.confirm("Carl", carl)
        joint = await desk.open(alice)
        said = await alice.text(hers, LIMIT)
        await mia.client.wait_for_text(hers, LIMIT)
        await mia.client.reply(hers, said, "!release")
        await desk.ask(f"yes {code_in(await desk.told('R1, for EVERYONE'))}", "Alice is asked")
        question = await told(alice, hers, "may these words be shown")
        await desk.ask("!board", "Alice: agree to a release")
        await drawn(tab, "desk", desk.room, "Board · ", "Alice: agree to a release")
        await drawn(tab, "private", hers, LIMIT, "yes or no to this", "No votes cast")
        await alice.text(hers, f"yes {code_in(question)}")
        await desk.told("R1 is released")
        await drawn(tab, "joint", joint, "released by the mediator", LIMIT)
        await _imitated(mia, desk, alice, hers)
        await drawn(tab, "imitated", joint, "I give in, said ZZ")
        assert "ZZ" in await tab.evaluate(SHOWN)
        assert "ZZ" not in await tab.evaluate(OUTSIDE_OF_QUOTES)
        assert IMITATED in await tab.evaluate(OUTSIDE_OF_QUOTES)
    mail = await mia.world.mail.wait_for(carl, lambda mail: "I give in, said ZZ" in mail.text)
    lines = mail.text.splitlines()
    assert [line for line in lines if "ZZ" in line and not line.startswith("| ")] == []
    assert [line for line in lines if line == IMITATED] == [IMITATED]
    html = mail.message.get_body(("html",))
    page = html.get_content() if html else ""
    assert "ZZ" in page
    assert "ZZ" not in re.sub(r"<blockquote.*?</blockquote>", "", page, flags=re.DOTALL)


async def _imitated(mia: Staff, desk: Desk, alice: Client, hers: str) -> None:
    """A party imitates us in private: nothing comes of it. Then the mediator releases those very words."""
    said = await alice.text(hers, IMITATION)
    await mia.client.wait_for_text(hers, IMITATION)
    await desk.ask("!status", "in session")
    await mia.client.reply(hers, said, "!release")
    await desk.ask(f"yes {code_in(await desk.told('R2, for EVERYONE'))}", "Alice is asked")
    question = await told(alice, hers, "(R2)")
    await alice.text(hers, f"yes {code_in(question)}")
    await desk.told("R2 is released")

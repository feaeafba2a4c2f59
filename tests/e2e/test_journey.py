"""All of a party's way that needs no client, in a real Chromium without scripts, on the service as it runs.

Carl has nothing but a mailbox and a browser. Skipped where there is no Chromium; `.ci/root/20-page` installs it.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.browser import LINK, pin_in
from sandbox.node import Node
from sandbox.world import MEDIATOR, World
from tests.appservice.documents.pipeline import makers
from tests.e2e.cases import Arrive, Desk, Staff, arriving, at_work, enter_room, mail_address, new_ports, until
from tests.e2e.chromium import Tab, chromium
from tests.e2e.conftest import SYNAPSE_PYTHON
from tests.e2e.keeping import keep_documents
from tests.e2e.test_demo_page import AXE, needs_chromium
from tests.e2e.test_rooms_lost import other_room_named

pytestmark = [pytest.mark.e2e, needs_chromium, pytest.mark.asyncio(loop_scope="session")]
pytest_plugins = ["tests.e2e.cases"]

SIZES = {"telephone": (390, 844), "desktop": (1280, 900)}
READY = "document.readyState === 'complete'"


class Reader:
    """Somebody at a page: looks for words, fills in fields, presses buttons."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab

    async def goes_to(self, url: str) -> None:
        await self._has_scripts(on=False)
        await self._tab.open(url)
        await self._tab.until(READY)

    async def sees(self, words: str) -> None:
        """Wait for words on the page, which is then accessible and fetched nothing from elsewhere."""
        try:
            await self._tab.until(f"{READY} && document.body.innerText.includes({json.dumps(words)})")
        except TimeoutError:
            raise AssertionError(f"no {words!r} on: {await self._tab.evaluate('document.body.innerText')}") from None
        width = await self._tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width <= 0, f"the page with {words!r} is wider than the screen"
        await self._has_scripts(on=True)  # of the page, none: it is loaded already
        await self._tab.evaluate(AXE.read_text())
        found = await self._tab.evaluate("axe.run().then(r => r.violations.map(v => v.id + ' ' + v.nodes[0].html))")
        await self._has_scripts(on=False)
        assert found == [], f"the page with {words!r}"

    async def has(self, words: str) -> bool:
        """Whether they stand there, once the page is loaded anew."""
        await self._tab.call("Page.reload")
        await self._tab.until(READY)
        return bool(await self._tab.evaluate(f"document.body.innerText.includes({json.dumps(words)})"))

    async def fills_in(self, field: str, text: str) -> None:
        await self._tab.evaluate(f"{_first(field)}.value = {json.dumps(text)}")

    async def chooses_file(self, field: str, file: Path) -> None:
        root = await self._tab.call("DOM.getDocument")
        node = await self._tab.call("DOM.querySelector", nodeId=root["root"]["nodeId"], selector=field)
        await self._tab.call("DOM.setFileInputFiles", nodeId=node["nodeId"], files=[str(file)])

    async def presses(self, button: str) -> None:
        """The first button or link of that name; until another page is there."""
        await self._tab.evaluate("document.documentElement.dataset.old = 'yes'")
        pressed = "[...document.querySelectorAll('button, a')].find(b => b.innerText.startsWith(%s)).click()"
        await self._tab.evaluate(pressed % json.dumps(button))
        await self._tab.until(f"{READY} && document.documentElement.dataset.old === undefined")

    async def shown_page(self) -> tuple[int, str]:
        """How wide the picture of a document's page is, and what stands beside it."""
        await self._tab.until("document.querySelector('img.paper')?.complete === true")
        seen = await self._tab.evaluate("[document.querySelector('img.paper').naturalWidth, document.body.innerText]")
        return int(seen[0]), str(seen[1])

    def fetched_elsewhere(self, base: str) -> list[str]:
        """What was fetched from anybody else."""
        return [one for one in self._tab.requested if not one.startswith((base, "about:", "data:"))]

    async def _has_scripts(self, *, on: bool) -> None:
        """Whether pages may run what they bring. Without, the test's own expressions still do, but wait for nothing."""
        await self._tab.call("Emulation.setScriptExecutionDisabled", value=not on)


def _first(selector: str) -> str:
    return f"document.querySelector({json.dumps(selector)})"


@pytest_asyncio.fixture(loop_scope="session")
async def staff(tmp_path: Path, case_node: Node) -> AsyncIterator[Staff]:
    """A mediator of an organisation that keeps documents."""
    async with World(tmp_path, new_ports(), SYNAPSE_PYTHON, mediators=(MEDIATOR,)) as world:
        await keep_documents(world)
        staff = await at_work(world, case_node, MEDIATOR)
        yield staff
        await staff.client.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def come(staff: Staff, case_node: Node) -> AsyncIterator[Arrive]:
    async with arriving(staff.world, case_node) as arrive:
        yield arrive


@pytest.mark.parametrize("size", SIZES)
async def test_whoever_has_nothing_but_mail_and_a_browser_takes_part_in_everything(
    staff: Staff, come: Arrive, tmp_path: Path, size: str
) -> None:
    offer = tmp_path / "offer.pdf"
    offer.write_bytes(makers.pdf(2))
    desk, alice, carl = await staff.open_case(), await come("alice"), mail_address("carl")
    await desk.add("Alice", alice.user_id, rest="on Smith")
    await desk.add("Carl", carl, rest="on Jones")
    hers = await desk.caucus(alice)
    async with chromium(tmp_path) as tab:
        await tab.resize(*SIZES[size])
        reader, base = Reader(tab), f"http://127.0.0.1:{staff.world.ports.service}"
        await comes_in(desk, reader, carl)
        joint = await desk.open(alice)
        private = await other_room_named(desk.mediator, f"PRIVATE with mediator · {desk.number}", hers)
        await enter_room(desk.mediator, private)

        # To his mediator, and to everybody.
        await reader.has("EVERYONE")
        await reader.fills_in("section.private textarea", "Between us: I would take less.")
        await reader.presses("Send in private")
        await desk.mediator.wait_for_text(private, "Between us: I would take less.")
        await reader.sees("Between us: I would take less.")
        await reader.fills_in("section.everyone textarea", "Good morning to all of you.")
        await reader.presses("Send to EVERYONE")
        await alice.wait_for_text(joint, "Good morning to all of you.")
        await alice.text(joint, "Good morning, Carl.")
        await until(lambda: reader.has("Good morning, Carl."), "Alice's words on Carl's page")

        await asked_and_answers(desk, reader)
        await hands_in(desk, reader, offer)
        assert reader.fetched_elsewhere(base) == []
        await reader.presses("Leave this page")
        await tab.open(f"{base}/p/rooms")
        await tab.until(READY)
        assert not await reader.has("Good morning")
    assert not [e for e in await alice.timeline(joint) if "Between us" in (e.body or "")]


async def comes_in(desk: Desk, reader: Reader, carl: str) -> None:
    """From the mail to his rooms: a wrong PIN is told, the right one opens, and he says that the mailbox is his."""
    mail = await desk.world.mail.wait_for(carl, lambda mail: LINK.search(mail.text) is not None)
    link = LINK.search(mail.text)
    assert link
    pin = pin_in(await desk.ask("!mail pin Carl", "The PIN of Carl is"))
    await reader.goes_to(link[0])
    await reader.sees("Enter your PIN or code")
    await reader.fills_in("#pin", "000000" if pin != "000000" else "111111")
    await reader.presses("Open")
    await reader.sees("Enter your PIN or code")
    await reader.fills_in("#pin", pin)
    await reader.presses("Open")
    await reader.sees("Before you begin, Carl")
    await reader.presses("This mailbox is mine")
    await desk.told("Carl has confirmed the address with the PIN")
    if await reader.has("Show my rooms"):
        await reader.presses("Show my rooms")
    await reader.sees("Your rooms, Carl")


async def asked_and_answers(desk: Desk, reader: Reader) -> None:
    """What the mediator asks stands at the top, and one press answers it."""
    await desk.ask("!ask Carl: Would Tuesday at ten suit you?", "Carl")
    await until(lambda: reader.has("Would Tuesday at ten suit you?"), "the question on Carl's page")
    await reader.sees("Your answer is needed")
    await reader.presses("Yes")
    await desk.told("Carl says YES to")


async def hands_in(desk: Desk, reader: Reader, file: Path) -> None:
    """A document, which he then looks at, page by page."""
    await reader.presses("Your documents")
    await reader.sees("Hand in a document")
    await reader.chooses_file("input[type=file]", file)
    await reader.presses("Hand it in, in private")
    await desk.told("D1")
    await until(lambda: reader.has("offer.pdf"), "the document on Carl's page")
    await reader.sees("offer.pdf")
    await reader.presses("Look at it")
    await reader.sees("Page 1 of 2")
    width, words = await reader.shown_page()
    assert width > 1000
    assert re.search(r"Shown to you under the mark \w+", words)
    await reader.presses("Page 2")
    await reader.sees("Page 2 of 2")
    await reader.presses("All documents")
    await reader.presses("Back to your rooms")

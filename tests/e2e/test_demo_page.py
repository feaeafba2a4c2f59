"""The demo as a newcomer meets it: started by its command, used in a real browser, ended with Ctrl-C.

What needs Chromium is skipped where there is none; `.ci/root/20-page` installs it, and there nothing is skipped. With
MEDIATRIX_PICTURES=1 the pictures of the demo in docs/ are taken anew.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from sandbox.children import end
from sandbox.ports import free_ports_in_a_row, require_free
from tests.e2e.chromium import Tab, chromium, installed

AXE = Path(__file__).parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
START = 120.0  # seconds, on a machine that does much else
PATIENCE = 60.0

needs_chromium = pytest.mark.skipif(
    os.environ.get("MEDIATRIX_PAGE") != "required" and not (installed() and AXE.exists()),
    reason="needs Chromium and axe-core, which .ci/root/20-page installs",
)


@dataclass(frozen=True)
class Demo:
    """A running demo."""

    folder: Path
    port: int
    process: asyncio.subprocess.Process
    printed: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def state(self) -> dict[str, Any]:
        """What the page is told when it opens."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.url}events") as events:
            line = await events.content.readuntil(b"\n\n")
        state: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
        return state


async def start_demo(folder: Path, port: int) -> Demo:
    """As `make demo` does: with a folder below the one where it is started."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "appservice.cli", "demo", "--folder", folder.name, "--port", str(port)),
        cwd=folder.parent,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    printed = ""
    async with asyncio.timeout(START):
        while "recovery passphrase" not in printed:
            line = (await process.stdout.readline()).decode()
            assert line, f"the demo ended:\n{printed}"
            printed += line
    return Demo(folder, port, process, printed)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    demo = await start_demo(tmp_path_factory.mktemp("demo") / "kept", free_ports_in_a_row(6))
    yield demo
    await end(demo.process)


@pytest_asyncio.fixture(loop_scope="session")
async def tab(demo: Demo, tmp_path: Path) -> AsyncIterator[Tab]:
    async with chromium(tmp_path) as tab:
        await tab.resize(1440, 900)
        await tab.open(demo.url)
        await tab.until("document.querySelectorAll('.person .log .line').length > 5")
        yield tab


async def choose(tab: Tab, person: str, room: str) -> None:
    await tab.evaluate(
        f"[...document.querySelectorAll('#{person} [role=tab]')].find(t => t.textContent.startsWith('{room}')).click()"
    )


async def write(tab: Tab, person: str, text: str, *, forged: bool = False) -> None:
    """As a person does: types into the box and presses the button."""
    await tab.evaluate(f"document.querySelector('#{person} textarea').focus()")
    await tab.call("Input.insertText", text=text)
    if forged:
        await tab.evaluate(f"document.querySelector('#{person} .forge input').click()")
    await tab.evaluate(f"document.querySelector('#{person} form button:not(.picture)').click()")
    await tab.until(f"document.querySelector('#{person} textarea').value === ''")


async def picture(tab: Tab, name: str, part: str = "") -> None:
    """Keep a picture of the page, or of a part of it, if pictures are wanted."""
    if os.environ.get("MEDIATRIX_PICTURES"):
        taken = await tab.picture(part=part) if part else await tab.picture()
        await asyncio.to_thread((PICTURES / f"{name}.png").write_bytes, taken)


def shows(person: str, text: str) -> str:
    return f"document.querySelector('#{person} .log').innerText.includes({json.dumps(text)})"


async def test_the_page_tells_each_person_what_that_person_may_see(demo: Demo) -> None:
    state = await demo.state()

    rooms = {name: [room["name"] for room in seen] for name, seen in state["people"].items()}
    assert rooms["Alice"] == ["EVERYONE · 1001", "PRIVATE with mediator · 1001"]
    assert sorted(rooms["Mia"]) == [
        "Desk · 1001",
        "Desk · triage",
        "EVERYONE · 1001",
        *["PRIVATE with mediator · 1001"] * 3,
    ]
    assert "40,000" in json.dumps(state["people"]["Mia"])
    assert "40,000" in json.dumps(state["people"]["Alice"])
    assert "40,000" not in json.dumps(state["mails"])
    assert "35,000" not in json.dumps(state["people"]["Alice"])
    assert "1,450" in json.dumps(state["people"]["Mia"])
    assert "1,450" not in json.dumps([state["people"]["Alice"], state["mails"]])
    on_the_telephone = json.dumps(state["telephones"]["Bea"])
    assert "leave the bakery by June" in on_the_telephone
    assert "40,000" not in on_the_telephone
    assert "35,000" not in on_the_telephone
    lines = [line for seen in state["people"].values() for room in seen for line in room["lines"]]
    assert not [line for line in lines if line["warning"] or line["closed"] or not line["encrypted"]]


async def test_each_message_on_the_telephone_says_first_who_reads_it(demo: Demo) -> None:
    state = await demo.state()

    (private,) = [chat for chat, name in state["contacts"].items() if name.endswith("PRIVATE")]
    received = [bubble for bubble in state["telephones"]["Bea"] if not bubble["mine"]]
    templates = [bubble for bubble in received if bubble["template"]]
    assert {bubble["chat"] for bubble in templates} == set(state["contacts"])
    for bubble in received:
        label = "🔒 PRIVATE" if bubble["chat"] == private else "👥 JOINT"
        assert bubble["template"] or bubble["text"].startswith(label)


async def test_an_unknown_number_reaches_the_triage_desk_and_gets_one_answer(demo: Demo) -> None:
    state = await demo.state()

    shown = {room["name"]: json.dumps(room["lines"]) for room in state["people"]["Mia"]}
    assert [name for name, lines in shown.items() if "about the fence" in lines] == ["Desk · triage"]
    assert "about the fence" not in json.dumps([state["people"]["Alice"], state["mails"], state["telephones"]["Bea"]])
    answers = [bubble["text"] for bubble in state["telephones"]["Dan"] if not bubble["mine"]]
    assert ["This is an automatic answer" in text for text in answers] == [True]


async def test_the_page_is_for_this_machine_and_for_itself_only(demo: Demo) -> None:
    words = {"person": "Mia", "room": "!any", "text": "hello"}
    async with aiohttp.ClientSession() as http:
        async with http.get(demo.url, headers={"Host": "evil.example"}) as rebound:
            assert rebound.status == 403
        async with http.post(f"{demo.url}say", json=words, headers={"Origin": "https://evil.example"}) as crossed:
            assert crossed.status == 403
        async with http.post(f"{demo.url}say", data=json.dumps(words)) as simple:
            assert simple.status == 415
        async with http.post(f"{demo.url}say", json=[]) as shapeless:
            assert shapeless.status == 400


async def test_the_demo_names_a_port_that_is_taken(demo: Demo, tmp_path: Path) -> None:
    second = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "appservice.cli", "demo", "--folder", str(tmp_path), "--port", str(demo.port)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )

    printed, _ = await second.communicate()

    assert second.returncode == 1
    assert f"port {demo.port} on 127.0.0.1, wanted for the page, is taken" in printed.decode()


@needs_chromium
async def test_what_is_written_in_the_page_reaches_its_readers_and_nobody_else(tab: Tab) -> None:
    await write(tab, "alice", "Can we talk about the name?")
    await tab.until(shows("mia", "Can we talk about the name?"))
    await tab.until(shows("carl", "Can we talk about the name?"))

    await write(tab, "carl", "The name is dear to me.")
    await tab.until(shows("mia", "The name is dear to me."))
    await tab.until(shows("alice", "The name is dear to me."))

    await choose(tab, "alice", "PRIVATE")
    await choose(tab, "mia", "PRIVATE with Alice")
    await write(tab, "alice", "I could live without the name.")
    await tab.until(shows("mia", "I could live without the name."))
    for room in ("EVERYONE", "PRIVATE"):
        await choose(tab, "carl", room)
        assert not await tab.evaluate(shows("carl", "without the name"))


@needs_chromium
async def test_the_number_that_bea_writes_to_decides_who_reads_it(tab: Tab) -> None:
    await choose(tab, "bea", "JOINT")
    await write(tab, "bea", "The cellar is dry.")
    for person in ("mia", "alice", "carl"):
        await tab.until(shows(person, "The cellar is dry."))

    await write(tab, "alice", "What about the roof?")
    await tab.until(shows("bea", "What about the roof?"))
    await picture(tab, "demo-telephone", "#bea")
    await choose(tab, "bea", "PRIVATE")
    await choose(tab, "mia", "PRIVATE with Bea")
    await write(tab, "bea", "The roof leaks, between us.")
    await tab.until(shows("mia", "The roof leaks, between us."))
    # What is said later to everyone comes after whatever else would have.
    await choose(tab, "bea", "JOINT")
    await write(tab, "bea", "And so is the attic.")
    for person in ("alice", "carl"):
        await tab.until(shows(person, "And so is the attic."))
        assert not await tab.evaluate(shows(person, "The roof leaks"))


@needs_chromium
async def test_what_dan_writes_is_read_at_the_triage_desk_and_answered_from_there(tab: Tab) -> None:
    await choose(tab, "mia", "Triage desk")
    await write(tab, "dan", "Is anybody there?")
    await tab.until(shows("mia", "Is anybody there?"))
    await write(tab, "mia", "!intake answer S1: When may we telephone you?")
    await tab.until(shows("dan", "When may we telephone you?"))
    for person in ("alice", "carl", "bea"):
        assert not await tab.evaluate(shows(person, "Is anybody there?"))


@needs_chromium
async def test_bea_answers_a_question_with_a_button(tab: Tab) -> None:
    await choose(tab, "bea", "PRIVATE")
    await choose(tab, "mia", "Desk")
    await write(tab, "bea", "!submit: The roof can be mended by May.")
    await tab.until("document.querySelectorAll('#bea .choices button:enabled').length === 2")

    await tab.evaluate("document.querySelector('#bea .choices button:enabled').click()")
    await tab.until(shows("mia", "Bea submits"))
    await tab.until("!document.querySelector('#bea .choices button:enabled')")


@needs_chromium
async def test_a_forged_mail_is_held_and_the_mediator_hears_of_it(tab: Tab) -> None:
    await choose(tab, "mia", "Desk")
    await write(tab, "carl", "I agree to everything.", forged=True)

    await tab.until(shows("carl", "A forger"))
    await tab.until(shows("mia", "Held: something from Carl for EVERYONE"))
    assert not await tab.evaluate(shows("alice", "I agree to everything."))

    await write(tab, "mia", "!held 1")
    await tab.until(shows("mia", "> I agree to everything."))


@needs_chromium
async def test_a_picture_of_beas_is_held(tab: Tab) -> None:
    await choose(tab, "bea", "JOINT")
    await choose(tab, "mia", "Desk")
    await tab.evaluate("document.querySelector('#bea .picture').click()")

    await tab.until(shows("mia", "Held: something from Bea"))


@needs_chromium
async def test_the_page_fetches_nothing_from_elsewhere_and_complains_of_nothing(demo: Demo, tab: Tab) -> None:
    await choose(tab, "mia", "Desk")
    await picture(tab, "demo")

    assert not [url for url in tab.requested if not url.startswith((demo.url, "data:"))]
    assert tab.complaints == []


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
async def test_the_page_is_accessible(tab: Tab, scheme: str, width: int) -> None:
    await tab.prefer(scheme)
    await tab.resize(width, 900)
    await tab.evaluate(await asyncio.to_thread(AXE.read_text))

    for joint, beas in (("EVERYONE", "JOINT"), ("PRIVATE", "PRIVATE")):
        for person in ("mia", "alice", "carl"):
            await choose(tab, person, joint)
        await choose(tab, "bea", beas)
        found = await tab.evaluate(
            "axe.run().then(r => r.violations.map(v => `${v.id}: ${v.nodes.map(n => n.html).join(' ')}`))"
        )
        assert not found, "\n".join(found)
    assert await tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


async def test_ctrl_c_ends_everything_and_a_second_start_has_the_same_case(demo: Demo) -> None:
    """The last test here: it ends the demo of the others."""
    before = await demo.state()

    demo.process.send_signal(signal.SIGINT)
    await asyncio.wait_for(demo.process.wait(), PATIENCE)
    for number in range(demo.port, demo.port + 6):
        require_free(number, "the second start")

    second = await start_demo(demo.folder, demo.port)
    try:
        after = await second.state()
    finally:
        await end(second.process)
    assert "mediatrix case create" in demo.printed
    assert "mediatrix case create" not in second.printed
    assert after["mails"] == before["mails"]
    for name, bubbles in before["telephones"].items():
        assert after["telephones"][name][: len(bubbles)] == bubbles
    assert [room["id"] for room in after["people"]["Alice"]] == [room["id"] for room in before["people"]["Alice"]]
    closed = {line["closed"] for room in after["people"]["Alice"] for line in room["lines"]}
    assert closed == {"written before this device existed"}

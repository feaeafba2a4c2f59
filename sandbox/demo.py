"""`make demo` and `make story`: a whole mediation on this machine, to play in or to watch."""

import asyncio
import contextlib
import re
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from sandbox import correspondent, story, texter
from sandbox.browser import LINK, confirms_mailbox, pin_in
from sandbox.client import Client
from sandbox.homeserver import HomeserverFailed
from sandbox.mail import Stamp
from sandbox.node import CommandFailed, Node, NodeFailed
from sandbox.page.mailbox import Mailbox
from sandbox.page.server import Login, Page
from sandbox.ports import LOOPBACK, PortTaken, require_free
from sandbox.stage import BOT, StoryDiffers
from sandbox.whatsapp.graph import JOINT, PRIVATE
from sandbox.whatsapp.telephone import Telephone
from sandbox.world import Ports, ServiceFailed, World

_ROOT: Final = Path(__file__).parents[1]
_SYNAPSE: Final = _ROOT / ".venv-synapse" / "bin" / "python"
_NODE: Final = Path(sys.executable).with_name("node")
_CASE: Final = _ROOT / "docs" / "demo-case.yaml"

PASSWORDS: Final = {"mia": "mia-the-mediator", "alice": "alice-in-the-demo"}
_PATIENCE: Final = 120.0  # seconds for everyone's invitations


class CannotStart(Exception):
    """The demo can't begin; the message says what to do."""


def main(folder: Path, port: int, *, script: bool) -> int:
    """Run the demo until Ctrl-C, or play the story; the exit code.

    The demo keeps everything in `folder` and serves its page on `port`. The story plays in a fresh folder inside it, on
    free ports, and removes that folder unless it went otherwise.
    """
    folder = folder.absolute()  # the homeserver runs in a directory of its own
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return _story(folder) if script else asyncio.run(_until_stopped(_run_demo(folder, port)))
    except (StoryDiffers, PortTaken, HomeserverFailed, ServiceFailed, NodeFailed, CannotStart) as error:
        print(f"\nmediatrix demo: {error}", file=sys.stderr)
        return 1


async def _until_stopped(work: Coroutine[object, object, None]) -> int:
    """Runs until it ends, or until Ctrl-C (or SIGTERM) has it end everything it started."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return 130 if task.cancelled() else 0


# --- the story ------------------------------------------------------------------------------------------------------


def _story(folder: Path) -> int:
    place = Path(tempfile.mkdtemp(prefix="story-", dir=folder))
    try:
        code = asyncio.run(_until_stopped(_play_story(place)))
    except (StoryDiffers, HomeserverFailed, ServiceFailed, NodeFailed):
        print(f"\nLogs and databases are kept in {place}", file=sys.stderr)
        raise
    shutil.rmtree(place)
    return code


async def _play_story(place: Path) -> None:
    ports = Ports.free()
    print("Starting a homeserver, the service, a mail server and Matrix clients …", flush=True)
    async with (
        World(place / "world", ports, _SYNAPSE, agreement=True, triage=True) as world,
        Node(_NODE, log=place / "clients.log") as node,
    ):
        await story.play(world, node, lambda line: print(line, flush=True))


# --- the demo -------------------------------------------------------------------------------------------------------


async def _run_demo(folder: Path, port: int) -> None:
    require_free(port, "the page")
    _same_ports(folder, port)
    ports = Ports.above(port)
    print("Mediatrix demo: a mediation on this machine. Ctrl-C ends everything.\n", flush=True)
    world = World(folder, ports, _SYNAPSE, agreement=True, triage=True)
    _same_channels(world)
    bea = world.whatsapp.telephone(texter.NUMBER, texter.USER, texter.PROFILE, folder / "bea.jsonl")
    dan = world.whatsapp.telephone("+4915112345678", "DE.9z9", "Desk · triage", folder / "dan.jsonl")
    async with contextlib.AsyncExitStack() as stack:
        with _progress("a homeserver (Synapse), the service, a mail server, and a stand-in for WhatsApp"):
            await stack.enter_async_context(world)
        mailbox = Mailbox(correspondent.ADDRESS, world.mail, folder / "carl")
        with _progress("two Matrix clients (matrix-js-sdk): Mia's and Alice's"):
            node = await stack.enter_async_context(Node(_NODE, log=folder / "clients.log"))
            clients = {name: await stack.enter_async_context(_logged_in(node, world, name)) for name in PASSWORDS}
        mia, alice = clients["mia"], clients["alice"]
        if "1001" not in await world.cli("case", "list", "-c", str(world.config)):
            with _progress(f"the case of {_CASE.relative_to(_ROOT)}, opened with `mediatrix case create`"):
                await world.cli("case", "create", str(_CASE), "-c", str(world.config))
                await _enter_rooms(mia, 8)
                await _enter_rooms(alice, 2)
                await _accept(alice)
                await _enter_rooms(alice, 3)
            with _progress("Carl confirms his address"):
                await _confirm(mia, mailbox)
            with _progress("a few opening lines"):
                await _opening_lines(mia, alice, mailbox)
                await _on_the_telephone(mia, alice, mailbox, bea)
                await _from_nowhere(mia, dan)
        login = Login(world.homeserver.url, PASSWORDS)
        telephones = {"Bea": bea, "Dan": dan}
        page = Page({"Mia": mia, "Alice": alice}, mailbox, telephones, world.homeserver.user_id(BOT), login)
        await page.serve(port, lambda: print(_ready(port, login), flush=True))


def _same_ports(folder: Path, port: int) -> None:
    """The service's configuration names the ports, so a folder keeps those of its first start."""
    note = folder / "port"
    if not note.exists():
        note.write_text(f"{port}\n")
    elif (first := note.read_text().strip()) != str(port):
        raise CannotStart(f"{folder} was made with --port {first}: use that port, or another --folder")


def _same_channels(world: World) -> None:
    """What an earlier version made has nobody on WhatsApp, or no triage desk."""
    made = world.config.read_text() if world.config.exists() else ""
    if made and not (world.whatsapp.base_url in made and re.search(r"(?m)^intake:.*\n  enabled: true", made)):
        raise CannotStart(f"{world.folder} was made by an earlier version: remove it, or use another --folder")


@asynccontextmanager
async def _logged_in(node: Node, world: World, localpart: str) -> AsyncIterator[Client]:
    """A new device, deleted at the end: its keys were in memory only."""
    await world.homeserver.register(localpart, PASSWORDS[localpart])
    device = f"DEMO-{secrets.token_hex(3)}".upper()
    client = await Client.login(node, world.homeserver.url, localpart, PASSWORDS[localpart], device=device)
    await client.request(
        "PUT", f"/_matrix/client/v3/profile/{client.user_id}/displayname", {"displayname": localpart.title()}
    )
    try:
        yield client
    finally:
        with contextlib.suppress(CommandFailed, NodeFailed):
            await client.logout()


async def _enter_rooms(client: Client, count: int) -> None:
    """Accepts invitations until that many rooms and Spaces are joined."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            rooms = await client.rooms()
            if sum(room.membership == "join" for room in rooms) >= count:
                return
            for room in rooms:
                if room.membership == "invite":
                    await client.join(room.room_id)
            await asyncio.sleep(0.1)


async def _accept(client: Client) -> None:
    """Accepts the agreement to mediate, as a party does: in private, with the code."""
    asked = await client.wait_for(lambda e: "this is the agreement to mediate" in (e.body or ""), "it", _PATIENCE)
    code = (asked.body or "").rpartition("“yes ")[2].partition("”")[0]
    await client.text(asked.room_id, f"yes {code}")


async def _confirm(mia: Client, mailbox: Mailbox) -> None:
    """Mia tells Carl the PIN by telephone, and he confirms the mailbox behind the link that came."""
    (desk,) = [room.room_id for room in await mia.rooms() if room.name == "Desk · 1001"]
    await mia.text(desk, "!mail pin Carl")
    shown = await mia.wait_for(lambda event: "The PIN of Carl is" in (event.body or ""), "the PIN", _PATIENCE)
    while not any(LINK.search(letter.text) for letter in mailbox.letters):
        await asyncio.wait_for(mailbox.receive(), _PATIENCE)
    mail = next(letter.text for letter in mailbox.letters if LINK.search(letter.text))
    await confirms_mailbox(mail, pin_in(shown.body or ""))
    await mia.wait_for(lambda event: "Carl has confirmed" in (event.body or ""), "his word", _PATIENCE)


async def _opening_lines(mia: Client, alice: Client, mailbox: Mailbox) -> None:
    """Enough for a newcomer to see who reads what."""
    rooms = {room.name: room.room_id for room in await alice.rooms()}
    (everyone,) = [name for name in rooms if name.startswith("EVERYONE")]
    (private,) = [name for name in rooms if name.startswith("PRIVATE")]
    await _said(mia, rooms[everyone], "Welcome, Alice and Carl. What does each of you need to settle this?", alice)
    await _said(alice, rooms[everyone], "I want to leave the bakery by June.", mia)
    await _said(alice, rooms[private], "Between us: I would accept 40,000 for my half.", mia)
    await _said(mia, rooms[private], "That stays here. Carl can't see this room, or even that it exists.", alice)
    while sum(letter.room == everyone for letter in mailbox.letters) < 3:
        await asyncio.wait_for(mailbox.receive(), _PATIENCE)
    await mailbox.answer(everyone, "I want to keep the bakery open, with Alice's name on it.", Stamp.PASS)
    await mailbox.answer(private, "Only for you, Mia: I can't pay more than 35,000 before the spring.", Stamp.PASS)
    await alice.wait_for(lambda event: "keep the bakery open" in (event.body or ""), "Carl's answer", _PATIENCE)
    await mia.wait_for(lambda event: "35,000" in (event.body or ""), "Carl's private answer", _PATIENCE)


async def _on_the_telephone(mia: Client, alice: Client, mailbox: Mailbox, telephone: Telephone) -> None:
    """Bea is asked to write, and does; then what waits for her arrives."""
    for chat in (PRIVATE, JOINT):
        await telephone.wait_for(lambda bubble, chat=chat: bubble.template and bubble.chat == chat)  # type: ignore[misc]
    await telephone.write(JOINT, "Good evening, all. The house is mine, and the oven may stay.")
    await telephone.write(PRIVATE, "Mia, between us: for 1,450 a month the bakery may stay.")
    await alice.wait_for(lambda event: "the oven may stay" in (event.body or ""), "Bea's words", _PATIENCE)
    await mia.wait_for(lambda event: "1,450" in (event.body or ""), "Bea's private words", _PATIENCE)
    while not any("the oven may stay" in letter.text for letter in mailbox.letters):
        await asyncio.wait_for(mailbox.receive(), _PATIENCE)
    await telephone.wait_for(lambda bubble: "keep the bakery open" in bubble.text)


async def _from_nowhere(mia: Client, dan: Telephone) -> None:
    """Dan, whom nobody knows, writes to the number on a leaflet; the triage desk reads it, and he is answered once."""
    await dan.write(PRIVATE, "My neighbour and I can't agree about the fence. Can you help?")
    await mia.wait_for(lambda event: "agree about the fence" in (event.body or ""), "Dan's words", _PATIENCE)
    await dan.wait_for(lambda bubble: "This is an automatic answer" in bubble.text)


async def _said(author: Client, room: str, text: str, reader: Client) -> None:
    await author.text(room, text)
    await reader.wait_for_text(room, text, _PATIENCE)


@contextlib.contextmanager
def _progress(what: str) -> Iterator[None]:
    began = time.monotonic()
    print(f"  {what} … ", end="", flush=True)
    yield
    print(f"{time.monotonic() - began:.0f} s", flush=True)


def _ready(port: int, login: Login) -> str:
    accounts = "\n".join(f"      user {name}, password {password}" for name, password in login.passwords.items())
    return (
        f"\n  Open  http://{LOOPBACK}:{port}/  and see it as Mia, Alice, Carl, Bea and Dan do.\n\n"
        f"  Or log in with a Matrix client of your own: homeserver {login.homeserver}\n{accounts}\n"
        "  (to verify the new device, use the password as recovery passphrase)\n"
    )

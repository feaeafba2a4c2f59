"""Who plays, and where: what each scene of the story leaves for the next."""

import re
import secrets
from typing import Final

from sandbox import texter
from sandbox.client import Client
from sandbox.correspondent import Correspondent
from sandbox.node import Node
from sandbox.stage import BOT, Actor, Place, Stage
from sandbox.texter import Texter
from sandbox.world import World

TITLE: Final = "Smith and Jones"
PASSWORDS: Final = "a password for {}"

FENCE: Final = "My neighbour and I cannot agree about the fence. Can you help?"
ALICES_LIMIT, CARLS_LIMIT, BEAS_LIMIT, UNPROVEN = "40,000", "35,000", "1,450", "70,000"
VALUATION = b"item,value\nALICE-VALUATION,81500\n"
WORKSHEET = b"question,answer\nMIA-WORKSHEET,\n"
ACCOUNTS = b"month,takings\nCARL-ACCOUNTS,11200\n"


class Cast:
    """The people, their rooms, and what they are called."""

    mia: Actor
    alice: Actor
    phone: Actor
    dora: Actor
    desk: Place
    hers: Place  # Alice's caucus
    his: Place  # Carl's
    beas: Place
    joint: Place
    triage: Place
    closed: frozenset[tuple[str, str]]  # what a device must not be able to read
    number: str

    def __init__(self, world: World, node: Node, stage: Stage) -> None:
        """Nobody is there yet."""
        self.world, self.node, self.stage, self.carl = world, node, stage, Correspondent(stage)
        telephone = world.whatsapp.telephone(texter.NUMBER, texter.USER, texter.PROFILE)
        self.bea = Texter(stage, telephone)
        self.dans = world.whatsapp.telephone("+4915112345678", "DE.9z9", "Desk · triage")
        self.bot = world.homeserver.user_id(BOT)

    @property
    def private(self) -> str:
        """The name of each party's private room."""
        return f"PRIVATE with mediator · {self.number}"

    @property
    def everyone(self) -> str:
        """The name of the joint room."""
        return f"EVERYONE · {self.number}"

    async def log_in(self, name: str, localpart: str, kind: str) -> Actor:
        """Somebody at a new device."""
        password, device = PASSWORDS.format(localpart), f"{kind}-{secrets.token_hex(2)}"
        with self.stage.expecting(f"{name} logs in"):
            client = await Client.login(self.node, self.world.homeserver.url, localpart, password, device=device)
        return Actor(name, client)

    async def has_the_bot(self, room: str) -> bool | None:
        """Whether the bot came in."""
        members = await self.mia.client.members(room)
        return any((member.user_id, member.membership) == (self.bot, "join") for member in members) or None

    def code_in(self, question: str) -> str:
        """The code with which a question wants to be answered."""
        code = re.search(r"“yes (\w+)”", question)
        self.stage.require("a code to answer with", code is not None, question)
        assert code is not None
        return code[1]

"""The bot's direct chats, outside of any case: who gets one, and what is answered there (`policies.people.lobby`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from policies.board import NOTHING, SHOWN, Shown, cases_board
from policies.case import Network, Phase, Role
from policies.commands.opening import NewCase
from policies.commands.people import AddPerson
from policies.message import Content, Proof
from policies.people import lobby
from policies.plan import RoomKey
from rooms.apply import Applier
from rooms.board import backlogs_of, busy
from rooms.handle import Handler
from rooms.house import House
from rooms.ids import RoomId, UserId
from rooms.outgoing import Codec, Decline, Enter, Say
from rooms.ports import RoomRecord, Standing, Work
from rooms.queue import ItemId

IN_CLEAR = (
    "This chat is not encrypted, so I take no commands here, and what you wrote may have been read on the server."
    " Start a new chat with me with encryption on, or turn it on in this room's settings, and write again."
)

NOT_ENCRYPTED = (
    "I take no commands that were sent without encryption, and what you wrote may have been read on the server. This"
    " chat is encrypted: write again with a client that encrypts."
)


class Lobby:
    """Handles one inbox item that belongs to a direct chat, in one unit of work."""

    def __init__(self, work: Work, codec: Codec, house: House, item: ItemId, at: datetime) -> None:
        """`item` is the inbox item at hand, `at` the time of its handling."""
        self._work, self._house = work, house
        self._applier, self._handler = Applier(work, codec, item, at), Handler(work, codec, house, item, at)

    async def invited(self, room: RoomId, ours: UserId, by: UserId, bot: UserId) -> None:
        """One of our users was invited to a room that isn't ours: the bot talks to mediators, and only them (R10)."""
        if ours != bot or by not in self._house.mediators:
            await self._applier.outside(Decline(room, ours))
            return
        await self._work.rooms.save(RoomRecord(None, RoomKey(f"lobby:{room}"), Standing.MADE, "", room))
        await self._applier.outside(Enter(room, ours))

    async def message(self, room: RoomId, user: UserId, content: Content, proof: Proof, received_at: datetime) -> None:
        """A mediator of the organisation wrote to the bot."""
        reply = lobby.decide(content, proof)
        match reply:
            case lobby.Answer(answer, to_unsigned_devices):
                await self._applier.outside(Say(room, user, answer, to_unsigned_devices))
            case lobby.Silence():
                return
            case lobby.Listing():
                await self._applier.outside(Say(room, user, lobby.listing(await self._titles(user))))
            case lobby.Board():
                shown = await self._board_of(user)
                await self._applier.outside(Say(room, user, shown.text, html=shown.html))
            case lobby.Open(command):
                mediator = AddPerson(self._house.mediators[user], Network.MATRIX, user, Role.MEDIATOR)
                opening = NewCase(command.title, (mediator, *command.steps))
                opened = await self._handler.command(None, opening, received_at)
                await self._applier.outside(Say(room, user, opened.text))

    async def in_clear(self, room: RoomId, user: UserId) -> None:
        """A mediator wrote to the bot without encryption: whichever answer the chat is fit for goes out."""
        await self._applier.outside(Say(room, user, IN_CLEAR, in_clear=True))
        await self._applier.outside(Say(room, user, NOT_ENCRYPTED))

    async def _board_of(self, user: UserId) -> Shown:
        """The board of all cases of which somebody is a mediator."""
        ids = await busy(self._work, user, SHOWN + 1)
        found = [await self._work.cases.load(case) for case in ids]
        mine = [c for c in found if c and (p := c.at_address(Network.MATRIX, user)) and c.is_staff(p.id)]
        backlogs = await backlogs_of(self._work, ids)
        return cases_board((case, backlogs.get(case.id, NOTHING)) for case in mine if case.phase is not Phase.CLOSED)

    async def _titles(self, user: UserId) -> Mapping[str, str]:
        cases = [await self._work.cases.load(case) for case in await self._work.cases.of_matrix_user(user)]
        person = {c.id: p.id for c in cases if c and (p := c.at_address(Network.MATRIX, user))}
        return {c.id: c.title for c in cases if c and c.is_staff(person[c.id])}

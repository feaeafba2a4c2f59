"""The API's and the CLI's acts: stored as inbox items like everything else, carried out by the worker, answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime

from pydantic import TypeAdapter

from appservice.casefile import AcceptanceEntry, CaseFile, ConsentEntry, PersonEntry
from appservice.e2ee.trust import JUDGEMENT, Verifications
from appservice.ports import ServiceDatabase
from appservice.reading import COMMAND
from appservice.web.ports import Missing, Refused
from appservice.web.schema import CaseStatus, CommandAnswer, Judgement, Trust
from appservice.worker import Fate, Finished
from policies.case import CaseId, Consent, Network, Role
from policies.commands.floor import SetMode
from policies.commands.form import Misunderstood
from policies.commands.opening import NewCase
from policies.commands.people import AddPerson
from policies.commands.second import AddChannel
from policies.commands.session import OpenJoint
from policies.commands.sides import AddSide
from policies.commands.vocabulary import Command, parse
from policies.status import status_text
from policies.words.text import clean
from rooms.handle import Answer, Handler
from rooms.house import House
from rooms.ids import UserId
from rooms.lanes import case_lane
from rooms.outgoing import Codec
from rooms.ports import Database, Work
from rooms.queue import Item, ItemId, Lane, State, item_id

PATIENCE = 30.0
"""Seconds to wait for the worker before the caller is told to ask again with the same key."""
_LOOK_EVERY = 0.05
_ANSWER = TypeAdapter(Answer)


class InboxProvisioning:
    """`appservice.web.ports.Provisioning` over the inbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_case(self, case: CaseFile, idempotency_key: str) -> CaseStatus | Refused:
        """Open a case; the same key again answers with the same case."""
        body = json.dumps({"file": case.model_dump(mode="json")}).encode()
        item = Item(_identity("cases", idempotency_key), Lane("api"), COMMAND, None, body, datetime.now(UTC))
        answer = await _carried_out(self._database, item)
        if isinstance(answer, Refused):
            return answer
        status = await self.case(answer.case) if answer.case else Missing()
        return status if isinstance(status, CaseStatus) else Refused(answer.text)

    async def cases(self) -> tuple[CaseStatus, ...]:
        """All cases, oldest first."""
        async with self._database.begin() as work:
            found = [await work.cases.load(case) for case in await work.cases.all_ids()]
        return tuple(CaseStatus(id=c.id, title=c.title, phase=c.phase, status=status_text(c)) for c in found if c)

    async def case(self, case: str) -> CaseStatus | Missing:
        """One case."""
        async with self._database.begin() as work:
            found = await work.cases.load(CaseId(case))
        if found is None:
            return Missing()
        return CaseStatus(id=found.id, title=found.title, phase=found.phase, status=status_text(found))

    async def command(self, case: str, text: str, idempotency_key: str) -> CommandAnswer | Refused | Missing:
        """A desk command in the organisation's name; the desk sees the answer, too."""
        if isinstance(await self.case(case), Missing):
            return Missing()
        parsed = parse(text)
        if isinstance(parsed, Misunderstood):
            return Refused(str(parsed), "command")
        body = json.dumps({"case": case, "text": text}).encode()
        name, lane = _identity(f"cases/{case}", idempotency_key), case_lane(CaseId(case))
        answer = await _carried_out(self._database, Item(name, lane, COMMAND, CaseId(case), body, datetime.now(UTC)))
        if isinstance(answer, Refused):
            return answer
        return CommandAnswer(answer=answer.text) if answer.ok else Refused(answer.text, "command")


class InboxTrust:
    """`appservice.web.ports.Trusting` over the inbox."""

    def __init__(self, database: ServiceDatabase, verifications: Verifications) -> None:
        self._database, self._verifications = database, verifications

    async def shown(self) -> Trust | Missing:
        """Who the bot is to encryption, and what waits to be compared."""
        async with self._database.begin() as work:
            shown = await self._verifications.shown(work)
        return Trust.model_validate(shown, from_attributes=True) if shown else Missing()

    async def judge(self, judgement: Judgement, idempotency_key: str) -> CommandAnswer | Refused:
        """A comparison was made."""
        body = judgement.model_dump_json().encode()
        item = Item(_identity("trust", idempotency_key), Lane("api"), JUDGEMENT, None, body, datetime.now(UTC))
        answer = await _carried_out(self._database, item)
        if isinstance(answer, Refused):
            return answer
        return CommandAnswer(answer=answer.text) if answer.ok else Refused(answer.text, "code")


async def _carried_out(database: Database, item: Item) -> Answer | Refused:
    """Store the act, and wait until the worker has carried it out."""
    async with database.begin() as work:
        await work.inbox.put(item)
    until = asyncio.get_running_loop().time() + PATIENCE
    while asyncio.get_running_loop().time() < until:
        async with database.begin() as work:
            stored = await work.inbox.get(item.id)
        if stored and stored.state is State.DONE:
            return _ANSWER.validate_json(stored.result or "")
        if stored and stored.state is State.DEAD:
            return Refused("it could not be carried out; the service's log says why")
        await asyncio.sleep(_LOOK_EVERY)
    return Refused("it is stored, and will be carried out; ask again with the same Idempotency-Key")


def _identity(what: str, key: str) -> ItemId:
    return item_id(f"api/{what}/{key}")


class CommandReader:
    """Reads acts from the inbox and has them carried out."""

    def __init__(self, codec: Codec, house: House) -> None:
        self._codec, self._house = codec, house

    async def read(self, work: Work, item: Item) -> Fate:
        """Carry out one act, and keep the answer as the item's result."""
        stored = json.loads(item.body)
        handler = Handler(work, self._codec, self._house, item.id, datetime.now(UTC))
        if "text" in stored:
            answer = await self._obeyed(handler, stored["case"], stored["text"], item.received_at)
        else:
            opening = case_command(CaseFile.model_validate(stored["file"]))
            answer = await handler.command(None, opening, item.received_at)
            if answer.case:
                await handler.outside(answer.case, f"open this case, “{opening.title}”, from a file")
        await work.inbox.done(item.id, _ANSWER.dump_json(answer).decode())
        return Finished()

    async def _obeyed(self, handler: Handler, case: CaseId, text: str, at: datetime) -> Answer:
        """What nobody understands is not said at the desk: it does nothing."""
        command = parse(text)
        if isinstance(command, Misunderstood):
            return Answer(False, str(command), case)
        await handler.outside(case, text)
        return await handler.command(case, command, at)


def case_command(file: CaseFile) -> NewCase:
    """A case file as the commands that a mediator would have given."""
    staff = [
        AddPerson(mediator_name(user), Network.MATRIX, user, Role.CO_MEDIATOR if i else Role.MEDIATOR)
        for i, user in enumerate(file.mediators)
    ]
    sides: list[Command] = []
    for side in file.sides:
        sides += [AddSide(side.name), *(step for person in side.people for step in _person(person, side.name))]
    opened = [OpenJoint()] if file.open else []
    return NewCase(file.title, (*staff, *sides, SetMode(file.mode), *opened))


def mediator_name(user: UserId) -> str:
    """What a mediator is called in cases: the account's name, made presentable. Never a network profile (I10)."""
    localpart = user.removeprefix("@").partition(":")[0]
    return clean(" ".join(part.capitalize() for part in localpart.replace("_", ".").split(".") if part)) or "Mediator"


def _person(entry: PersonEntry, side: str) -> Iterator[Command]:
    yield AddPerson(
        entry.name,
        entry.network,
        entry.address,
        entry.role,
        side,
        _on_paper(entry.agreed),
        _on_paper(entry.accepted),
        discreet=entry.discreet,
    )
    if entry.also:
        also = entry.also
        yield AddChannel(entry.name, also.network, also.address, _on_paper(also.agreed), _on_paper(also.accepted))


def _on_paper(entry: ConsentEntry | AcceptanceEntry | None) -> Consent | None:
    if entry is None:
        return None
    return Consent(entry.recorded_by, datetime(entry.on.year, entry.on.month, entry.on.day, tzinfo=UTC), entry.wording)

"""An administrator's programme gives a command and opens a case, and asks again with the same key until it is answered,
while something is cut off (R7)."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from unittest.mock import patch

from appservice import provisioning
from appservice.casefile import CaseFile
from appservice.provisioning import InboxProvisioning
from appservice.web.ports import Refused
from appservice.web.schema import CaseStatus, CommandAnswer
from policies.case import DESK, CaseId
from tests.faults.house import CASE, House, Setting
from tests.faults.scenarios import ROOMS_OF_A_CASE, Broken, Scenario
from tests.invariants.world import ALICE, BOB, BOT, MIA

T = TypeVar("T")
_OFTEN = 20
"""So often it asks for one thing at most."""
_ROOMS = 6
"""Five of the case, and one of the side."""


@contextmanager
def impatient(_: House) -> Iterator[None]:
    """It looks for the answer once, and the worker works when it has been told to ask again."""
    with patch.object(provisioning, "PATIENCE", 0.01):
        yield


IMPATIENT = Setting(around=impatient)


async def it_is_asked_until_it_is_answered(house: House, word: str) -> None:
    """And once more, when all is done."""
    side = {"name": "Smith", "people": [{"name": "Alice", "matrix": ALICE}]}
    file = CaseFile.model_validate({"title": word, "mediators": [MIA], "sides": [side]})
    answers = []
    for _ in range(2):
        command = await _answered(house, lambda api: api.command(CASE, f"!side add {word}", word))
        answers.append((command, await _answered(house, lambda api: api.create_case(file, word))))
        await house.drain()
    (command, case), (same_command, same_case) = answers
    if not isinstance(command, CommandAnswer) or not isinstance(case, CaseStatus) or case.title != word:
        raise Broken(f"answered: {answers}")
    if same_command != command or not isinstance(same_case, CaseStatus) or same_case.id != case.id:
        raise Broken(f"answered another time: {answers}")
    house.opened = CaseId(case.id)


async def _answered(house: House, ask: Callable[[InboxProvisioning], Awaitable[T]]) -> T:
    for _ in range(_OFTEN):
        answer = await house.alive(ask(InboxProvisioning(house.database)))
        if answer is not None and not (isinstance(answer, Refused) and "same Idempotency-Key" in answer.why):
            return answer
        await house.work_off()
    raise Broken("it was never answered")


async def it_was_done_once(house: House, word: str) -> None:
    """The desk of each case heard of it once, and no party did."""
    async with house.calm(), house.database.begin() as work:
        cases = [await work.cases.load(one) for one in await work.cases.all_ids()]
    if [case.id for case in cases if case and case.title == word] != [house.opened]:
        raise Broken(f"{len(cases)} cases, of which {house.opened} is the one that was answered")
    if len([side for case in cases if case for side in case.sides if side.name == word]) != 1:
        raise Broken("there is not one side more")
    for told, case in ((f"> !side add {word}", CASE), (f"> open this case, “{word}”, from a file", house.opened)):
        texts = await house.reads(MIA, await house.room(DESK, case))
        if (times := len([text for text in texts if told in text])) != 1:
            raise Broken(f"the desk of {case} was told {times} times: {told}")
    for user in (ALICE, BOB):
        for room in house.synapse.all_rooms.values():
            if any(word in text for text in await house.reads(user, room)):
                raise Broken(f"{user} reads of it in {room.id}")
    made = [room for room in house.synapse.all_rooms.values() if room.creator == BOT]
    if len(made) != ROOMS_OF_A_CASE + house.played * _ROOMS:
        raise Broken(f"{len(made)} rooms were made")


API = Scenario("a programme asks for things", it_is_asked_until_it_is_answered, it_was_done_once, IMPATIENT)

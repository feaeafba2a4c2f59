"""What an administrator does through the CLI or the API is said at the desk and on record, and shows no words (A4)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from appservice.cli import _parser
from appservice.codec import JsonCodec
from appservice.provisioning import CommandReader
from appservice.reading import COMMAND
from appservice.web.provisioning import ENDPOINTS
from policies.case import DESK, JOINT, Case
from policies.commands.vocabulary import FORMS
from policies.effects import Tell
from policies.message import MessageId, Text
from policies.outside import RULE
from policies.people.membership import readers
from policies.questions.asking import code_from
from rooms.handle import Answer, Handler
from rooms.house import House
from rooms.ids import UserId
from rooms.lanes import case_lane
from rooms.ports import Entry, Held
from rooms.queue import Item, ItemId
from tests.fakes.memory import MemoryDatabase
from tests.policies.builders import AT, both_sides, caucus_of, message

CODEC = JsonCodec()
HOUSE = House("example.org", "_mediatrix_", "reply.example.org", {UserId("@mia:example.org"): "Mia"}, documents=True)
SECRET = "the mole is in the garden"

SAID_AT_THE_DESK = {"createCase", "runCommand", "judgeVerification"}
LOOKS = {"listCases", "getCase", "showTrust", "checkHomeserver", "showStatus"}
"""Endpoints that change nothing, and show names and how things stand, and nothing that anybody said."""

COMMANDS = {
    "case create": "by the API",
    "case command": "by the API",
    "trust same": "by the API",
    "trust different": "by the API",
    "restore": "each desk is told when the service starts (appservice.backups.settling)",
    "adopt": "as restore",
    "run": "what is configured says who else comes to desks; each of them is on record as they come",
    "init": "before there are cases",
    "backup": "sealed; whoever has it, its keys and the master key has the host",
    "keys rotate": "seals anew, and opens nothing",
    "audit verify": "looks",
    "config check": "looks",
    "registration check": "looks",
    "status": "looks",
    "case list": "looks",
    "trust show": "looks",
    "demo": "has a world of its own",
}
"""Every command of the CLI, and how what it does to a case is seen at a desk. What comes new is to be thought about."""


def _commands(parser: argparse.ArgumentParser, above: str = "") -> Iterator[str]:
    below = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not below:
        yield above
    for action in below:
        for name, one in action.choices.items():
            yield from _commands(one, f"{above} {name}".strip())


def test_of_every_command_of_the_cli_it_is_known_how_a_desk_sees_it() -> None:
    assert set(_commands(_parser())) == set(COMMANDS)


def test_of_every_endpoint_it_is_known_and_what_changes_anything_is_said_at_the_desk() -> None:
    assert {each.operation for each in ENDPOINTS} == SAID_AT_THE_DESK | LOOKS
    assert {each.operation for each in ENDPOINTS if each.method != "GET"} == SAID_AT_THE_DESK


async def given(database: MemoryDatabase, line: str, case: Case) -> Answer:
    """An administrator gives a command, as the API stores it."""
    body = json.dumps({"case": case.id, "text": line}).encode()
    item = Item(ItemId(f"api/{line}"), case_lane(case.id), COMMAND, case.id, body, datetime.now(UTC))
    async with database.begin() as work:
        await work.inbox.put(item)
        await CommandReader(CODEC, HOUSE).read(work, item)
        done = await work.inbox.get(item.id)
    assert done is not None
    assert done.result is not None
    return Answer(**json.loads(done.result))


async def with_secrets() -> tuple[MemoryDatabase, Case]:
    """A case in which something secret was said, held, and shared."""
    database, case = MemoryDatabase(), both_sides()
    async with database.begin() as work:
        await work.cases.save(case)
        for number, where in enumerate((JOINT, caucus_of(case, "Smith"))):
            said = replace(message(case, "Alice", where, Text(SECRET)), id=MessageId(f"said{number}"))
            await work.journal.append(Entry(case.id, said))
            await work.holds.put(Held(case.id, said.id, "why", AT, readers(case, where)))
    return database, case


ANSWERS = {f"{word} {code_from('asked')}" for word in ("yes", "no")}
EXAMPLES = sorted({form.example for form in FORMS.values()} | ANSWERS)


@pytest.mark.parametrize("line", EXAMPLES)
async def test_each_command_from_outside_is_said_at_the_desk_and_on_record_and_shows_no_words(line: str) -> None:
    database, case = await with_secrets()
    answer = await given(database, line, case)
    told = [CODEC.load(item.body) for item in database.committed.outbox.items.values()]
    first = next(thing for thing in told if isinstance(thing, Tell) and thing.conversation == DESK)
    assert "BY AN ADMINISTRATOR" in first.text
    assert line.split(maxsplit=1)[0] in first.text
    lines = [one for one in database.committed.record.values() if one.audience == DESK.id]
    assert lines[0].words.startswith(f"{RULE} (through the command line or the API: {line.split(maxsplit=1)[0]}")
    assert SECRET not in answer.text


async def test_what_nobody_understands_does_nothing_and_is_not_said() -> None:
    database, case = await with_secrets()
    assert not (await given(database, "!opne", case)).ok
    assert not database.committed.outbox.items


async def test_what_fails_leaves_no_word_of_it_at_the_desk_for_it_did_not_happen() -> None:
    """One unit of work: neither without the other."""
    database, case = await with_secrets()
    with suppress(RuntimeError):
        async with database.begin() as work:
            await Handler(work, CODEC, HOUSE, ItemId("x"), AT).outside(case.id, "!status")
            raise RuntimeError
    assert not database.committed.outbox.items
    assert not database.committed.record

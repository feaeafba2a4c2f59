"""The process killed, the homeserver gone, the database failing, at the boundaries of every kind of work, one by one:
here at some of each kind. `tests.faults.whole` takes all of them, in half an hour.

Whatever is cut where: nothing accepted is lost, nothing is doubled into Matrix or reordered within a conversation, no
mail leaves twice by itself, and everybody can read everything in the end.
"""

import asyncio
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.agreeing import AGREEMENT
from tests.faults.announcing import BROADCAST, PAUSE
from tests.faults.api import API
from tests.faults.bounces import BOUNCE
from tests.faults.boundaries import Cut
from tests.faults.channels import SWITCHING, VOICES
from tests.faults.house import House, empty, standing
from tests.faults.intruding import MEDDLED
from tests.faults.lost import LOST
from tests.faults.networks import LINK, PAGE, WHATSAPP
from tests.faults.pages import BEHIND_A_LINK
from tests.faults.refusals import DOUBT, REFUSED, WINDOW
from tests.faults.restoring import RESTORED
from tests.faults.scenarios import DIGEST, FAR, HELD, MAIL, OPENING, POST, RELEASE, REMOVAL, Scenario, cut_at
from tests.faults.strangers import TRIAGE_BY_MAIL
from tests.faults.undoing import UNDO
from tests.faults.unread import UNREAD
from tests.faults.whole import EACH

CUTS = [Cut.KILL, Cut.HOMESERVER]
"""Of what takes long."""
EVERY = 30
"""Among the tests that take seconds, only every so many boundaries are cut at."""


@pytest.mark.parametrize(
    "scenario",
    [POST, MAIL, DIGEST, WHATSAPP, PAGE, LINK, TRIAGE_BY_MAIL, BOUNCE, DOUBT, WINDOW, REFUSED, API, BEHIND_A_LINK],
    ids=lambda scenario: scenario.name,
)
async def test_words_survive_a_kill_here_and_there(scenario: Scenario, tmp_path: Path) -> None:
    async with empty(tmp_path, scenario.setting) as house:
        await scenario.begins(house)
        fell = [await cut_at(house, scenario, Cut.KILL, boundary) for boundary in range(5, 3 * EVERY, EVERY)]
        assert None not in fell


@pytest.mark.parametrize(
    "scenario", [BROADCAST, PAUSE, UNDO, AGREEMENT, MEDDLED, UNREAD], ids=lambda scenario: scenario.name
)
async def test_what_mediators_do_survives_a_kill_here_and_there(scenario: Scenario, tmp_path: Path) -> None:
    await test_words_survive_a_kill_here_and_there(scenario, tmp_path)


async def test_a_restore_survives_a_kill_and_a_database_that_fails_here_and_there(tmp_path: Path) -> None:
    async with empty(tmp_path, RESTORED.setting) as house:
        await RESTORED.begins(house)
        for name in ("commit in settling.tell_desks", "commit in aftermath._search"):
            assert await cut_at(house, RESTORED, Cut.KILL, 0, only=name) == name
        name = "end in aftermath._already"
        assert await cut_at(house, RESTORED, Cut.DATABASE, 0, only=name) == name


@pytest.mark.e2e
@pytest.mark.parametrize(("database", "every"), [("sqlite", 10), ("postgresql", 70)])
async def test_words_survive_a_real_process_killed_at_its_boundaries(database: str, every: int) -> None:
    asked = ", ".join(map(repr, (*EACH, "--every", str(every), "--database", database)))
    told, code = await run("from tests.faults import whole", asked)
    assert not code, told
    # How often it looks for work rests on the machine: what came late when it was counted may come in no other run.
    some = r"(\w+) +(\w+) +[0-9]+ boundaries, +([0-9]+) cuts(?:, [0-9]+ not reached)?, 0 found"
    made = {(scenario, cut): int(number) for scenario, cut, number in re.findall(some, told)}
    assert set(made) == {(scenario, cut.name) for scenario in EACH for cut in Cut}, told
    assert min(made[scenario, "KILL"] for scenario in EACH) > 200 // every


@pytest.mark.e2e
async def test_a_fault_is_noticed_by_real_processes_that_are_killed() -> None:
    plant = (
        "from tests.faults import whole; from tests.faults.test_planted_faults import Patch, ciphertext_is_not_kept; "
        "ciphertext_is_not_kept(Patch())"
    )
    told, code = await run(plant, "'mail', '--only', 'send'")
    assert code, told
    assert "used twice" in told or "sent something else" in told or "reads" in told


async def run(before: str, arguments: str) -> tuple[str, int | None]:
    """The whole matrix's command, after something; what it says, and how it ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", f"import os, sys; {before}; os._exit(min(whole.main([{arguments}]), 1))"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    return told.decode(), process.returncode


@pytest.mark.e2e
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("scenario", [REMOVAL, RELEASE, HELD, LOST], ids=lambda scenario: scenario.name)
async def test_what_takes_several_steps_survives_each_kind_of_boundary(
    scenario: Scenario, cut: Cut, tmp_path: Path
) -> None:
    async with standing(tmp_path) as house:
        assert await cut_at(house, scenario, cut, FAR) is None
        fell = {await cut_at(house, scenario, cut, place) for place in places(house, cut)}
        assert len(fell) > 1


@pytest.mark.e2e
@pytest.mark.parametrize("scenario", [VOICES, SWITCHING], ids=lambda scenario: scenario.name)
async def test_a_change_of_channels_survives_a_kill_here_and_there(scenario: Scenario, tmp_path: Path) -> None:
    async with empty(tmp_path, scenario.setting) as house:
        await scenario.begins(house)
        assert await cut_at(house, scenario, Cut.KILL, FAR) is None
        fell = [await cut_at(house, scenario, Cut.KILL, place) for place in places(house, Cut.KILL)[::4]]
        assert len(set(fell)) > 1


@pytest.mark.e2e
async def test_a_mail_of_several_leaves_once_wherever_it_is_killed_over_it(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        assert await cut_at(house, DIGEST, Cut.KILL, FAR) is None
        passed = Counter(one.name for one in house.boundaries.passed if Cut.KILL in one.possible)
        names = [name for name in passed if name == "smtp" or " in courier." in name]
        assert len(names) > 3
        for name in names:
            # The last ones: before them a notice is mailed, by itself.
            for boundary in range(max(0, passed[name] - 2), passed[name]):
                assert await cut_at(house, DIGEST, Cut.KILL, boundary, only=name) == name


@pytest.mark.e2e
@pytest.mark.parametrize("cut", CUTS)
async def test_a_case_is_opened_once_whatever_is_cut(cut: Cut, tmp_path: Path) -> None:
    async with empty(tmp_path) as house:
        assert await cut_at(house, OPENING, cut, FAR) is None
        chosen = places(house, cut)
    for place in chosen:
        folder = tmp_path / str(place)
        folder.mkdir()
        async with empty(folder) as house:
            await cut_at(house, OPENING, cut, place)


def places(house: House, cut: Cut) -> list[int]:
    """One of each name among the boundaries that were passed, or one of every third."""
    return house.boundaries.places(cut)[:: 3 if cut is Cut.KILL else 1]

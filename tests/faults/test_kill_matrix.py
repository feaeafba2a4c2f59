"""The process killed, the homeserver gone, the database failing, at every boundary of every kind of work, one by one.

Whatever is cut where: nothing accepted is lost, nothing is doubled into Matrix or reordered within a conversation, no
mail leaves twice by itself, and everybody can read everything in the end.
"""

from collections import Counter
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

from tests.faults.boundaries import Cut
from tests.faults.house import House, empty, standing
from tests.faults.scenarios import DIGEST, FAR, HELD, MAIL, OPENING, POST, RELEASE, REMOVAL, Scenario, cut_at

THOROUGH = settings.get_current_profile_name() == "ci-long"
CUTS = list(Cut) if THOROUGH else [Cut.KILL, Cut.HOMESERVER]
"""Of what takes long: hours, thoroughly."""
EVERY = 30
"""Among the tests that take seconds, only every so many boundaries are cut at."""


@pytest.mark.parametrize("scenario", [POST, MAIL, DIGEST], ids=lambda scenario: scenario.name)
async def test_words_survive_a_kill_here_and_there(scenario: Scenario, tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        fell = [await cut_at(house, scenario, Cut.KILL, boundary) for boundary in range(5, 3 * EVERY, EVERY)]
        assert None not in fell


@pytest.mark.e2e
@pytest.mark.parametrize("cut", Cut)
@pytest.mark.parametrize("scenario", [POST, MAIL], ids=lambda scenario: scenario.name)
async def test_words_survive_every_boundary(scenario: Scenario, cut: Cut, tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        fell = []
        for boundary in count():
            name = await cut_at(house, scenario, cut, boundary)
            if name is None:
                break
            fell.append(name)
        expected = {
            Cut.KILL: {"commit in receiving.accept", "smtp" if scenario is POST else "/sendToDevice", "send"},
            Cut.HOMESERVER: {"/sendToDevice", "send"},
            Cut.DATABASE: {"end in receiving.accept", "end in writing._encrypt"},
        }
        assert expected[cut] <= set(fell)


@pytest.mark.e2e
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("scenario", [REMOVAL, RELEASE, HELD], ids=lambda scenario: scenario.name)
async def test_what_takes_several_steps_survives_each_kind_of_boundary(
    scenario: Scenario, cut: Cut, tmp_path: Path
) -> None:
    async with standing(tmp_path) as house:
        assert await cut_at(house, scenario, cut, FAR) is None
        fell = {await cut_at(house, scenario, cut, place) for place in places(house, cut)}
        assert len(fell) > 1


@pytest.mark.e2e
async def test_a_mail_of_several_leaves_once_wherever_it_is_killed_over_it(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        assert await cut_at(house, DIGEST, Cut.KILL, FAR) is None
        passed = Counter(name for name, possible in house.boundaries.passed if Cut.KILL in possible)
        names = [name for name in passed if name == "smtp" or " in courier." in name]
        assert len(names) > 3
        for name in names:
            # The last ones: before them a notice is mailed, by itself.
            for boundary in range(max(0, passed[name] - (passed[name] if THOROUGH else 2)), passed[name]):
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
    """One of each name among the boundaries that were passed, or one of every other; thoroughly: all."""
    if THOROUGH:
        return list(range(sum(cut in possible for _, possible in house.boundaries.passed)))
    return house.boundaries.places(cut)[:: 2 if cut is Cut.KILL else 1]

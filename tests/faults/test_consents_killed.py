"""Killed while somebody agrees that their words go by mail, takes it back and agrees anew: what they said under their
no goes nowhere, and what waited for their yes goes once."""

import pytest

from policies.networks import delivery
from tests.faults.boundaries import Cut
from tests.faults.consents import ASKING, CONSENTS
from tests.faults.house import empty, in_session
from tests.faults.scenarios import FAR, Broken, cut_at
from tests.faults.test_kill_matrix import CUTS, places


@pytest.fixture(scope="module", autouse=True)
def _agreed() -> None:
    """Here nobody has agreed to anything by themselves."""


async def played(
    folders: pytest.TempPathFactory, cut: Cut = Cut.KILL, boundary: int = FAR
) -> tuple[str | None, list[int]]:
    """In a house of its own, for they have answered when it is over; where it fell, and where it could be cut so."""
    async with empty(folders.mktemp("house"), ASKING) as house:
        await in_session(house)
        return await cut_at(house, CONSENTS, cut, boundary), places(house, cut)


async def test_uncut_everything_goes_where_its_author_agreed(tmp_path_factory: pytest.TempPathFactory) -> None:
    fell, chosen = await played(tmp_path_factory)
    assert fell is None
    assert len(chosen) > 10


@pytest.mark.e2e
@pytest.mark.parametrize("cut", CUTS)
async def test_whatever_is_cut_nothing_goes_without_a_yes_and_what_has_one_goes_once(
    cut: Cut, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _, chosen = await played(tmp_path_factory, cut)
    for place in chosen:
        assert (await played(tmp_path_factory, cut, place))[0]


async def test_words_that_go_without_a_yes_are_caught(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "may_carry", lambda *_: delivery.Go())
    with pytest.raises(Broken, match="under a no"):
        await played(tmp_path_factory)

"""Each place in the product that begins a unit of work is one at which the kill matrix cuts, or is named here."""

import re
from collections.abc import Mapping
from typing import Final

import pytest

from tests.faults.sites import sites
from tests.faults.test_kill_matrix import run

BY_ITSELF: Final[Mapping[str, str]] = {
    "courier._last": "test_whatsapp_killed",
    "enclosing.taken": "test_whatsapp_files_killed",
    "papers._handed_out": "test_downloads",
    "single.send": "test_stranger_killed",
}
"""Where it is cut, within one process."""
READS_ALONE: Final = frozenset(
    {
        "notices._wants_nothing",
        "passing.signal",
        "provisioning.cases",
        "provisioning.shown",
        "service.problems",
    }
)
"""Nothing is written there."""
REPEATED: Final = frozenset(
    {
        "house.note",
        "openid._entrance",
        "reported.fetch",
    }
)
"""One unit of work, whose answer somebody waits for, or that is looked at again: cut off, it was not done, and they see
it."""
UNCUT: Final = frozenset(
    {
        "deliver._let_pass",
        "deliver._notice",
        "documents.found",
        "sending._tell",
        "writing._words",
    }
)
"""No scenario comes by these yet."""


def test_the_places_are_read_from_the_source() -> None:
    """Or nothing would be missing, whatever is."""
    found = sites()
    assert {"receiving.accept", "worker._became", "courier._send", "provision._mend"} <= found
    assert not (set(BY_ITSELF) | READS_ALONE | REPEATED | UNCUT) - found


@pytest.mark.e2e
async def test_every_unit_of_work_is_cut_or_named() -> None:
    told, code = await run("from tests.faults import whole", "'--sites'")
    assert not code, told
    times = {site: int(number) for site, number in re.findall(r"^(\S+) ([0-9]+)$", told, re.MULTILINE)}
    assert sites() <= set(times), told
    # No equality: where time passes more slowly, something may be late enough to be told of (`sending._tell`).
    assert {site for site, number in times.items() if not number} <= set(BY_ITSELF) | READS_ALONE | REPEATED | UNCUT

"""The whole kill matrix: each scenario cut at each of its boundaries, each time in a process of its own.

    python -m tests.faults.whole [SCENARIO…] [--part 1/2] [--every N] [--only NAME] [--database postgresql]
    python -m tests.faults.whole --sites

Prints a line for each scenario and kind of cut, and what was found; ends with 1 if anything was. What need not be tried
twice isn't, but in the scenarios of `EACH`: a kill is tried once where nothing was written, sent or asked since the
last boundary, for it leaves the same behind; a commit that fails, once of each name where there was nothing to commit;
and of what is left out so, one in `SAMPLED` is tried nevertheless. `--every N`: only every Nth of all that; `--only`:
only at boundaries of that name; for those who have seconds. `--sites` cuts nothing: it plays each scenario once, and
prints every place in the product that begins a unit of work, with how many scenarios come by it.
"""

import argparse
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults import (
    agreeing,
    announcing,
    api,
    bounces,
    channels,
    consents,
    correcting,
    intruding,
    lost,
    networks,
    pages,
    refusals,
    restoring,
    scenarios,
    strangers,
    test_documents,
    undoing,
    unread,
)
from tests.faults.boundaries import Cut, Passed
from tests.faults.databases import OnServer, on_postgresql
from tests.faults.forks import Prepared, prepared
from tests.faults.scenarios import Scenario
from tests.faults.sites import sites

NAMES = {
    name.lower(): found
    for module in (
        scenarios,
        networks,
        consents,
        correcting,
        channels,
        lost,
        restoring,
        strangers,
        bounces,
        refusals,
        api,
        announcing,
        agreeing,
        undoing,
        intruding,
        unread,
        pages,
        test_documents,
    )
    for name, found in vars(module).items()
    if isinstance(found, Scenario)
}
EACH = ("post", "mail")
"""Both directions: killed at every boundary."""
SAMPLED = 20


@dataclass(frozen=True, slots=True)
class Task:
    """Which cuts are made."""

    part: int
    parts: int
    every: int
    only: str | None

    def of(self, passed: Collection[Passed], cut: Cut, *, each: bool) -> Sequence[int]:
        """Where that cut is made."""
        names = [one.name for one in passed if cut in one.possible]
        wanted = [place for place in places(passed, cut, each=each) if self.only in {None, names[place]}]
        return wanted[self.every // 2 + (self.part - 1) * self.every :: self.parts * self.every]


def places(passed: Collection[Passed], cut: Cut, *, each: bool) -> list[int]:
    """Where that cut is tried, as `Prepared.cut` counts them."""
    possible = [one for one in passed if cut in one.possible]
    seen: set[Hashable] = set()
    chosen, repeats = [], 0
    for place, one in enumerate(possible):
        same = _same(one, cut)
        repeats += same in seen
        if each or same is None or same not in seen or repeats % SAMPLED == 0:
            chosen.append(place)
        seen.add(same)
    return chosen


def _same(passed: Passed, cut: Cut) -> Hashable:
    """What is the same for all at which this cut comes to the same; None where it never does."""
    match cut:
        case Cut.KILL:
            return passed.lasting
        case Cut.DATABASE:
            return None if passed.wrote else passed.name
        case Cut.HOMESERVER:
            return None


def cut_all(ready: Prepared, name: str, task: Task) -> int:
    """Cut at all of a scenario's boundaries that are to be cut at; how many promises were broken."""
    passed, found = ready.boundaries(), 0
    for cut in Cut:
        began, possible = time.monotonic(), sum(cut in one.possible for one in passed)
        tried = task.of(passed, cut, each=name in EACH)
        over = 0
        for place in tried:
            outcome = ready.cut(cut, place)
            over += outcome.fell is None and not outcome.broken
            if outcome.fell and outcome.was_killed is not (cut is Cut.KILL):
                _say(f"    {cut.name} {place}: the process did not end as it should")
                found += 1
            if outcome.broken:
                _say(f"    {cut.name} {place}, at {outcome.fell}: {outcome.broken}")
                found += 1
        seconds = time.monotonic() - began
        reached = f", {over} not reached" if over else ""
        made = f"{possible:5} boundaries, {len(tried):4} cuts{reached}"
        _say(f"{name:8} {cut.name:10} {made}, {found} found, {seconds:.0f} s")
    return found


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; how many promises were broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.whole")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(NAMES))
    parser.add_argument("--part", default="1/1")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--sites", action="store_true")
    asked = parser.parse_args(arguments)
    part, _, parts = asked.part.partition("/")
    task = Task(int(part), int(parts), asked.every, asked.only)
    logging.disable()
    if asked.sites:
        return _say_sites()
    with ExitStack() as stack:
        server = stack.enter_context(on_postgresql()) if asked.database == "postgresql" else None
        return sum(_scenario(name, task, server) for name in asked.scenarios or NAMES)


def _scenario(name: str, task: Task, server: OnServer | None) -> int:
    with _ready(name, server) as ready:
        return cut_all(ready, name, task)


@contextmanager
def _ready(name: str, server: OnServer | None = None) -> Iterator[Prepared]:
    with (
        tempfile.TemporaryDirectory(prefix="mediatrix-cuts-") as folder,
        prepared(NAMES[name], Path(folder), server) as ready,
    ):
        yield ready


def _say_sites() -> int:
    """How many scenarios come by each; not counted where it takes a failure to come by it."""
    times = Counter(dict.fromkeys(sites(), 0))
    for name in NAMES:
        with _ready(name) as ready:
            times.update({begun for passed in ready.boundaries() if (begun := passed.begun)})
    for site, number in sorted(times.items()):
        _say(f"{site} {number}")
    return 0


if __name__ == "__main__":
    code = min(main(), 1)
    sys.stdout.flush()
    os._exit(code)

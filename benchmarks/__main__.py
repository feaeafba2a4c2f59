"""`make bench`: takes every measure, prints them with their bars, and keeps them in var/bench.json."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from benchmarks.forwarding import Plan, forwarding
from benchmarks.results import Measure, keep, table
from benchmarks.scene import scene

RESULTS = Path("var/bench.json")
FULL = Plan(bare=30, attached=60, half_load=30, cases=100, busy=8)
QUICK = Plan(bare=8, attached=15, half_load=8, cases=8, busy=8)


async def measure(plan: Plan) -> list[Measure]:
    """Everything, one after another: nothing else runs meanwhile."""
    measures: list[Measure] = []
    with tempfile.TemporaryDirectory(prefix="mediatrix-bench-") as folder:
        async with scene(Path(folder) / "forwarding") as desk:
            measures += await forwarding(desk, plan)
    return measures


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short and rough; nothing is kept")
    quick = parser.parse_args().quick
    measures = asyncio.run(measure(QUICK if quick else FULL))
    print(table(measures))
    if not quick:
        keep(measures, RESULTS)


if __name__ == "__main__":
    main()

"""`make bench`: takes every measure, prints them with their bars, and keeps them in var/bench.json."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import (
    boards,
    bridged,
    documents,
    flood,
    forwarding,
    largefile,
    mail,
    opening,
    processes,
    releasing,
    stored,
)
from benchmarks.results import Benchmark, Measure, keep, table

RESULTS = Path("var/bench.json")
BENCHMARKS = (
    forwarding.BENCHMARK,
    opening.BENCHMARK,
    releasing.BENCHMARK,
    bridged.BENCHMARK,
    flood.BENCHMARK,
    boards.BENCHMARK,
    stored.BENCHMARK,
    processes.BENCHMARK,
    mail.BENCHMARK,
    documents.BENCHMARK,
    largefile.BENCHMARK,
)


async def measure(benchmarks: Sequence[Benchmark], *, quick: bool) -> list[Measure]:
    """One after another: nothing else of ours runs meanwhile."""
    measures: list[Measure] = []
    with tempfile.TemporaryDirectory(prefix="mediatrix-bench-") as folder:
        for one in benchmarks:
            measures += await one.take(Path(folder) / one.name, quick=quick)
    return measures


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short and rough; nothing is kept")
    parser.add_argument("--only", choices=[one.name for one in BENCHMARKS], help="one subject; nothing is kept")
    wanted = parser.parse_args()
    chosen = [one for one in BENCHMARKS if wanted.only in {None, one.name}]
    measures = asyncio.run(measure(chosen, quick=wanted.quick))
    print(table(measures))
    if not wanted.quick and wanted.only is None:
        keep(measures, RESULTS)


if __name__ == "__main__":
    main()

"""Ratios and their bars: printed as a table, kept as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Better(StrEnum):
    """Which way a value should go."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class Measure:
    """One measured value, what it has to reach, and what it was made of."""

    name: str
    value: float
    bar: float
    better: Better
    made_of: str

    @property
    def reached(self) -> bool:
        """Whether the value is as good as the bar."""
        return self.value >= self.bar if self.better is Better.HIGHER else self.value <= self.bar


class Take(Protocol):
    """Takes the measures of one subject in a folder of its own; `quick`: short and rough."""

    async def __call__(self, folder: Path, *, quick: bool) -> list[Measure]: ...


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One subject. Each module that measures something has one; `benchmarks.__main__` lists them."""

    name: str
    take: Take


def at_least(name: str, value: float, bar: float, made_of: str) -> Measure:
    """A measure that should be high."""
    return Measure(name, value, bar, Better.HIGHER, made_of)


def at_most(name: str, value: float, bar: float, made_of: str) -> Measure:
    """A measure that should be low."""
    return Measure(name, value, bar, Better.LOWER, made_of)


def table(measures: Iterable[Measure]) -> str:
    """For people."""
    lines = [f"{'':3}{'measure':24}{'value':>9}  {'bar':>8}  made of"]
    for one in measures:
        sign = "≥" if one.better is Better.HIGHER else "≤"
        mark = "ok" if one.reached else "!!"
        lines.append(f"{mark:3}{one.name:24}{one.value:9.2f}  {sign + f' {one.bar:g}':>8}  {one.made_of}")
    return "\n".join(lines)


def keep(measures: Iterable[Measure], file: Path) -> None:
    """For programs. Measures of an earlier run that were not taken this time do not stay."""
    file.parent.mkdir(parents=True, exist_ok=True)
    document = {one.name: {"value": round(one.value, 4), "bar": one.bar, "better": one.better} for one in measures}
    file.write_text(json.dumps(document, indent=2) + "\n")

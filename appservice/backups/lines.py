"""What the lines of a backup say: a head, a line a row, a tail; and of the file of keys.

backup   Head, [table, values] or [table, case, sealed values] …, Tail
keys     KeyHead, [name, sealed key] …
"""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from appservice.crypto.sealing import Sealer
from appservice.storage.transfer import Layout, Value

FORMAT: Final = 1
_PURPOSE: Final = "backup row"


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Head(_Line):
    """The beginning of a backup. `database` tells one installation's from another's."""

    what: Literal["backup"] = "backup"
    format: int = FORMAT
    revision: str
    epoch: int
    taken_at: datetime
    database: str
    tables: dict[str, dict[str, str]]

    def layouts(self) -> Mapping[str, Layout]:
        """The tables by name."""
        return {name: Layout(name, columns) for name, columns in self.tables.items()}


class KeyHead(_Line):
    """The beginning of a file of keys."""

    what: Literal["keys"] = "keys"
    format: int = FORMAT
    taken_at: datetime
    database: str


class Tail(_Line):
    """The end of a backup: how many rows of each table, and the SHA-256 of all their lines."""

    rows: dict[str, int]
    sha256: str


def row_line(layout: Layout, row: Sequence[Value], case: str | None, seal: Sealer | None) -> list[Any]:
    """A row as a line; under the case's seal, where the case has one."""
    values = [_written(value) for value in row]
    if case is None or seal is None:
        return [layout.table, values]
    sealed = seal.seal(_PURPOSE, f"{case}/{layout.table}", json.dumps(values, separators=(",", ":")).encode())
    return [layout.table, case, base64.b64encode(sealed).decode()]


def row_of(line: Sequence[Any], seals: Mapping[str, Sealer]) -> tuple[str, Sequence[Value]] | None:
    """The table and the row of a line; None if it is sealed under a case's key that there is no more."""
    if len(line) == 2:
        table, values = line
        return table, [_read(value) for value in values]
    table, case, sealed = line
    if case not in seals:
        return None
    values = json.loads(seals[case].open(_PURPOSE, f"{case}/{table}", base64.b64decode(sealed)))
    return table, [_read(value) for value in values]


def _written(value: Value) -> Any:
    return {"b": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _read(value: Any) -> Value:
    if isinstance(value, dict):
        return base64.b64decode(value["b"])
    plain: Value = value
    return plain

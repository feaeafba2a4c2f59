"""Statements as SQLite's driver takes them: SQLAlchemy spells each once, and what is left to do is to hand values over.

To have SQLAlchemy execute a statement costs 25 µs and more, of which SQLite has one or two, and a message takes some
twenty. A statement that is executed again is one that was built once (the stores' constants): from then on its text,
the order of its parameters and what its types make of values are known. What is built anew each time is left to
SQLAlchemy, which remembers texts in a way of its own.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import BindParameter, Dialect, Executable, LargeBinary
from sqlalchemy.engine import result_tuple
from sqlalchemy.exc import MultipleResultsFound, NoResultFound
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

LONGEST: Final = 512
"""So long a list may be that a text has room for. SQLite takes some 32,000 values in one statement."""

Values = Mapping[str, Any]
_Process = Callable[[Any], Any]


class Found:
    """What a statement found, or changed: `connections.Answer`."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: Sequence[Any], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> Sequence[Any]:
        """Every row."""
        return self._rows

    def first(self) -> Any:
        """The first row, if there is one."""
        return self._rows[0] if self._rows else None

    def one_or_none(self) -> Any:
        """The only row, if there is one. Raises MultipleResultsFound."""
        if len(self._rows) > 1:
            raise MultipleResultsFound
        return self.first()

    def one(self) -> Any:
        """The only row. Raises MultipleResultsFound and NoResultFound."""
        if not self._rows:
            raise NoResultFound
        return self.one_or_none()

    def scalar(self) -> Any:
        """The first value of the first row, if there is one."""
        return self._rows[0][0] if self._rows else None

    def scalar_one_or_none(self) -> Any:
        """The first value of the only row, if there is one. Raises MultipleResultsFound."""
        found = self.one_or_none()
        return None if found is None else found[0]

    def scalar_one(self) -> Any:
        """The first value of the only row. Raises MultipleResultsFound and NoResultFound."""
        return self.one()[0]

    def scalars(self) -> "Found":
        """The first value of each row, in place of the rows."""
        return Found([row[0] for row in self._rows], self.rowcount)

    def mappings(self) -> "Found":
        """Each row by the names of its columns, in place of the rows."""
        return Found([row._mapping for row in self._rows], self.rowcount)  # noqa: SLF001 (that is its public name)


class Prepared:
    """One statement, for values under certain names, and for lists of certain lengths among them."""

    def __init__(self, compiled: SQLCompiler, values: Values, lists: Mapping[str, int]) -> None:
        """`values`: some that it is executed with. `lists`: how many of each list its text has room for."""
        room = {name: _filled(values[name], size) for name, size in lists.items()}
        state = compiled.construct_expanded_state({**values, **room})
        self._text = state.statement
        self._lists = [(name, size, state.parameter_expansion[name]) for name, size in lists.items()]
        given = {*values, *(one for *_, each in self._lists for one in each)}
        self._constants = {name: value for name, value in state.parameters.items() if name not in given}
        writes = {
            **{name: _writing(bind, compiled.dialect) for name, bind in compiled.binds.items()},
            **state.processors,
        }
        self._binds = [(name, writes.get(name)) for name in state.positiontup or ()]
        # What a statement says that it returns is what the one that it was made out of said, if anybody asked that.
        found = compiled._result_columns  # noqa: SLF001 (nothing public is of the text alone)
        self._reads = [_reading(column.type, compiled.dialect) for column in found]
        self._row: Callable[[Any], Any] | None = None

    def run(self, driver: sqlite3.Connection, values: Values) -> Found:
        """Execute it."""
        cursor = driver.execute(self._text, self._bound(values))
        rows = () if cursor.description is None else self._rows(cursor)
        return Found(rows, cursor.rowcount)

    def run_each(self, driver: sqlite3.Connection, many: Sequence[Values]) -> Found:
        """Execute it with each of these; what they found together."""
        if not self._reads:
            return Found((), driver.executemany(self._text, map(self._bound, many)).rowcount)
        each = [self.run(driver, values) for values in many]
        return Found([row for answer in each for row in answer], sum(answer.rowcount for answer in each))

    def _bound(self, values: Values) -> Sequence[Any]:
        if self._constants or self._lists:
            values = {**self._constants, **values}
            for name, size, each in self._lists:
                values.update(zip(each, _filled(values[name], size), strict=True))
        return [values[name] if process is None else process(values[name]) for name, process in self._binds]

    def _rows(self, cursor: sqlite3.Cursor) -> Sequence[Any]:
        if self._row is None:
            self._row = result_tuple([name for name, *_ in cursor.description])
        row, reads = self._row, self._reads
        if not any(reads):
            return list(map(row, cursor))
        return [
            row(tuple([value if read is None else read(value) for value, read in zip(found, reads, strict=True)]))
            for found in cursor
        ]


@dataclass(slots=True)
class _Shapes:
    """One statement, as it is executed. By the names of its values: which of them are lists; and by how long these are:
    how it is executed."""

    lists: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    prepared: dict[tuple[object, ...], Prepared] = field(default_factory=dict)


class Statements:
    """Those that were executed on one engine."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        # Nothing that is kept of a statement may keep the statement itself: it may be of the moment.
        self._known: WeakKeyDictionary[Executable, _Shapes] = WeakKeyDictionary()

    def find(self, statement: Executable, values: Values) -> Prepared | None:
        """How to execute it with values under these names; None: by SQLAlchemy, for it is the first time, or has a
        list that is too long."""
        shapes = self._known.get(statement)
        if shapes is None:
            self._known[statement] = _Shapes()
            return None
        names = tuple(values)
        lists = shapes.lists.get(names)
        if lists is None:
            binds = self._compiled(statement, names).binds
            lists = shapes.lists[names] = tuple(name for name in names if name in binds and binds[name].expanding)
        if any(len(values[name]) > LONGEST for name in lists):
            return None
        sizes = {name: _size(len(values[name])) for name in lists}
        shape = (names, *sizes.values()) if sizes else names
        found = shapes.prepared.get(shape)
        if found is None:
            compiled = self._compiled(statement, names)
            found = shapes.prepared[shape] = Prepared(compiled, values, sizes)
        return found

    def _compiled(self, statement: Executable, names: Sequence[str]) -> SQLCompiler:
        compiled = statement.compile(dialect=self._dialect, column_keys=list(names))  # type: ignore[attr-defined]
        assert isinstance(compiled, SQLCompiler)
        assert not compiled.prefetch, "a column has a default that only SQLAlchemy knows: give it to the database"
        return compiled


def _size(length: int) -> int:
    """How many values a text has room for: the next power of two, so that there are few texts."""
    return 1 << (length - 1).bit_length() if length else 0


def _filled(values: Sequence[Any], size: int) -> Sequence[Any]:
    """As many as there is room for. The last is repeated: whether something is among them stays the same."""
    some = list(values)
    return some + some[-1:] * (size - len(some))


def _writing(bind: BindParameter[Any], dialect: Dialect) -> _Process | None:
    """What its type makes of a value for the driver, which takes bytes as they are."""
    spoken = bind.type.dialect_impl(dialect)
    return None if isinstance(spoken, LargeBinary) else spoken.bind_processor(dialect)


def _reading(kind: TypeEngine[Any], dialect: Dialect) -> _Process | None:
    """What that type makes of a value that the driver found."""
    return kind.dialect_impl(dialect).result_processor(dialect, None)

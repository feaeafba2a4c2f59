"""The statements that SQLAlchemy spells differently for each database.

Each is built once: to build one anew costs more than to run it.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import Dialect, Table
from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

    Insert = postgresql.Insert | sqlite.Insert


def insert_new(dialect: Dialect, table: Table, *key: str) -> Insert:
    """Insert; a row whose key is taken changes nothing. Waits for a parallel insert of the same key to end."""
    return _insert_new(dialect.name, table, key)


def insert_or_lock(dialect: Dialect, table: Table, key: str) -> Insert:
    """Insert; a row whose key is taken is locked, and changes nothing."""
    insert = _insert(dialect.name, table)
    return insert.on_conflict_do_update(index_elements=[key], set_={key: insert.excluded[key]})


def upsert(dialect: Dialect, table: Table, *key: str, keep: Collection[str] = ()) -> Insert:
    """Insert, or replace everything of the row with that key but the key, `keep` and its ordinal."""
    return _upsert(dialect.name, table, key, frozenset(keep))


@cache
def _insert_new(dialect: str, table: Table, key: tuple[str, ...]) -> Insert:
    return _insert(dialect, table).on_conflict_do_nothing(index_elements=key)


@cache
def _upsert(dialect: str, table: Table, key: tuple[str, ...], keep: frozenset[str]) -> Insert:
    insert = _insert(dialect, table)
    kept = {*key, *keep, *(column.name for column in table.primary_key if column.autoincrement is True)}
    replaced = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in kept}
    return insert.on_conflict_do_update(index_elements=key, set_=replaced)


def _insert(dialect: str, table: Table) -> Insert:
    if dialect == "postgresql":
        # 3 MB, which a service on SQLite needn't have.
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    return sqlite.insert(table)

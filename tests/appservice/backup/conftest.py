"""Databases of every kind, as the storage tests have them."""

from tests.appservice.storage.conftest import (
    any_database,
    any_url,
    postgresql,
    postgresql_url,
    sql,
    sqlite_url,
    url,
)

__all__ = ["any_database", "any_url", "postgresql", "postgresql_url", "sql", "sqlite_url", "url"]

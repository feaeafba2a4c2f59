"""Bring a database to this program's schema, whichever earlier version it has.

To change the schema: change it in `schema` or `crypto_schema`, add `migrations/versions/vNNNN.py`, set `VERSION`. A
test compares what the migrations make with what the schema says.
"""

from pathlib import Path
from typing import Final

import sqlalchemy
from sqlalchemy import inspect, text

from appservice.storage.connections import Connection
from appservice.storage.errors import NewerSchema, UnusableDatabase

VERSION: Final = "0027"
_ADVISORY_LOCK: Final = 0x6D656469617472  # "mediatr"


async def migrate(connection: Connection, to: str = VERSION) -> None:
    """Migrate, in the caller's transaction: all of it or nothing. Raises NewerSchema.

    Of several processes that start at once, one migrates, and the others wait for it.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
    await connection.run_sync(_migrate, to)


async def require_current(connection: Connection) -> None:
    """Raises UnusableDatabase where it has another schema than this program's."""
    found = await connection.run_sync(version)
    if found != VERSION:
        raise UnusableDatabase(f"the database has schema {found or 'none'}; a start of the service makes it {VERSION}")


def _migrate(connection: sqlalchemy.Connection, to: str) -> None:
    current = version(connection)
    if current == to:
        return
    # Only now: alembic takes a while to import, and most starts find nothing to do.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
    for one in (current, to):
        if one is not None and one not in known:
            raise NewerSchema(f"the database has schema {one}, this program knows none later than {VERSION}")
    command.upgrade(config, to)


def version(connection: sqlalchemy.Connection) -> str | None:
    """The schema that the database has; None if it has none of ours."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return version

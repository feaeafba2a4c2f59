"""The tables of the epoch: which life of the database this is, and what a restore has left to be looked at."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Table, Text

from appservice.storage.schema import Moment, metadata

EPOCHS: Final = Table(
    "epochs",
    metadata,
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("mark", BigInteger, nullable=False),
    Column("stage", Text, nullable=False),
    Column("backup_at", Moment),
    Column("search_from", Moment),
    Column("doubt_until", Moment),
)
"""One row: the current one."""

UNCONFIRMED: Final = Table("unconfirmed_cases", metadata, Column("case_id", Text, primary_key=True))
"""Cases out of a backup that no mediator has looked at since."""

SEARCHED: Final = Table(
    "searched_rooms",
    metadata,
    Column("room_id", Text, primary_key=True),
    Column("gaps", Boolean, nullable=False),
)

SENT: Final = Table(
    "sent_markers",
    metadata,
    Column("marker", Text, primary_key=True),
    Column("event_id", Text, nullable=False),
)

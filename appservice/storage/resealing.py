"""Everything sealed, sealed anew under the current master key, so that a former one can go.

The service may run meanwhile, if it has both keys: each value is replaced only if it is still the one that was read,
so nothing that the service writes in between is lost, and no ratchet is turned back. What is sealed under a case's own
key stays as it is; that key is sealed anew.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, Table, and_, bindparam, select, tuple_, update

from appservice.crypto.account import SEEDS
from appservice.crypto.pickles import Pickled, resealed
from appservice.crypto.sealing import Sealer, SealError
from appservice.e2ee.trust import VERIFICATION_PURPOSE
from appservice.storage import crypto_schema as crypto
from appservice.storage import schema
from appservice.storage.connections import Engine
from appservice.storage.engines import engines, translated_errors
from appservice.storage.errors import UnusableDatabase
from appservice.storage.mail_schema import SENT_MAILS
from appservice.storage.seals import KEYS_PURPOSE, row
from appservice.storage.transfer import require_file, require_schema
from appservice.storage.whatsapp_schema import SENT_PARTS
from policies.frozen import frozen

_AT_ONCE: Final = 500
_PASSES: Final = 5
"""The service goes on writing; what it writes is sealed under the current key, so a second look finds all done."""

Renew = Callable[[Sealer, RowMapping], Any]


@frozen
class Progress:
    """How far one column is: values looked at, and sealed anew, so far."""

    column: str
    seen: int
    renewed: int


@frozen
class _Column:
    """A sealed column. `renew` gives the value under the current key, None where there is nothing to do."""

    table: Table
    name: str
    renew: Renew

    @property
    def key(self) -> tuple[ColumnElement[Any], ...]:
        """The primary key."""
        return tuple(self.table.primary_key)


def _bytes(table: Table, name: str, purpose: str, *place: str) -> _Column:
    """A column of bytes, sealed for that purpose, and bound to the values of these columns."""

    def renew(sealer: Sealer, found: RowMapping) -> bytes | None:
        sealed: bytes | None = found["value"]
        if sealed is None or sealer.is_current(sealed):
            return None
        aad = row(*(found[column] for column in place))
        return sealer.seal(purpose, aad, sealer.open(purpose, aad, sealed))

    return _Column(table, name, renew)


def _text(table: Table, name: str, purpose: str, place: str) -> _Column:
    def renew(sealer: Sealer, found: RowMapping) -> str | None:
        if sealer.is_current_text(found["value"]):
            return None
        aad = found[place]
        return sealer.seal_text(purpose, aad, sealer.open_text(purpose, aad, found["value"]))

    return _Column(table, name, renew)


def _pickle(table: Table, name: str, of: Pickled) -> _Column:
    def renew(sealer: Sealer, found: RowMapping) -> str | None:
        return None if sealer.is_current_pickle(found["value"]) else resealed(sealer, of, found["value"])

    return _Column(table, name, renew)


_SEALED: Final = (
    _bytes(schema.keys, "sealed", KEYS_PURPOSE, "name"),
    *(
        _bytes(items, name, f"{items.name}.{name}", "id")
        for items in (schema.INBOX.items, schema.OUTBOX.items)
        for name in ("body", "progress", "note", "result")
    ),
    _bytes(schema.cases, "sealed", "cases.sealed", "id"),
    _bytes(schema.rooms, "reason", "rooms.reason", "case_id", "key"),
    _bytes(schema.reply_addresses, "sealed", "reply_addresses.sealed", "token_hash"),
    _bytes(SENT_MAILS, "detail", "sent_mails.detail", "bounce_hash"),
    _bytes(SENT_MAILS, "about", "sent_mails.about", "bounce_hash"),
    _bytes(SENT_PARTS, "detail", "whatsapp_sent.detail", "item"),
    _bytes(SENT_PARTS, "wamid", "whatsapp_sent.wamid", "item"),
    _bytes(schema.holds, "why", "holds.why", "case_id", "message"),
    _pickle(crypto.IDENTITIES.table, "account", Pickled.ACCOUNT),
    _text(crypto.IDENTITIES.table, "seeds", SEEDS, "user_id"),
    _pickle(crypto.OLM_SESSIONS.table, "pickle", Pickled.OLM_SESSION),
    _pickle(crypto.INBOUND.table, "pickle", Pickled.INBOUND_SESSION),
    _pickle(crypto.OUTBOUND.table, "pickle", Pickled.OUTBOUND_SESSION),
    _text(crypto.VERIFICATIONS.table, "state", VERIFICATION_PURPOSE, "peer_user"),
)


async def reseal(url: str, sealer: Sealer) -> AsyncIterator[Progress]:
    """Seal everything anew that is not under the first key of `sealer`, until nothing is left; tells how it goes.

    May be interrupted, and is then begun again. Raises UnusableDatabase where something opens under none of the keys.
    """
    writer, reader = engines(url)
    try:
        require_file(writer.url)
        with translated_errors():
            async with writer.connect() as connection:
                await require_schema(connection)
            for _ in range(_PASSES):
                renewed = 0
                for column in _SEALED:
                    done = Progress("", 0, 0)
                    async for done in _column(writer, sealer, column):
                        yield done
                    renewed += done.renewed
                if not renewed:
                    return
        raise UnusableDatabase("something still seals under a former key: is a process running with the old config?")
    except SealError as error:
        raise UnusableDatabase("something is sealed under a master key that is not in config.yaml") from error
    finally:
        await writer.dispose()
        await reader.dispose()


async def _column(writer: Engine, sealer: Sealer, column: _Column) -> AsyncIterator[Progress]:
    name = f"{column.table.name}.{column.name}"
    seen = renewed = 0
    after: Sequence[Any] | None = None
    value = column.table.c[column.name].label("value")
    whole = select(*column.table.c, value).order_by(*column.key).limit(_AT_ONCE)
    while True:
        statement = whole if after is None else whole.where(tuple_(*column.key) > tuple_(*after))
        async with writer.begin() as connection:
            found = (await connection.execute(statement)).mappings().all()
            changes = [_change(column, one, fresh) for one in found if (fresh := column.renew(sealer, one)) is not None]
            if changes:
                await connection.execute(_replacement(column), changes)
        seen, renewed = seen + len(found), renewed + len(changes)
        yield Progress(name, seen, renewed)
        if len(found) < _AT_ONCE:
            return
        after = [found[-1][part.name] for part in column.table.primary_key]


def _replacement(column: _Column) -> Any:
    keys = [part == bindparam(f"key_{part.name}") for part in column.table.primary_key]
    value = column.table.c[column.name]
    return update(column.table).where(and_(*keys, value == bindparam("old"))).values({value: bindparam("new")})


def _change(column: _Column, found: RowMapping, fresh: Any) -> dict[str, Any]:
    keys = {f"key_{part.name}": found[part.name] for part in column.table.primary_key}
    return {**keys, "old": found["value"], "new": fresh}

"""Pickles, sealed anew under the master key that seals now."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from vodozemac import Account, GroupSession, InboundGroupSession, Session

from appservice.crypto.sealing import Picklable, Sealer


class Pickled(StrEnum):
    """What a pickle is of."""

    ACCOUNT = "account"
    OLM_SESSION = "olm session"
    INBOUND_SESSION = "inbound session"
    OUTBOUND_SESSION = "outbound session"


_LOADERS: Final[Mapping[Pickled, Callable[[str, bytes], Picklable]]] = {
    Pickled.ACCOUNT: Account.from_pickle,
    Pickled.OLM_SESSION: Session.from_pickle,
    Pickled.INBOUND_SESSION: InboundGroupSession.from_pickle,
    Pickled.OUTBOUND_SESSION: GroupSession.from_pickle,
}


def resealed(sealer: Sealer, of: Pickled, text: str) -> str:
    """The same object under the current key. Raises SealError."""
    return sealer.pickle(sealer.unpickle(_LOADERS[of], text))

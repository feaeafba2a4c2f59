"""One identity's unit of work: the open store, the sealer, who we are, and what time it is."""

from appservice.crypto.rows import StoredIdentity
from appservice.crypto.sealing import Sealer
from appservice.crypto.store import CryptoStore
from policies.frozen import frozen


@frozen
class Work:
    """What every step of an identity's machine needs. Lives no longer than the transaction it is in."""

    store: CryptoStore
    sealer: Sealer
    me: StoredIdentity
    now_ms: int

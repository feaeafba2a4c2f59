"""Whether the record is whole: every chain walked, and held against heads that left the machine (A1)."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from appservice.crypto.sealing import Sealer
from appservice.storage.transfer import snapshot
from policies.frozen import frozen
from rooms.record import Posted, Signature, Walk, posted


@frozen
class Audit:
    """What was found. `erased`: entries whose case's key was destroyed."""

    cases: int
    entries: int
    erased: int
    faults: tuple[str, ...]


async def verify(url: str, sealer: Sealer, kept: str = "") -> Audit:
    """Walk every chain of a database, while the service runs; `kept` is text with heads that were posted.

    Raises UnusableDatabase where there is none.
    """
    heads = posted(kept)
    walk, cases, entries, erased = Walk(heads), set(), 0, 0
    faults: list[str] = []
    async with snapshot(url) as rows:
        if kept:
            faults += _forged(heads, await rows.record_key(sealer))
        async for line in rows.record(sealer):
            cases.add(line.case)
            entries, erased = entries + 1, erased + (line.private is None)
            faults += walk.next(line)
    return Audit(len(cases), entries, erased, (*faults, *walk.end()))


def _forged(heads: Posted, key: str) -> Iterator[str]:
    """What of the heads that somebody kept was not signed by this service."""
    if not heads.heads:
        yield "there is no head in the file"
    signed = "\n".join(text for text, signature in heads.signed if signature.key == key and _is_valid(text, signature))
    for (case, audience), seq, hash_ in heads.heads:
        if f"{case} {audience} {seq} {hash_}" not in signed.splitlines():
            yield f"{case} {audience} {seq}: this head was not signed by the key of this record"


def _is_valid(text: str, signature: Signature) -> bool:
    try:
        key = Ed25519PublicKey.from_public_bytes(_bytes(signature.key))
        key.verify(_bytes(signature.signature), text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def _bytes(unpadded: str) -> bytes:
    return base64.b64decode(unpadded + "=" * (-len(unpadded) % 4))

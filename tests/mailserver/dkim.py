"""A DKIM signer (RFC 6376, rsa-sha256, relaxed/relaxed): what a party's own mail provider does."""

import base64
import hashlib
import re

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

SELECTOR = "s1"


class Signer:
    """The provider of one domain."""

    def __init__(self, domain: str) -> None:
        self.domain = domain
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def record(self) -> str:
        """What stands in the DNS at the selector's name."""
        public = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"

    def sign(self, raw: bytes, *, length: int | None = None) -> bytes:
        """The mail with a signature on top; `length` covers only so much of the body (`l=`)."""
        head, _, body = raw.partition(b"\r\n\r\n")
        canonical = _body(body)
        covered = canonical if length is None else canonical[:length]
        digest = base64.b64encode(hashlib.sha256(covered).digest()).decode()
        tags = f"v=1; a=rsa-sha256; c=relaxed/relaxed; d={self.domain}; s={SELECTOR}; h=from:to:subject; "
        tags += f"l={length}; " if length is not None else ""
        field = f"DKIM-Signature: {tags}bh={digest}; b="
        signed = b"".join(_field(head, name) for name in ("from", "to", "subject")) + _relaxed(field.encode())
        signature = self._key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        return f"{field}{base64.b64encode(signature).decode()}\r\n".encode() + raw


def _field(head: bytes, name: str) -> bytes:
    """The last field of that name: verifiers begin at the bottom."""
    unfolded = re.sub(rb"\r\n(?=[ \t])", b"", head).split(b"\r\n")
    found = [line for line in unfolded if line.lower().startswith(name.encode() + b":")]
    return _relaxed(found[-1]) + b"\r\n" if found else b""


def _relaxed(field: bytes) -> bytes:
    name, _, value = field.partition(b":")
    return name.strip().lower() + b":" + re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip()


def _body(body: bytes) -> bytes:
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)

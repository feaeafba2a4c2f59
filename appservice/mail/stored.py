"""A mail as the inbox keeps it: raw, sealed like every item, with what its envelope said."""

from __future__ import annotations

import json

from policies.frozen import frozen


@frozen
class StoredMail:
    """A mail as the inbox keeps it: raw, with what the envelope said."""

    token_hash: str
    envelope_from: str
    same_message: str
    recipients: int
    raw: bytes

    def dump(self) -> bytes:
        """The bytes to keep."""
        fields = {"to": self.token_hash, "from": self.envelope_from, "same": self.same_message, "n": self.recipients}
        return json.dumps(fields).encode() + b"\n" + self.raw

    @classmethod
    def load(cls, body: bytes) -> StoredMail:
        """What was kept."""
        head, _, raw = body.partition(b"\n")
        fields = json.loads(head)
        return cls(fields["to"], fields["from"], fields["same"], fields["n"], raw)

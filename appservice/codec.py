"""Between what is to be sent and the bytes that the outbox keeps."""

from __future__ import annotations

from pydantic import TypeAdapter

from rooms.apply import Outgoing

_ADAPTERS = {kind.__name__: TypeAdapter(kind) for kind in Outgoing.__args__}


class JsonCodec:
    """JSON, behind the name of the kind; what it can't read is an error, never another kind."""

    def dump(self, outgoing: Outgoing) -> bytes:
        """The bytes to keep."""
        name = type(outgoing).__name__
        return name.encode() + b"\n" + _ADAPTERS[name].dump_json(outgoing)

    def load(self, body: bytes) -> Outgoing:
        """What was kept. Raises ValueError or KeyError for anything else."""
        name, _, document = body.partition(b"\n")
        outgoing: Outgoing = _ADAPTERS[name.decode()].validate_json(document)
        return outgoing

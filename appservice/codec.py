"""Between what is to be sent and the bytes that the outbox keeps."""

from __future__ import annotations

from appservice.storage.documents import Document
from rooms.outgoing import Outgoing


class JsonCodec:
    """JSON with the name of every kind in it; what it can't read is an error, never another kind."""

    def __init__(self) -> None:
        self._document: Document[Outgoing] = Document(Outgoing)

    def dump(self, outgoing: Outgoing) -> bytes:
        """The bytes to keep."""
        return self._document.dump(outgoing)

    def load(self, body: bytes) -> Outgoing:
        """What was kept. Raises ValueError for anything else."""
        # Notices were by mail alone before, under that name.
        return self._document.load(body.replace(b'{"class":"MailNotice",', b'{"class":"DeskNotice",', 1))

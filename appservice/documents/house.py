"""All that documents need, where there is a vault: made from the configuration, and stopped with the service."""

from __future__ import annotations

from collections.abc import Callable

from appservice.documents.handout import Handouts
from appservice.documents.intake import Abroad, Ends, Intake
from appservice.documents.pipeline.copies import Copies
from appservice.documents.pipeline.examine import Pipeline
from appservice.documents.pipeline.limits import MEGABYTE
from appservice.documents.pipeline.redact import Covering
from appservice.documents.pipeline.scanner import Clamd
from appservice.documents.pipeline.workshop import Workshop
from appservice.documents.shelf import Folder, Shelf
from appservice.documents.vault import Vault
from appservice.matrix.homeserver import Homeserver
from appservice.ports import ServiceDatabase
from appservice.setup.config import Config, Documents
from policies.frozen import frozen


@frozen
class DocumentHouse:
    """The vault, the way of files into it, and what has to be let go of in the end."""

    vault: Vault
    shelf: Shelf
    intake: Intake
    handouts: Handouts
    """What leaves as one recipient's copy, by the page and by other networks."""
    scanner: Clamd | None
    workshop: Workshop
    most_bytes: int
    """Of a file, whichever way it comes."""
    admin: Homeserver | None
    """The homeserver as its administrator, who may delete files."""

    async def close(self) -> None:
        """End the confined process, and let go of connections."""
        await self.workshop.aclose()
        if self.admin:
            await self.admin.close()


def document_house(
    config: Config,
    database: ServiceDatabase,
    matrix: Homeserver,
    abroad: Callable[[int], Abroad] | None = None,
) -> DocumentHouse | None:
    """As configured; None where files stay as they are sent. Touches neither disk nor network.

    `abroad` makes what fetches files of at most so many bytes from WhatsApp, where it is set up.
    """
    if config.documents is None:
        return None
    token = config.documents.media_admin_token
    admin = Homeserver(config.homeserver.url, token.get_secret_value()) if token else None
    shelf = _shelf(config.documents)
    vault, workshop = Vault(config.documents.folder, database, shelf), Workshop()
    most_bytes = config.documents.most_megabytes * MEGABYTE
    scanner = _scanner(config.documents)
    examiner = Pipeline(workshop, scanner, most_bytes=most_bytes)
    ends = Ends(config.bot_user, matrix, admin, abroad and abroad(most_bytes), most_bytes)
    quota = config.documents.quota
    intake = Intake(database, ends, vault, examiner, Covering(workshop), quota=quota)
    return DocumentHouse(vault, shelf, intake, Handouts(vault, Copies(workshop)), scanner, workshop, most_bytes, admin)


def _shelf(documents: Documents) -> Shelf:
    s3 = documents.s3
    if s3 is None:
        return Folder(documents.folder / "blobs")
    # Loaded where it is wanted only: 7 MB.
    from appservice.documents.bucket import Address, Bucket

    secret = s3.secret_access_key.get_secret_value()
    return Bucket(Address(s3.endpoint, s3.bucket, s3.region, s3.access_key_id, secret, s3.prefix))


def _scanner(documents: Documents) -> Clamd | None:
    clamd = documents.clamd
    return Clamd(clamd.socket, clamd.host or "", clamd.port) if clamd else None

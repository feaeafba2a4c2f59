"""Each way is tried: what does not work is said, with what to do."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from appservice.crypto.ids import Curve25519Key, DeviceId, Ed25519Key
from appservice.crypto.rows import StoredIdentity
from appservice.documents.pipeline.scanner import Clamd
from appservice.documents.shelf import Folder
from appservice.matrix.errors import MatrixError
from appservice.matrix.homeserver import Homeserver
from appservice.upkeep.reach import Leg, Reach
from appservice.whatsapp.access import Access
from bridges.unsent import NotSent
from bridges.whatsapp.api import Hidden
from rooms.ids import UserId
from tests.appservice.documents.pipeline.test_scanner import listening
from tests.fakes.memory import MemoryDatabase

BOT = UserId("@_mediatrix_bot:example.org")
DEVICE = DeviceId("DEVICE")


@dataclass
class Synapse:
    """As much of a homeserver as is asked: it stands in for `Homeserver` and its `accounts`."""

    whoami_fails: str | None = None
    ping_fails: str | None = None
    asked: list[tuple[UserId | None, DeviceId | None]] = field(default_factory=list)

    @property
    def accounts(self) -> "Synapse":
        return self

    async def whoami(self, user: UserId | None = None, device: DeviceId | None = None) -> None:
        self.asked.append((user, device))
        if self.whoami_fails:
            raise MatrixError("whoami", self.whoami_fails, 400, transient=False)

    async def ping(self, registration: str, txn: str) -> None:
        if self.ping_fails:
            raise MatrixError("ping", self.ping_fails, 502, transient=True)


async def look(
    synapse: Synapse,
    *,
    ready: bool = True,
    whatsapp: Access | None = None,
    scanner: Clamd | None = None,
    shelf: Folder | None = None,
) -> dict[str, Leg]:
    """What is seen of each way, without mail."""
    database = MemoryDatabase()
    async with database.begin() as work:
        keys = Curve25519Key("c"), Ed25519Key("e"), Ed25519Key("m")
        await work.crypto.put_identity(StoredIdentity(BOT, DEVICE, ready, "", "", *keys, "", 0, 0))
    matrix = cast(Homeserver, synapse)
    reach = Reach(
        *(database, matrix, BOT, "mediatrix"),
        mail_server=None,
        mail_in=None,
        whatsapp=whatsapp,
        scanner=scanner,
        shelf=shelf,
    )
    return {leg.name: leg for leg in await reach.look()}


async def test_what_works_is_said_to_and_mail_only_where_it_is_set_up() -> None:
    synapse = Synapse()
    assert {name: leg.works for name, leg in (await look(synapse)).items()} == {"homeserver": True, "deliveries": True}
    assert synapse.asked == [(BOT, DEVICE)]


async def test_a_scanner_that_is_down_is_said_with_what_it_means(tmp_path: Path) -> None:
    leg = (await look(Synapse(), scanner=Clamd(tmp_path / "clamd.ctl")))["scanner"]
    assert not leg.works
    assert "files wait" in leg.remedy
    async with listening(tmp_path) as scanner:
        assert (await look(Synapse(), scanner=scanner))["scanner"].works


class Cloud:
    """WhatsApp, or nobody."""

    def __init__(self, keeps: NotSent | Hidden | None) -> None:
        self._keeps = keeps

    async def look(self, number: str) -> NotSent | Hidden | None:
        return self._keeps


async def test_whatsapp_that_does_not_let_us_in_is_not_called_working() -> None:
    numbers = {"private_number": "111111111"}
    leg = (await look(Synapse(), whatsapp=Access(Cloud(None), numbers)))["whatsapp"]
    assert leg.works
    leg = (await look(Synapse(), whatsapp=Access(Cloud(NotSent("no answer of WhatsApp")), numbers)))["whatsapp"]
    assert not leg.works
    assert leg.seen == "no answer of WhatsApp"
    assert "whatsapp.access_token" in leg.remedy


async def test_of_whatsapp_that_we_may_not_look_at_it_is_not_said_that_it_works_nor_that_it_does_not() -> None:
    leg = (await look(Synapse(), whatsapp=Access(Cloud(Hidden(10)), {"private_number": "111111111"})))["whatsapp"]
    assert leg.works is None
    assert "whatsapp_business_management" in leg.remedy


async def test_before_the_bot_has_a_device_none_is_asked_for() -> None:
    synapse = Synapse()
    await look(synapse, ready=False)
    assert synapse.asked == [(BOT, None)]


@pytest.mark.parametrize(
    ("errcode", "said"),
    [("M_UNKNOWN_DEVICE", "the bot's device is gone"), ("M_CONNECTION_FAILED", "does not serve us")],
)
async def test_a_homeserver_that_does_not_serve_us_is_not_called_working(errcode: str, said: str) -> None:
    leg = (await look(Synapse(whoami_fails=errcode)))["homeserver"]
    assert not leg.works
    assert said in leg.seen
    assert leg.remedy


async def test_a_homeserver_that_does_not_reach_us_is_not_called_working() -> None:
    legs = await look(Synapse(ping_fails="M_CONNECTION_FAILED"))
    assert (legs["homeserver"].works, legs["deliveries"].works) == (True, False)


async def test_a_vault_where_nothing_can_be_kept_is_said(tmp_path: Path) -> None:
    assert (await look(Synapse(), shelf=Folder(tmp_path / "documents" / "blobs")))["vault"].works
    (tmp_path / "file").write_text("no folder")
    leg = (await look(Synapse(), shelf=Folder(tmp_path / "file" / "blobs")))["vault"]
    assert not leg.works
    assert "documents.folder" in leg.remedy
    assert str(tmp_path) not in leg.seen

"""From the invitation to a joint post and back: a real Postfix, Dovecot, rspamd and Synapse, and real clients."""

import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import pytest_asyncio

from sandbox import correspondent
from sandbox.mail import Stamp
from sandbox.node import Node
from sandbox.stage import Stage
from sandbox.story import opening
from sandbox.story.cast import Cast
from sandbox.world import AUTHSERV_ID, MEDIATOR, Ports, World
from tests.mailserver import test_mailserver
from tests.mailserver.dkim import Signer
from tests.mailserver.postbox import Postbox
from tests.mailserver.servers import REPOSITORY, MailHost, running

pytestmark = test_mailserver.pytestmark  # the same programs are needed

PROVIDER = Signer(correspondent.ADDRESS.partition("@")[2])
NAMES = {
    f"_dmarc.{PROVIDER.domain}": "v=DMARC1; p=reject",
    PROVIDER.domain: "v=spf1 ip4:203.0.113.7 -all",
    f"s1._domainkey.{PROVIDER.domain}": PROVIDER.record,
}


@pytest.fixture(scope="module")
def host() -> Iterator[MailHost]:
    with TemporaryDirectory(prefix="mailserver-") as folder, running(Path(folder), NAMES) as host:
        yield host


@pytest_asyncio.fixture(loop_scope="module")
async def cast(host: MailHost, tmp_path: Path) -> AsyncIterator[Cast]:
    """A world behind the mail server, and nobody there yet."""
    ports = replace(Ports.free(), lmtp=host.ours, smtp=host.smtp)
    world = World(tmp_path, ports, REPOSITORY / ".venv-synapse" / "bin" / "python")
    world.mail = Postbox(host, PROVIDER)
    await world.configure()
    world.config.write_text(world.config.read_text().replace(AUTHSERV_ID, "mx.example.org"))
    async with world, Node(Path(sys.executable).with_name("node"), log=tmp_path / "clients.log") as node:
        yield Cast(world, node, Stage(world, lambda _: None))


async def everybody_may_write(cast: Cast) -> bool | None:
    """Whether the joint room's levels are those of an open room already, in which Alice has agreed to mail."""
    levels = await cast.mia.client.state(cast.joint.room, "m.room.power_levels")
    is_heard = levels["users"].get(cast.alice.client.user_id, 0) >= 0
    return True if levels["events"]["m.room.encrypted"] == 0 and is_heard else None


async def test_from_the_invitation_to_a_joint_post_and_back(cast: Cast) -> None:
    stage, carl = cast.stage, cast.carl
    await opening.people_arrive(cast, MEDIATOR)
    await opening.the_mediator_opens_a_case(cast)
    mia, alice = cast.mia, cast.alice
    await stage.command(mia, f"!party add Alice {alice.client.user_id}", "Alice (party) is in")
    cast.hers = await stage.enters(mia, cast.private)

    stage.scene("Carl is invited, and enrols")
    await stage.command(mia, f"!party add Carl {correspondent.ADDRESS}", "Carl (party) is in", "by mail")
    mail = await carl.gets_a_link()
    cast.his = await stage.enters(mia, cast.private)
    await carl.confirms(mail, await stage.command(mia, "!mail pin Carl", "The PIN of Carl is"))
    await stage.told_at_the_desk("Carl has confirmed the address with the PIN", "with the words in it")
    await carl.is_mailed(cast.his, "Dear Carl", "Only your own side and the mediators read this")

    stage.scene("A joint post, and back")
    await stage.command(mia, "!agreement accepted Alice: on paper", "Alice: agreed that words also go by mail")
    await stage.command(mia, "!open", "The joint session begins")
    await stage.command(mia, "!mode open", "The joint room is open now")
    cast.joint = await stage.enters(mia, cast.everyone)
    await alice.client.join(await stage.invited(alice, cast.everyone))
    cast.joint.readers.append(alice)
    await stage.until("everybody may write", lambda: everybody_may_write(cast), lambda: "the levels are the old ones")
    await carl.is_mailed(cast.joint, "Dear Carl", "EVERYONE in the mediation reads this")
    await stage.post(alice, cast.joint, "Shall we meet in the first week of June?")
    await carl.is_mailed(cast.joint, "Alice wrote", "Shall we meet in the first week of June?")
    await carl.answers(cast.joint, "Tuesday suits me.")
    await carl.is_heard(cast.joint, "Tuesday suits me.")
    await carl.answers(cast.his, "Between us: any day will do.")
    heard = await stage.hears(mia, cast.his, "Between us: any day will do.")
    assert heard.sender.startswith("@_mediatrix_")

    stage.scene("What is not provably his")
    await carl.answers(cast.joint, "I give in.", stamp=Stamp.NONE)
    await stage.told_at_the_desk("Held: something from Carl")
    seen = [event.body for event in await alice.client.timeline(cast.joint.room)]
    assert "I give in." not in seen
    assert "Between us: any day will do." not in seen

"""A bridge that is down is never shown as working: at the terminal, in the numbers, and at the desk."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.node import Node
from sandbox.world import ServiceFailed
from tests.e2e.cases import Desk, Staff, arriving, mail_address, running

pytest_plugins = ["tests.e2e.cases"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def staff(tmp_path_factory: pytest.TempPathFactory, case_node: Node) -> AsyncIterator[Staff]:
    """Of a world whose parts may be stopped."""
    async with running(tmp_path_factory.mktemp("status"), case_node) as (_, staff):
        yield staff


async def status(desk: Desk) -> tuple[bool, str]:
    """Whether anything is broken, and what `mediatrix status` prints."""
    try:
        return False, await desk.world.cli("status", "-c", str(desk.world.config))
    except ServiceFailed as broken:
        return True, str(broken)


async def test_a_dead_mail_server_shows_and_the_desk_hears_of_its_end_too(staff: Staff, case_node: Node) -> None:
    world, carl = staff.world, mail_address("carl")
    async with arriving(world, case_node) as arrive:
        desk, alice = await staff.open_case(), await arrive("alice")
        await desk.add("Alice", alice.user_id)
        await desk.add("Carl", carl)
        await desk.confirm("Carl", carl)
        joint = await desk.open(alice)
        broken, words = await status(desk)
        assert not broken, words
        assert "fine  mail out: the mail server lets us in" in words
        assert "fine  deliveries: the homeserver reaches us" in words
        assert "fine  whatsapp: WhatsApp let us in with our numbers at" in words

        await world.mail.stop()
        await staff.client.text(joint, "To whoever reads by mail")
        told = await desk.told("Not sent yet, and being tried again: a mail to Carl")
        assert "no connection to the mail server" in told
        broken, words = await status(desk)
        assert broken
        assert "broken  mail out: no connection to the mail server" in words
        assert "tried in vain since" in words
        assert "To whoever" not in words
        assert carl not in words

        await world.mail.start()
        await desk.told("Sent now, after")
        assert sum("To whoever reads by mail" in mail.text for mail in world.mail.mailbox(carl)) == 1
        broken, words = await status(desk)
        assert not broken, words


async def test_a_service_or_whatsapp_that_does_not_run_is_what_is_wrong(staff: Staff) -> None:
    desk = await staff.open_case()
    await staff.world.kill_service()
    broken, words = await status(desk)
    assert broken
    assert "broken  service: the service does not answer" in words
    assert "what is sent: " in words
    await staff.world.whatsapp.stop()
    await staff.world.start_service()
    broken, words = await status(desk)
    assert broken
    assert "broken  whatsapp: no answer of WhatsApp" in words
    await staff.world.whatsapp.start()
    broken, words = await status(desk)
    assert not broken, words

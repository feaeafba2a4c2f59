"""A recipient's copy on its way out by mail, cut off: none leaves unrecorded, none twice, and nothing lies open."""

import hashlib
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from unittest.mock import patch

from appservice.documents import house as document_house
from policies.case import DESK
from tests.appservice.portal.test_papers import FakeCopier
from tests.faults.boundaries import Cut
from tests.faults.house import House
from tests.faults.scenarios import FAR, Broken, Scenario, cut_at
from tests.faults.test_documents import (
    SERVED,
    _release,
    alice_sends_a_file,
    case_of,
    nothing_lies_open,
    with_a_vault,
)
from tests.invariants.world import MIA


async def carl_is_sent_a_copy(house: House, word: str) -> None:
    await alice_sends_a_file(house, word)
    await house.drain()
    number = next(d.id for d in (await case_of(house)).documents if d.name == f"{word}.pdf")
    await _release(house, f"!doc grant {number} download to Carl")
    await house.post(MIA, await house.room(DESK), f"!doc send {number} to Carl")
    await house.work_off()


def attached(house: House, word: str) -> list[bytes]:
    """The files of that name in all mails that left."""
    found = []
    for mail in house.post_office.taken:
        message = message_from_bytes(mail.raw, policy=default)
        assert isinstance(message, EmailMessage)
        found += [part.get_content() for part in message.iter_attachments() if part.get_filename() == f"{word}.pdf"]
    return found


async def whatever_left_is_on_record(house: House, word: str) -> None:
    [document] = [d for d in (await case_of(house)).documents if d.name == f"{word}.pdf"]
    left, known = attached(house, word), {serving.sha256 for serving in document.servings}
    if not {hashlib.sha256(data).hexdigest() for data in left} <= known:
        raise Broken("a copy left that is not on record")
    if len(left) > 1 or any(not data.startswith(SERVED) or b"Copy for Carl" not in data for data in left):
        raise Broken("it left twice, or is not his")
    if not left and not known:
        raise Broken("nothing came of it")
    await nothing_lies_open(house)


async def test_a_copy_that_leaves_by_mail_is_on_record_whoever_is_killed(tmp_path: Path) -> None:
    sending = Scenario("a copy goes by mail", carl_is_sent_a_copy, whatever_left_is_on_record)
    with patch.object(document_house, "Copies", lambda _: FakeCopier()):
        async with with_a_vault(tmp_path) as house:
            assert await cut_at(house, sending, Cut.KILL, FAR) is None
            mails = [passed.name for passed in house.boundaries.passed].count("smtp")
            written = "commit in courier._send"
            assert await cut_at(house, sending, Cut.KILL, 0, only=written) == written
            # Before the mail server has it, and after it has, and before we know that.
            for place in (mails - 2, mails - 1):
                assert await cut_at(house, sending, Cut.KILL, place, only="smtp") == "smtp"

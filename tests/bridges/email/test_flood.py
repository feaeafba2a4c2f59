"""100,000 mails to one address: up to the cap they are kept, in order; the others are to come later."""

import time
from collections import Counter

import pytest
from aiosmtpd.smtp import Envelope

from bridges.email import server
from bridges.email.ids import token_hash
from bridges.email.rate import RateCap
from bridges.email.server import InboxVerdict, ReceivedMail
from tests.bridges.email.builders import ADDRESS, OWN_DOMAIN, TOKEN

pytestmark = pytest.mark.e2e  # it takes a while

MAILS = 100_000
LIMIT = 500


class Box:
    """Keeps every mail that it is offered."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []

    async def knows(self, hashed: str) -> bool:
        return hashed == token_hash(TOKEN)

    async def vouches(self, mail: ReceivedMail) -> bool:
        return b"yes" in mail.raw

    async def accept(self, mail: ReceivedMail) -> InboxVerdict:
        self.kept.append(mail.raw)
        return InboxVerdict.STORED


async def test_beyond_the_cap_mail_is_to_come_later_and_what_was_taken_is_kept_in_its_order() -> None:
    box = Box()
    handler = server._Handler(box, OWN_DOMAIN, RateCap(lambda: 0.0, limit=LIMIT))
    answers: Counter[str] = Counter()
    started = time.process_time()
    for number in range(MAILS):
        envelope = Envelope()
        envelope.mail_from, envelope.rcpt_tos = "carl@example.net", [ADDRESS]
        vouched = b"yes" if number % 2 else b"no"
        envelope.original_content = b"Message-ID: <%d@x>\r\nX: %s\r\n\r\nhello\r\n" % (number, vouched)
        answer = await handler.handle_DATA(None, None, envelope)  # type: ignore[arg-type]
        answers[answer[:3]] += 1
    # Proven mail and other mail are counted apart.
    assert answers == {"250": 2 * LIMIT, "450": MAILS - 2 * LIMIT}
    numbers = [int(raw.split(b"<")[1].split(b"@")[0]) for raw in box.kept]
    assert numbers == sorted(numbers) == list(range(2 * LIMIT))
    assert time.process_time() - started < 120

"""Taking mail in: up to the cap it is kept, in order; the rest is to come later."""

from collections import Counter
from dataclasses import dataclass, field, replace

import pytest

from bridges.email.ids import IntakeAddress
from bridges.email.rate import RateCap
from bridges.email.reception import STRANGER_MOST, STRANGERS_MOST, InboxVerdict, ReceivedMail, Reception, received
from tests.bridges.email.builders import TOKEN

OFFERED = 100_000
LIMIT = 60
HOUR = 3600.0


@dataclass
class Box:
    """Keeps every mail that it is offered, and vouches for those that are not forged."""

    kept: list[ReceivedMail] = field(default_factory=list)

    async def knows(self, token_hash: str) -> bool:
        return True

    async def vouches(self, mail: ReceivedMail) -> bool:
        return b"forged" not in mail.raw

    async def accept(self, mail: ReceivedMail) -> InboxVerdict:
        self.kept.append(mail)
        return InboxVerdict.STORED


async def test_of_a_flood_the_cap_is_kept_in_order_and_the_rest_waits_outside() -> None:
    """As many as a mail server would offer; proven mail and other mail are counted apart."""
    box, now = Box(), [0.0]
    reception = Reception(box, RateCap(lambda: now[0], limit=LIMIT))
    answers = Counter[InboxVerdict]()
    first = received(TOKEN, "carl@example.net", b"", recipients=1)
    for number in range(OFFERED):
        raw = b"%d" % number if number % 2 else b"forged %d" % number
        answers[await reception.take(replace(first, raw=raw, identity=str(number)))] += 1
    assert answers == {InboxVerdict.STORED: 2 * LIMIT, InboxVerdict.OVER_CAP: OFFERED - 2 * LIMIT}
    assert [int(mail.identity) for mail in box.kept] == list(range(2 * LIMIT))
    assert reception.is_full(TOKEN)
    now[0] = HOUR
    assert not reception.is_full(TOKEN)
    assert await reception.take(replace(first, raw=b"later")) is InboxVerdict.STORED


async def _stored(*senders: str) -> list[bool]:
    """Whether each was stored of what these wrote to the address of strangers, one after another."""
    reception = Reception(Box(), RateCap(lambda: 0.0, limit=LIMIT))
    mails = [
        received(IntakeAddress(), sender, f"From: {sender}\r\n\r\n{number}".encode(), recipients=1)
        for number, sender in enumerate(senders)
    ]
    return [await reception.take(mail) is InboxVerdict.STORED for mail in mails]


@pytest.mark.parametrize("domain", ["evil.example", "evil.co.uk"])
async def test_one_domain_has_one_limit_whatever_hosts_it_names_below_itself(domain: str) -> None:
    spam = [f"spam@n{number}.{domain}" for number in range(LIMIT)]
    assert await _stored(*spam, f"spam@{domain.upper()}", "carl@example.net", "dora@example.co.uk") == [
        *[True] * STRANGERS_MOST,
        *[False] * (LIMIT - STRANGERS_MOST),
        False,
        True,
        True,
    ]


async def test_one_address_leaves_room_for_the_others_of_its_domain() -> None:
    spam = ["spam@mail.example"] * STRANGERS_MOST
    assert (await _stored(*spam, "SPAM@mail.example", "carl@mail.example")).count(True) == STRANGER_MOST + 1

"""Mail that is fetched: stored before it is deleted, and whatever can't be stored stays where it is."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from imapclient.exceptions import IMAPClientError, LoginError

from bridges.email.ids import BounceToken, ReplyToken, token_address, token_hash
from bridges.email.mailbox import Fetcher, Head, MailboxTrouble
from bridges.email.mime import LIMITS
from bridges.email.rate import RateCap
from bridges.email.reception import InboxVerdict, ReceivedMail, Reception
from tests.bridges.email.builders import ADDRESS, OWN_DOMAIN, TOKEN

BOUNCE = BounceToken("b" * 26)
CAP = 3


@dataclass
class Server:
    """A mailbox in memory: mails by number, with their heads. It dies when it is asked to do what `dies_at` names."""

    mails: dict[int, tuple[Head, bytes]] = field(default_factory=dict)
    flagged: set[int] = field(default_factory=set)
    fetched: list[int] = field(default_factory=list)
    dies_at: str = ""
    open: int = 0
    looked: list[datetime] = field(default_factory=list)

    async def note(self, at: datetime) -> None:
        """It is written down that everything was looked at."""
        self.looked.append(at)

    def put(self, number: int, recipient: str | None = ADDRESS, sender: str | None = "carl@example.net") -> None:
        """A mail has come."""
        self.mails[number] = (Head(100, recipient, sender), b"mail %d" % number)

    def connect(self) -> "Server":
        self._may("connect")
        self.open += 1
        return self

    def waiting(self) -> Sequence[int]:
        return sorted(set(self.mails) - self.flagged)

    def heads(self, numbers: Sequence[int]) -> Mapping[int, Head]:
        return {number: self.mails[number][0] for number in numbers if number in self.mails}

    def mail(self, number: int) -> bytes | None:
        self._may("mail")
        self.fetched.append(number)
        return self.mails[number][1] if number in self.mails else None

    def delete(self, number: int) -> None:
        self._may("delete")
        del self.mails[number]

    def flag(self, number: int) -> None:
        self.flagged.add(number)

    def close(self) -> None:
        self.open -= 1

    def _may(self, act: str) -> None:
        if act == self.dies_at:
            raise IMAPClientError("socket error: EOF")


@dataclass
class Inbox:
    """Keeps what it is offered, once for each identity."""

    kept: dict[str, ReceivedMail] = field(default_factory=dict)
    verdict: InboxVerdict = InboxVerdict.STORED
    proven: bool = True

    async def knows(self, token_hash_: str) -> bool:
        return token_hash_ in {token_hash(token) for token in (TOKEN, BOUNCE)}

    async def vouches(self, mail: ReceivedMail) -> bool:
        return self.proven

    async def accept(self, mail: ReceivedMail) -> InboxVerdict:
        if self.verdict is InboxVerdict.STORED:
            self.kept.setdefault(mail.identity, mail)
        return self.verdict

    @property
    def texts(self) -> list[bytes]:
        return [mail.raw for mail in self.kept.values()]


def fetcher(server: Server, inbox: Inbox, clock: Callable[[], float] = lambda: 0.0) -> Fetcher:
    reception = Reception(inbox, RateCap(clock, limit=CAP))
    return Fetcher(reception, OWN_DOMAIN, server.connect, every=timedelta(), on_duty=lambda: True, looked=server.note)


async def test_what_waits_is_stored_in_its_order_and_deleted() -> None:
    server, inbox = Server(), Inbox()
    for number in (7, 3, 5):
        server.put(number)
    await fetcher(server, inbox).fetch()
    assert inbox.texts == [b"mail 3", b"mail 5", b"mail 7"]
    assert server.mails == {}
    assert server.open == 0
    assert {(mail.token, mail.envelope_from) for mail in inbox.kept.values()} == {(TOKEN, "carl@example.net")}


async def test_what_was_stored_and_not_deleted_is_stored_once() -> None:
    server, inbox = Server(dies_at="delete"), Inbox()
    server.put(1)
    with pytest.raises(MailboxTrouble):
        await fetcher(server, inbox).fetch()
    assert (inbox.texts, list(server.mails)) == ([b"mail 1"], [1])
    server.dies_at = ""
    await fetcher(server, inbox).fetch()
    assert (inbox.texts, list(server.mails)) == ([b"mail 1"], [])


@pytest.mark.parametrize("verdict", [InboxVerdict.BUSY, InboxVerdict.UNKNOWN])
async def test_what_is_not_stored_is_not_deleted(verdict: InboxVerdict) -> None:
    server, inbox = Server(), Inbox(verdict=verdict)
    server.put(1)
    await fetcher(server, inbox).fetch()
    assert list(server.mails) == [1]
    assert server.flagged == ({1} if verdict is InboxVerdict.UNKNOWN else set())


async def test_nothing_to_an_address_overtakes_a_mail_that_could_not_be_stored_and_others_come() -> None:
    class Stumbling(Inbox):
        async def accept(self, mail: ReceivedMail) -> InboxVerdict:
            return InboxVerdict.BUSY if mail.raw == b"mail 1" and not self.kept else await super().accept(mail)

    server, inbox = Server(), Stumbling()
    server.put(1)
    server.put(2)
    server.put(3, token_address(BOUNCE, OWN_DOMAIN), "")
    fetches = fetcher(server, inbox)
    await fetches.fetch()
    assert inbox.texts == [b"mail 3"]
    await fetches.fetch()
    assert inbox.texts == [b"mail 3", b"mail 1", b"mail 2"]


@pytest.mark.parametrize(
    ("recipient", "sender"),
    [
        (None, "carl@example.net"),
        ("mediatrix@example.org", "carl@example.net"),
        (token_address(ReplyToken("q" * 26), OWN_DOMAIN), "carl@example.net"),
        (token_address(BOUNCE, OWN_DOMAIN), "carl@example.net"),
        (ADDRESS, None),
    ],
)
async def test_what_is_for_nobody_is_flagged_unread_and_holds_up_nobody(
    recipient: str | None, sender: str | None
) -> None:
    server, inbox = Server(), Inbox()
    server.put(1, recipient, sender)
    server.put(2)
    await fetcher(server, inbox).fetch()
    assert (server.flagged, server.fetched, inbox.texts) == ({1}, [2], [b"mail 2"])


async def test_a_report_comes_without_a_sender() -> None:
    server, inbox = Server(), Inbox()
    server.put(1, token_address(BOUNCE, OWN_DOMAIN), "")
    await fetcher(server, inbox).fetch()
    assert [mail.token for mail in inbox.kept.values()] == [BOUNCE]


async def test_what_is_too_large_is_never_fetched() -> None:
    server, inbox = Server(), Inbox()
    server.put(1)
    server.mails[1] = (replace(server.mails[1][0], size=LIMITS.size + 1), b"")
    await fetcher(server, inbox).fetch()
    assert (server.flagged, server.fetched) == ({1}, [])


async def test_a_flood_to_one_address_keeps_back_nobody_elses_mail() -> None:
    server, inbox = Server(), Inbox()
    for number in range(250):
        server.put(number)
    server.put(250, token_address(BOUNCE, OWN_DOMAIN), "")
    fetches = fetcher(server, inbox)
    await fetches.fetch()
    await fetches.fetch()
    assert inbox.texts == [b"mail 0", b"mail 1", b"mail 2", b"mail 250"]
    assert len(server.mails) == 250 - CAP
    assert server.flagged == set()


async def test_unproven_mail_over_the_cap_is_fetched_once_until_there_is_room_again() -> None:
    server, inbox, now = Server(), Inbox(proven=False), [0.0]
    for number in range(CAP + 2):
        server.put(number)
    fetching = fetcher(server, inbox, lambda: now[0])
    for _ in range(3):
        await fetching.fetch()
    assert server.fetched == list(range(CAP + 2))
    inbox.proven = True
    server.put(CAP + 2)
    await fetching.fetch()
    assert server.fetched[-1] == CAP + 2, "its owner is heard"
    inbox.proven, now[0] = False, 3601.0
    await fetching.fetch()
    assert (server.mails, len(inbox.kept)) == ({}, CAP + 3)


async def test_it_is_known_since_when_everything_was_looked_at() -> None:
    server, inbox = Server(), Inbox()
    fetching, before = fetcher(server, inbox), datetime.now(UTC)
    await fetching.fetch()
    [looked] = server.looked
    assert before <= looked
    server.put(1)
    inbox.verdict = InboxVerdict.BUSY
    await fetching.fetch()
    assert server.looked == [looked], "something may lie there still"
    inbox.verdict, server.dies_at = InboxVerdict.STORED, "mail"
    with pytest.raises(MailboxTrouble):
        await fetching.fetch()
    assert server.looked == [looked]


async def test_a_mail_that_is_gone_meanwhile_is_passed_over() -> None:
    class Forgetful(Server):
        def heads(self, numbers: Sequence[int]) -> Mapping[int, Head]:
            found = super().heads(numbers)
            self.mails.pop(1)
            return found

    server, inbox = Forgetful(), Inbox()
    server.put(1)
    server.put(2)
    await fetcher(server, inbox).fetch()
    assert inbox.texts == [b"mail 2"]


async def test_told_to_stop_it_ends_between_two_mails() -> None:
    stopping: list[asyncio.Task[None]] = []

    class Stopping(Inbox):
        async def accept(self, mail: ReceivedMail) -> InboxVerdict:
            stopping.append(asyncio.create_task(fetches.stop()))
            await asyncio.sleep(0)
            return await super().accept(mail)

    server, inbox = Server(), Stopping()
    for number in range(5):
        server.put(number)
    fetches = fetcher(server, inbox)
    await fetches.start()
    while not stopping:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    await asyncio.gather(*stopping)
    assert (inbox.texts, sorted(server.mails), server.open) == ([b"mail 0"], [1, 2, 3, 4], 0)


async def test_whether_the_mailbox_lets_us_in_is_tried() -> None:
    server = Server()
    assert await fetcher(server, Inbox()).trouble() is None
    server.dies_at = "connect"
    assert await fetcher(server, Inbox()).trouble() == "the mailbox does not do what we ask, or has gone away"

    def refuses() -> Server:
        raise LoginError("AUTHENTICATIONFAILED carl")

    reception = Reception(Inbox(), RateCap(lambda: 0.0))
    locked = Fetcher(reception, OWN_DOMAIN, refuses, every=timedelta(), on_duty=lambda: True, looked=server.note)
    assert await locked.trouble() == "the mailbox refuses our login"

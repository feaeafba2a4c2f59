"""Whoever writes to the intake address reaches the triage desk; only who provably wrote from there is answered."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from appservice.codec import JsonCodec
from appservice.mail import plain
from appservice.mail.plain import PlainMails
from appservice.mail.stored import StoredMail
from appservice.mail.strangers import FULL, StrangerMailReader, StrangersMail
from appservice.reading import STRANGERS
from appservice.storage.mail_inbox import MailInbox
from appservice.worker import Finished
from bridges.email.api import Accepted, MailServer, Security, SendResult
from bridges.email.convert_out import OutgoingMail
from bridges.email.ids import IntakeAddress
from bridges.email.rate import RateCap
from bridges.email.reception import STRANGER_MOST, InboxVerdict, Reception, received
from bridges.unsent import Unknown
from policies.case import DESK, Case, Network, PersonId
from policies.effects import Post, Tell, WriteToStranger
from policies.message import AuthenticatedMail, Message, MessageId, SignedDevice, Text
from policies.people.intake import WAITING_MOST
from policies.people.stranger import TRIAGE
from rooms.handle import Handler
from rooms.house import House
from rooms.ids import UserId
from rooms.outcome import Cancelled, Outcome, Sent, Unanswered
from rooms.queue import Item, ItemId, State
from rooms.triage import StrangerWork
from tests.appservice.mail.test_courier_and_reader import SENDER
from tests.bridges.email.builders import CLIENTS, OWN_DOMAIN, PASSED, TOKEN, TRUST, mail
from tests.fakes.memory import MemoryDatabase
from tests.policies.builders import caucus_of, named

INTAKE = f"info@{OWN_DOMAIN}"
CODEC = JsonCodec()
HOUSE = House(
    "example.org",
    "_mediatrix_",
    OWN_DOMAIN,
    {},
    organisation="Town Mediation",
    telephone="+1 555 0100",
    triage={UserId("@mia:example.org"): "Mia"},
)
WORDS = "My neighbour and I can't agree."


def passed(domain: str) -> str:
    """Our mail server vouches for mail of that domain."""
    return PASSED.replace("example.net", domain)


@dataclass
class Office:
    """The intake address, the triage desk, and a mail server that takes what is sent."""

    database: MemoryDatabase = field(default_factory=MemoryDatabase)
    sent: list[OutgoingMail] = field(default_factory=list)
    answer: Callable[[], SendResult] = lambda: Accepted("250 ok")
    hour: float = 0.0
    full: bool = False
    """Whether no stranger finds room any more."""

    def __post_init__(self) -> None:
        inbox = MailInbox(self.database, TRUST, takes_strangers=True)
        self.reception = Reception(inbox, RateCap(lambda: self.hour * 3600))
        self.reader = StrangerMailReader(self.database, CODEC, HOUSE, TRUST, INTAKE)
        server = MailServer("127.0.0.1", 25, Security.NONE)
        self.courier = StrangersMail(PlainMails(self.database, server, SENDER, INTAKE), SENDER.organisation)

    async def send(self, mail: OutgoingMail, server: MailServer) -> SendResult:
        self.sent.append(mail)
        return self.answer()

    async def comes(self, raw: bytes, envelope_from: str = "carl@example.net") -> InboxVerdict:
        """A mail comes to the intake address, and is read."""
        verdict = await self.reception.take(received(IntakeAddress(), envelope_from, raw, recipients=1))
        for item in list(self.database.committed.inbox.items.values()):
            if item.kind == STRANGERS and item.state is State.READY:
                assert await self.reader.read(item) == (FULL if self.full else Finished())
        return verdict

    async def delivered(self) -> list[Outcome]:
        """What is ready for strangers goes out."""
        work, outcomes = StrangerWork(self.database, {Network.EMAIL: self.courier}), []
        for item in list(self.database.committed.outbox.items.values()):
            if item.state is State.READY and item.lane.startswith("stranger:"):
                effect = CODEC.load(item.body)
                assert isinstance(effect, WriteToStranger)
                outcomes.append(await work.carry(item, TRIAGE, effect))
                async with self.database.begin() as unit:
                    await unit.outbox.done(item.id)
        return outcomes

    async def says(self, text: str) -> None:
        """Mia gives a command at the triage desk."""
        item = ItemId(f"mia/{text}")
        said = Message(
            MessageId(item), PersonId("p1"), DESK, Text(text), SignedDevice(), datetime.now(UTC), native=True
        )
        async with self.database.begin() as work:
            await Handler(work, CODEC, HOUSE, item, said.at).message(TRIAGE, said, None, None)

    def effects(self) -> list[object]:
        return [CODEC.load(item.body) for item in self.database.committed.outbox.items.values() if item.body]

    def told(self) -> list[str]:
        return [e.text for e in self.effects() if isinstance(e, Tell)]

    def answers(self) -> int:
        lanes = [i for i in self.database.committed.outbox.items.values() if i.lane.startswith("stranger:")]
        return len(lanes)

    @property
    def desk(self) -> Case:
        return self.database.committed.cases[TRIAGE]


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Office:
    there = Office()
    monkeypatch.setattr(plain, "send", there.send)
    return there


async def test_a_proven_mail_is_shown_at_the_triage_desk_and_answered_once(office: Office) -> None:
    for words in (WORDS, "And another thing."):
        assert await office.comes(mail(words, PASSED, to=INTAKE)) is InboxVerdict.STORED
        await office.delivered()
    shown = [text for text in office.told() if WORDS in text]
    assert len(shown) == 1
    assert shown[0].startswith("S1 writes by mail from carl@example.net:\n> ")
    (answer,) = office.sent
    written = message_from_bytes(answer.raw, EmailMessage, policy=policy.default)
    assert (answer.recipient, written["From"].addresses[0].addr_spec) == ("carl@example.net", INTAKE)
    assert written["Auto-Submitted"] == "auto-generated"
    body = written.get_content()
    assert isinstance(body, str)
    assert body.startswith("This is Town Mediation.")
    assert WORDS not in body


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("Authentication-Results: mx.example.org; dmarc=fail header.from=example.net",),
        ("Authentication-Results: elsewhere.example; dmarc=pass header.from=example.net",),
        (PASSED, PASSED),
        (passed("evil.example"),),
        (PASSED, "From: second@example.net"),
    ],
)
async def test_a_mail_that_may_be_forged_is_shown_as_such_and_never_answered(
    office: Office, headers: tuple[str, ...]
) -> None:
    await office.comes(mail(WORDS, *headers, to=INTAKE))
    assert not office.answers()
    (told,) = [text for text in office.told() if WORDS in text]
    assert "nothing shows that it is theirs" in told
    for command in ("answer S1: Hello", "decline S1", "open S1 Carl: Carl and others"):
        await office.says(f"!intake {command}")
    assert not office.answers()
    assert len(office.database.committed.cases) == 1


@pytest.mark.parametrize(
    ("to", "above"),
    [
        ("anne@example.net", ()),
        ("anne@example.net", (f"To: {INTAKE}",)),
        ("anne@example.net", (f"Cc: {INTAKE}",)),
        (f'"{INTAKE}" <anne@example.net>', ()),
        (f"anne@example.net ({INTAKE})", ()),
    ],
)
async def test_a_mail_that_was_signed_for_somebody_else_is_nobodys_words_to_us(
    office: Office, to: str, above: tuple[str, ...]
) -> None:
    """Whoever received it could hand it to us, with the proof it came with."""
    await office.comes(mail("my bottom line is 4,000", PASSED, *above, to=to))
    assert not office.answers()
    (told,) = [text for text in office.told() if "bottom line" in text]
    assert "nothing shows that it is theirs: it was not written to us" in told
    await office.says("!intake open S1 Carl: Carl and others")
    assert len(office.database.committed.cases) == 1


@pytest.mark.parametrize("to", [INTAKE.upper(), f"Town Mediation <{INTAKE}>, anne@example.net"])
async def test_a_mail_to_us_among_others_is_its_authors(office: Office, to: str) -> None:
    await office.comes(mail(WORDS, PASSED, to=to))
    assert office.answers() == 1


@pytest.mark.parametrize(
    ("header", "envelope"),
    [
        ("Auto-Submitted: auto-replied", "carl@example.net"),
        ("Precedence: bulk", "carl@example.net"),
        ("List-Id: <news.example.net>", "carl@example.net"),
        ("X-Loop: reply.example.org", "carl@example.net"),
        ("Subject: Undelivered", ""),
    ],
)
async def test_a_machine_is_never_answered(office: Office, header: str, envelope: str) -> None:
    if header.startswith("X-Loop"):
        header = f"X-Loop: {OWN_DOMAIN}"
    await office.comes(mail(WORDS, PASSED, header, to=INTAKE), envelope)
    assert not office.answers()
    assert any("a machine wrote it" in text for text in office.told())


async def test_a_partys_reply_address_is_shown_to_nobody_and_kept_nowhere(office: Office) -> None:
    """Who answers a mail of ours, and sends it to the intake address, quotes it."""
    await office.comes(mail(CLIENTS["apple mail"](WORDS, "what we wrote"), PASSED, to=INTAKE))
    kept = [entry.message.content for entry in office.database.committed.journal.values()]
    assert WORDS in str(kept)
    assert any(WORDS in text for text in office.told())
    assert TOKEN.value not in f"{kept}{office.told()}"


async def test_a_forger_is_not_taken_for_whom_they_imitate(office: Office) -> None:
    await office.comes(mail("I am Carl", PASSED, to=INTAKE))
    await office.comes(mail("so am I", to=INTAKE))
    triage = office.desk.triage
    assert triage is not None
    assert [s.writer.doubt is None for s in triage.strangers] == [True, False]
    await office.says("!intake block S2")
    await office.says("!intake answer S1: When may we telephone you?")
    await office.delivered()
    assert office.sent[-1].recipient == "carl@example.net"


async def test_the_same_mail_again_is_one_and_is_answered_once(office: Office) -> None:
    raw = mail(WORDS, PASSED, "Message-ID: <a@example.net>", to=INTAKE)
    for _ in range(3):
        await office.comes(raw)
    assert len([text for text in office.told() if WORDS in text]) == 1
    assert office.answers() == 1


async def test_an_answer_without_answer_is_unknown_and_is_not_repeated(office: Office) -> None:
    office.answer = lambda: Unknown("it did not say")
    await office.comes(mail(WORDS, PASSED, to=INTAKE))
    (item,) = [i for i in office.database.committed.outbox.items.values() if i.lane.startswith("stranger:")]
    assert await office.delivered() == [Unanswered("it did not say")]
    triage = office.desk.triage
    assert triage is not None
    sending = Item(item.id, item.lane, item.kind, item.case, b"x", item.received_at, sending=True)
    assert isinstance(await office.courier.write(sending, triage.strangers[0], "again"), Unanswered)
    assert len(office.sent) == 1


async def test_whoever_is_blocked_meanwhile_gets_nothing(office: Office) -> None:
    await office.comes(mail(WORDS, PASSED, to=INTAKE))
    await office.says("!intake block S1")
    assert await office.delivered() == [Cancelled("they are blocked")]
    assert not office.sent


async def test_a_case_is_opened_with_their_first_words_in_their_caucus_alone(office: Office) -> None:
    await office.comes(mail(WORDS, PASSED, to=INTAKE))
    await office.says("!intake open S1 Carl: Carl and his neighbour")
    opened = next(case for case in office.database.committed.cases.values() if case.id != TRIAGE)
    carl = named(opened, "Carl")
    (post,) = [effect for effect in office.effects() if isinstance(effect, Post)]
    assert (post.conversation, post.author) == (caucus_of(opened, "Carl"), carl.id)
    assert post.content == Text(WORDS)
    assert carl.endpoint.address == "carl@example.net"
    assert carl.endpoint.content_consent is None  # Links alone, until they agree to words by mail.
    assert office.database.committed.journal[opened.id, post.message].message.proof == AuthenticatedMail()


async def test_stop_above_a_quote_of_ours_ends_all_that_is_sent_and_start_begins_it_again(office: Office) -> None:
    await office.comes(mail(WORDS, PASSED, to=INTAKE))
    greeting = office.effects()[-1]
    assert isinstance(greeting, WriteToStranger)
    quote = CLIENTS["gmail"]("STOP.", greeting.text)
    with_logo = EmailMessage()
    with_logo["From"], with_logo["To"], with_logo["Message-ID"] = "carl@example.net", INTAKE, "<2@example.net>"
    with_logo.set_content(quote)
    with_logo.add_attachment(b"logo", maintype="image", subtype="png")
    for raw in (mail(quote, PASSED, to=INTAKE), f"{PASSED}\r\n".encode() + with_logo.as_bytes(policy=policy.SMTP)):
        await office.comes(raw)
        await office.says(f"!intake answer S1: Are you there? {len(raw)}")
        assert office.told()[-1].startswith("Nothing can be sent to S1: they wrote STOP")
        await office.comes(mail(f"Start\n{len(raw)}", PASSED, to=INTAKE))
        assert "Reply to this to answer." in office.told()[-1]


async def test_stop_within_a_mail_or_in_a_forged_one_is_no_such_word(office: Office) -> None:
    await office.comes(mail(WORDS, PASSED, to=INTAKE))
    await office.comes(mail("Hello,\nSTOP", PASSED, to=INTAKE))
    await office.comes(mail("STOP", to=INTAKE))
    assert await office.delivered() == [Sent("250 ok")]


async def test_a_flood_of_forged_mail_keeps_nobody_out_who_writes_in_their_own_name(office: Office) -> None:
    for number in range(WAITING_MOST + 10):
        office.hour += 0.1
        await office.comes(mail(f"buy {number}", to=INTAKE, sender=f"spam@n{number}.example"))
    assert not office.answers()
    await office.comes(mail(WORDS, PASSED, to=INTAKE))
    assert office.answers() == 1


async def test_of_those_for_whom_there_is_no_room_proven_mail_is_kept(office: Office) -> None:
    """It was accepted, so it is not lost (I5): whoever runs the service sees that it is there."""
    for number in range(WAITING_MOST):
        office.hour += 0.1
        domain = f"n{number}.example"
        await office.comes(mail(f"buy {number}", passed(domain), to=INTAKE, sender=f"spam@{domain}"))
    office.full = True
    await office.comes(mail(WORDS, PASSED, to=INTAKE))
    (kept,) = [i for i in office.database.committed.inbox.items.values() if i.state is State.DEAD]
    assert WORDS.encode() in StoredMail.load(kept.body).raw
    assert "is kept for your administrator" in office.told()[-1]


async def test_too_much_mail_is_not_taken_and_too_much_of_one_is_not_shown(office: Office) -> None:
    """What one domain sends keeps nobody else out."""
    forged = [await office.comes(mail(f"forged {n}", to=INTAKE)) for n in range(STRANGER_MOST + 1)]
    assert forged[-1] is InboxVerdict.OVER_CAP
    verdicts = [await office.comes(mail(f"number {n}", PASSED, to=INTAKE)) for n in range(STRANGER_MOST + 5)]
    assert verdicts.count(InboxVerdict.STORED) == STRANGER_MOST
    assert set(verdicts[STRANGER_MOST:]) == {InboxVerdict.OVER_CAP}
    assert len([text for text in office.told() if "> number " in text]) == STRANGER_MOST
    other = mail(WORDS, passed("example.com"), to=INTAKE, sender="Dora <dora@example.com>")
    assert await office.comes(other) is InboxVerdict.STORED
    assert office.answers() == 2


async def test_what_is_sent_was_taken_by_the_mail_server(office: Office) -> None:
    await office.comes(mail(WORDS, PASSED, to=INTAKE))
    assert await office.delivered() == [Sent("250 ok")]

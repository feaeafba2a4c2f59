"""A database with something of everything in it, as a service in full swing leaves it."""

from datetime import UTC, datetime, timedelta

from appservice.crypto.ids import UserId as CryptoUserId
from appservice.crypto.machine import OlmMachine
from appservice.crypto.sealing import Sealer
from appservice.portal.store import Whose
from appservice.storage.database import SqlDatabase
from bridges.email.convert_in import Likeness
from policies.case import (
    DESK,
    Case,
    CaseId,
    Conversation,
    Endpoint,
    EndpointId,
    Kind,
    Network,
    Person,
    PersonId,
    SideId,
)
from policies.documents.document import BlobId
from policies.message import Message, MessageId, SignedDevice, Text
from policies.networks.mail import MailState
from policies.networks.whatsapp import WhatsAppState
from policies.plan import RoomKey
from policies.record import Part
from rooms.addresses import ReplyAddress
from rooms.ids import EventId, RoomId, UserId
from rooms.mails import SentMail
from rooms.messages import SentPart
from rooms.outgoing import MATRIX, PEOPLE
from rooms.ports import Entry, Held, RoomRecord, Standing
from rooms.queue import Item, ItemId, Lane, State
from rooms.record import entry
from rooms.vault import Blob, Media

AT = datetime(2026, 11, 22, 3, tzinfo=UTC)
BOT = UserId("@_mediatrix_bot:example.org")
ALICE = UserId("@alice:example.org")
CAUCUS = Conversation(Kind.CAUCUS, SideId("s1"))
SECRET = "the price I would accept is 4711"


def ghost_of(case: CaseId) -> UserId:
    return UserId(f"@_mediatrix_{case}:example.org")


def room_of(case: CaseId) -> RoomId:
    return RoomId(f"!room{case}")


async def fill(database: SqlDatabase, sealer: Sealer) -> tuple[CaseId, CaseId]:
    """Two cases, and what is around them."""
    async with database.begin() as work:
        first, second = await work.cases.new_number(), await work.cases.new_number()
        await work.epochs.current()
        await OlmMachine(CryptoUserId(BOT), sealer).create(work.crypto, display_name="Bot", now_ms=1)
        await work.crypto.track([CryptoUserId(ALICE)])
        await work.rooms.save(RoomRecord(None, RoomKey("lobby:!l"), Standing.MADE, "", RoomId("!l")))
    for case in (first, second):
        await _fill_case(database, sealer, case)
    return first, second


async def _fill_case(database: SqlDatabase, sealer: Sealer, case: CaseId) -> None:
    person = Person(PersonId("p1"), "Alice", Endpoint(EndpointId("e1"), Network.MATRIX, ALICE))
    message = Message(MessageId(f"m{case}"), PersonId("p1"), CAUCUS, Text(SECRET), SignedDevice(), AT, native=True)
    address = ReplyAddress(case, PersonId("p2"), EndpointId("e2"), CAUCUS, "token")
    async with database.begin() as work:
        await work.cases.save(Case(case, "Smith and Jones", people=(person,)))
        await work.rooms.save(
            RoomRecord(case, RoomKey("desk"), Standing.SUSPENDED, "marker", room_of(case), "it was changed")
        )
        await work.ghosts.save(case, PersonId("p2"), ghost_of(case))
        await OlmMachine(CryptoUserId(ghost_of(case)), sealer).create(work.crypto, display_name="Ghost", now_ms=1)
        await work.addresses.save(address, f"hash{case}")
        await work.journal.append(Entry(case, message, EventId(f"$e{case}"), f"<mail{case}@example.org>"))
        await work.holds.put(Held(case, message.id, "because", AT))
        await work.mails.arrived([(f"hash{case}", Likeness("name", "sheet"))])
        await work.mails.keep(case, message.id, SECRET.encode())
        sent = SentMail(
            f"b{case}", case, PersonId("p2"), EndpointId("e2"), ItemId("mail"), MailState.ACCEPTED, AT, "250"
        )
        await work.mails.leaves(sent)
        part = SentPart(
            ItemId(f"mail{case}"),
            0,
            1,
            case,
            PersonId("p2"),
            EndpointId("e2"),
            WhatsAppState.SENT,
            AT,
            "sent",
            wamid="wamid.1",
        )
        await work.whatsapp.keep(part)
        await work.whatsapp.heard(case, EndpointId("e2"), "111", AT)
        await work.vault.begin(Blob(BlobId(f"b{case}"), case, b"k" * 32, AT))
        await work.vault.keep(BlobId(f"b{case}"))
        await work.vault.note(Media(ItemId(f"file{case}"), case, CAUCUS, AT, "mxc://example.org/x"))
        whose = Whose(case, PersonId("p2"))
        await work.shelf.put(case, whose.person, ItemId("laid"), SECRET.encode(), AT)
        await work.shelf.new_pin(case, whose.person)
        await work.shelf.add_link(f"link{case}", whose, EndpointId("e2"), AT, AT)
        await work.shelf.begin_session(f"session{case}", whose, AT)
        line = entry(case, Part(DESK, ("Tell",), ()), None, rule="rule", words="reason", at=AT)
        await work.record.append(line)
        await work.inbox.put(item(case, "undecided"))
        await work.inbox.put(item(case, "decided"))
        await work.inbox.done(ItemId(f"decided{case}"), "handled")
        for name in ("ready", "sending", "sent", "dead", "parked"):
            await work.outbox.put(item(case, name, MATRIX))
        for name in ("mail", "mail-parked", "mail-sent"):
            await work.outbox.put(item(case, name, PEOPLE, f"person:{case}:p2"))
        await work.outbox.mark_sending(ItemId(f"sending{case}"), b"ciphertext of an old ratchet")
        await work.outbox.mark_sending(ItemId(f"dead{case}"), b"ciphertext of an old ratchet")
        await work.outbox.stop(ItemId(f"dead{case}"), State.DEAD, "no")
        await work.outbox.done(ItemId(f"sent{case}"), "$sent")
        await work.outbox.done(ItemId(f"mail-sent{case}"), "250")
        await work.outbox.park(ItemId(f"parked{case}"), "room", None, "no room")
        await work.outbox.park(ItemId(f"mail-parked{case}"), "consent", AT + timedelta(hours=1), "no consent")


def item(case: CaseId, name: str, kind: str = "matrix.event", lane: str = "") -> Item:
    return Item(ItemId(f"{name}{case}"), Lane(lane or f"case:{case}"), kind, case, SECRET.encode(), AT)

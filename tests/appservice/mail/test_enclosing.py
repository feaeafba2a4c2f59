"""A document goes by mail as its recipient's copy: by grant and consent, on record before it leaves, and once."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, cast

import pytest

from appservice.codec import JsonCodec
from appservice.documents.handout import Enclosures, Handouts
from appservice.documents.pipeline.copies import NotMade
from appservice.documents.shelf import Folder
from appservice.documents.vault import Vault
from appservice.mail import courier
from appservice.mail.courier import MailCourier, Sender
from bridges.email.api import MailServer, Refused, Security
from bridges.unsent import Unknown
from policies.case import Case, Doubt, EndpointId, Seen
from policies.documents.carrying import Enclose
from policies.documents.document import Action, Consent, Document, DocumentId, Grant, Label, Version
from policies.documents.files import Kind
from policies.documents.recipient import Stamp
from policies.documents.rights import revoked
from policies.networks.delivery import channel_key
from rooms.deliver import Deliverer
from rooms.homeserver import Trouble
from rooms.house import House
from rooms.lanes import person_lane
from rooms.outcome import Cancelled, Outcome, Parked, Sent, Unanswered
from rooms.outgoing import PEOPLE
from rooms.queue import Item, ItemId
from tests.appservice.portal.test_papers import FakeCopier
from tests.fakes.memory import MemoryDatabase
from tests.fakes.post_office import PostOffice
from tests.policies.builders import both_sides, caucus_of, done, named

CASE = both_sides("!party add Bob bob@example.net on Jones", "!party add Cal cal@example.net as counsel on Jones")
ALICE, CARL, BOB = named(CASE, "Alice"), named(CASE, "Carl"), named(CASE, "Bob")
SECRET = b"%PDF-1.7 what only some may see"
NOW = datetime(2026, 1, 5, tzinfo=UTC)
CODEC = JsonCodec()
SENDER = Sender("Town Mediation", "+1 555 0100", "reply.example.org", "https://mediation.example.org")


@dataclass
class Room:
    """A document of Alice's, that Carl and Bob may download; Carl agreed to words by mail, and Bob did not."""

    database: MemoryDatabase
    vault: Vault
    deliverer: Deliverer
    post_office: PostOffice = field(default_factory=PostOffice)
    copier: FakeCopier = field(default_factory=FakeCopier)
    sha256: str = ""

    async def share(self, *, name: str = "plan.pdf", kind: Kind = Kind.PDF) -> None:
        async with self.vault.workroom.room() as room:
            (room / "plain").write_bytes(SECRET)
            kept = await self.vault.keep(CASE.id, room / "plain")
        version = Version(1, Label.CONSENT, kind, kind.mimetype, NOW, kept, kept, pages=3)
        who = (CARL.id, BOB.id)
        grants = tuple(Grant(1, one, Action.DOWNLOAD, ALICE.id, NOW) for one in who)
        consents = tuple(Consent(kept.sha256, one, Action.DOWNLOAD, NOW, "encrypted") for one in who)
        paper = Document(DocumentId("D1"), ALICE.id, caucus_of(CASE, "Smith"), name, (version,), grants, consents)
        self.sha256 = kept.sha256
        async with self.database.begin() as work:
            await work.vault.keep(kept.blob)
        await self.change(CASE.with_document(paper))

    async def change(self, case: Case) -> None:
        async with self.database.begin() as work:
            await work.cases.save(case)

    @property
    def case(self) -> Case:
        return self.database.committed.cases[CASE.id]

    async def send(self, to: str = "Carl", number: str = "i1") -> Outcome:
        """As the outbox has it sent."""
        person = named(CASE, to)
        effect = Enclose(DocumentId("D1"), 1, self.sha256, caucus_of(CASE, "Jones"), person.id)
        body = CODEC.dump(effect)
        item = Item(ItemId(number), person_lane(CASE.id, person.id), PEOPLE, CASE.id, body, NOW)
        async with self.database.begin() as work:
            await work.outbox.put(item)
        stored = self.database.committed.outbox.items[ItemId(number)]
        outcome, _ = await self.deliverer.deliver(stored, effect)
        return outcome

    def attached(self) -> list[tuple[str | None, bytes]]:
        """The files of all mails that left."""
        found = []
        for taken in self.post_office.taken:
            message = message_from_bytes(taken.raw, policy=default)
            assert isinstance(message, EmailMessage)
            found += [(part.get_filename(), part.get_content()) for part in message.iter_attachments()]
        return found


def while_copied(monkeypatch: pytest.MonkeyPatch, room: Room, changed: Callable[[Case], Case]) -> None:
    """The case changes while the next copy is made."""
    copy = FakeCopier.copy

    async def meanwhile(self: FakeCopier, source: Path, into: Path, kind: Kind, stamp: Stamp) -> NotMade | None:
        monkeypatch.setattr(FakeCopier, "copy", copy)
        await room.change(changed(room.case))
        return await copy(self, source, into, kind, stamp)

    monkeypatch.setattr(FakeCopier, "copy", meanwhile)


@pytest.fixture
async def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    database = MemoryDatabase()
    vault, copier = Vault(tmp_path, database, Folder(tmp_path / "blobs")), FakeCopier()
    house = House("example.org", "_mediatrix_", "reply.example.org", {}, documents=True)
    enclosures = Enclosures(Handouts(vault, copier), CODEC, house)
    mail = MailCourier(database, MailServer("127.0.0.1", 25, Security.NONE), SENDER, enclosures)
    network = CARL.endpoint.network
    deliverer = Deliverer(database, cast(Any, None), cast(Any, None), {network: mail}, codec=CODEC)
    made = Room(database, vault, deliverer, copier=copier)
    monkeypatch.setattr(courier, "send", made.post_office.send)
    await made.share()
    return made


async def test_a_copy_of_their_own_is_attached_and_on_record_with_its_hash(room: Room) -> None:
    assert isinstance(await room.send(), Sent)
    [(name, data)] = room.attached()
    assert name == "plan.pdf"
    assert data.startswith(SECRET)
    assert b"Copy for Carl" in data
    [serving] = room.case.documents[0].servings
    assert (serving.person, serving.action, serving.sha256) == (
        CARL.id,
        Action.DOWNLOAD,
        hashlib.sha256(data).hexdigest(),
    )
    assert serving.how == "made to go by mail, as a copy"
    [mail] = room.post_office.delivered
    assert serving.mark in mail.text
    assert room.database.committed.record


async def test_it_is_on_record_before_it_leaves(room: Room) -> None:
    async def look(_: str) -> None:
        assert len(room.case.documents[0].servings) == 1

    room.post_office.hazard = look
    assert isinstance(await room.send(), Sent)


async def test_who_agreed_to_links_alone_is_attached_nothing(room: Room) -> None:
    outcome = await room.send("Bob")
    assert isinstance(outcome, Cancelled)
    assert "not confirmed" in outcome.why
    assert not room.attached()
    assert not room.case.documents[0].servings


async def test_what_was_not_granted_or_was_taken_back_does_not_leave(room: Room) -> None:
    await room.change(room.case.with_document(revoked(room.case.documents[0], 1, None, NOW)))
    assert isinstance(await room.send(), Cancelled)
    assert isinstance(await room.send("Cal", "i2"), Cancelled)
    assert not room.post_office.taken
    assert not room.case.documents[0].servings


async def test_what_is_taken_back_while_a_copy_is_made_does_not_leave(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    while_copied(monkeypatch, room, lambda case: case.with_document(revoked(case.documents[0], 1, None, NOW)))
    assert isinstance(await room.send(), Cancelled)
    assert not room.post_office.taken
    assert not room.case.documents[0].servings


def channel(case: Case, **changed: object) -> Case:
    """The case with something else of Carl's channel."""
    carl = named(case, "Carl")
    return case.with_person(replace(carl, endpoint=replace(carl.endpoint, **changed)))  # type: ignore[arg-type]


@pytest.mark.parametrize("changed", [{"stopped": "a mediator paused it"}, {"doubt": Doubt("another wrote", Seen())}])
async def test_a_channel_that_is_paused_or_in_doubt_while_a_copy_is_made_gets_it_when_it_is_none_any_more(
    room: Room, monkeypatch: pytest.MonkeyPatch, changed: dict[str, object]
) -> None:
    while_copied(monkeypatch, room, lambda case: channel(case, **changed))
    outcome = await room.send()
    assert isinstance(outcome, Parked)
    assert outcome.key == channel_key(room.case, CARL.endpoint.id)
    assert not room.post_office.taken
    assert not room.case.documents[0].servings
    await room.change(channel(room.case, stopped=None, doubt=None))
    assert isinstance(await room.send(), Sent)
    assert len(room.attached()) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"id": EndpointId("another"), "address": "carl@elsewhere.example.net"},
        {"address": "carl@elsewhere.example.net"},
        {"id": EndpointId("another")},
    ],
)
async def test_a_mailbox_that_is_taken_from_them_while_a_copy_is_made_gets_none(
    room: Room, monkeypatch: pytest.MonkeyPatch, changed: dict[str, object]
) -> None:
    while_copied(monkeypatch, room, lambda case: channel(case, **changed))
    with pytest.raises(Trouble) as trouble:
        await room.send()
    assert trouble.value.transient
    assert not room.post_office.taken
    assert not room.case.documents[0].servings
    assert isinstance(await room.send(), Sent)
    assert [mail.recipient for mail in room.post_office.taken] == [named(room.case, "Carl").endpoint.address]


async def test_what_is_restored_and_not_confirmed_while_a_copy_is_made_waits(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def restored(case: Case) -> Case:
        room.database.committed.unconfirmed[case.id] = None
        return case

    while_copied(monkeypatch, room, restored)
    assert isinstance(await room.send(), Parked)
    assert not room.post_office.taken
    assert not room.case.documents[0].servings


async def test_what_was_granted_for_so_many_openings_is_not_sent_for_a_copy_can_be_opened_for_ever(room: Room) -> None:
    paper = room.case.documents[0]
    counted = tuple(replace(grant, most=1) for grant in paper.grants)
    await room.change(room.case.with_document(replace(paper, grants=counted)))
    outcome = await room.send()
    assert isinstance(outcome, Cancelled)
    assert "so many openings" in outcome.why
    assert not room.post_office.taken
    assert [grant.opened for grant in room.case.documents[0].grants] == [0, 0]


async def test_without_a_copy_nothing_leaves_and_nothing_is_written_down(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> NotMade:
        return NotMade(now=True)

    monkeypatch.setattr(FakeCopier, "copy", fail)
    with pytest.raises(Trouble) as trouble:
        await room.send()
    assert trouble.value.transient
    assert not room.post_office.taken
    assert not room.case.documents[0].servings


async def test_a_mail_that_nobody_acknowledged_is_not_sent_again(room: Room) -> None:
    room.post_office.verdicts = [Unknown("no answer")]
    assert isinstance(await room.send(), Unanswered)
    stored = room.database.committed.outbox.items[ItemId("i1")]
    assert stored.sending
    outcome, _ = await room.deliverer.deliver(stored, CODEC.load(stored.body))
    assert isinstance(outcome, Unanswered)
    assert len(room.case.documents[0].servings) == 1


async def test_each_try_is_a_copy_of_its_own_and_each_is_on_record(room: Room) -> None:
    room.post_office.verdicts = [Refused(452, permanent=False, why="full")]
    with pytest.raises(Trouble):
        await room.send()
    async with room.database.begin() as work:
        await work.outbox.retry(ItemId("i1"), NOW, "it was full", NOW)
    item = room.database.committed.outbox.items[ItemId("i1")]
    outcome, _ = await room.deliverer.deliver(item, CODEC.load(item.body))
    assert isinstance(outcome, Sent)
    # Of the one that did not leave it is only said that it was made.
    assert all(serving.how.startswith("made to go by mail") for serving in room.case.documents[0].servings)
    hashes = [serving.sha256 for serving in room.case.documents[0].servings]
    assert len(set(hashes)) == 2
    assert hashlib.sha256(room.attached()[0][1]).hexdigest() == hashes[1]


async def test_an_older_item_is_cancelled_once_its_reader_went_back_to_links(room: Room) -> None:
    await room.change(done(room.case, "!mail links Carl").case)
    outcome = await room.send()
    assert isinstance(outcome, Cancelled)


async def test_what_nobody_examined_and_what_is_too_large_is_not_attached(room: Room) -> None:
    await room.share(kind=Kind.OTHER)
    assert isinstance(await room.send(), Cancelled)
    await room.share()
    paper = room.case.documents[0]
    large = replace(paper.newest, served=replace(paper.newest.served, size=10_000_001))
    await room.change(room.case.with_document(replace(paper, versions=(large,))))
    assert isinstance(await room.send(number="i2"), Cancelled)
    assert not room.post_office.taken

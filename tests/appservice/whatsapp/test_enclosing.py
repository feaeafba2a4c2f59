"""A copy of a document reaches the telephone of whom it was made for, on record before it leaves, and nobody else."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from appservice.documents.handout import Enclosures, Handouts
from appservice.documents.intake import Ends, Intake
from appservice.documents.pipeline.copies import NotMade
from appservice.documents.pipeline.outcome import Clean, Examined
from appservice.documents.pipeline.redact import Redactor
from appservice.documents.shelf import Folder
from appservice.documents.vault import Vault
from appservice.matrix.homeserver import Homeserver
from appservice.whatsapp.enclosing import WhatsAppEnclosures
from bridges.whatsapp.api import UploadResult
from policies.case import DESK, Case, Conversation, Doubt, EndpointId, Seen
from policies.documents.carrying import Enclose
from policies.documents.document import Action, Document, Label
from policies.documents.files import Kind
from policies.documents.recipient import Stamp
from policies.documents.rights import relabelled
from policies.effects import Tell
from rooms.ids import UserId
from rooms.queue import Item, State
from sandbox.whatsapp.rules import Json
from tests.appservice.whatsapp.house import CODEC, WhatsAppHouse
from tests.bridges.whatsapp.builders import PRIVATE
from tests.fakes.graph import FakeCloud, Mishap, Unreachable
from tests.fakes.synapse import FakeSynapse
from tests.policies.builders import caucus_of, named

PDF = b"%PDF-1.7 what the other side must not see"


class Examining:
    async def examine(self, source: Path) -> Examined:
        """Everything is a clean PDF."""
        clean = source.with_name("clean")
        clean.write_bytes(source.read_bytes())  # noqa: ASYNC240 - a few bytes
        return Clean(Kind.PDF, clean, 1, ())


class Copying:
    """Writes below it whose copy it is, unless `fails`; something happens `then`."""

    fails: NotMade | None = None
    then: Callable[[], Awaitable[None]] | None = None

    async def copy(self, source: Path, into: Path, kind: Kind, stamp: Stamp) -> NotMade | None:
        if self.fails is None:
            into.write_bytes(source.read_bytes() + stamp.line.encode())  # noqa: ASYNC240 - a few bytes
        if self.then:
            await self.then()
        return self.fails


class Shared:
    """Files that become documents, and what of them goes to Bea's telephone."""

    def __init__(self, there: WhatsAppHouse, folder: Path) -> None:
        self.there, self.folder, self.copying = there, folder, Copying()
        vault = Vault(folder, there.database, Folder(folder / "blobs"))
        ends = Ends(UserId("@_mediatrix_bot:example.org"), cast(Homeserver, FakeSynapse()), None)
        self.intake = Intake(there.database, ends, vault, Examining(), cast(Redactor, None))
        made = Enclosures(Handouts(vault, self.copying), CODEC, there.house)
        there.enclosures = WhatsAppEnclosures(there.database, FakeCloud(there.graph), made)
        there.restarted()

    async def sent(self) -> None:
        """Mia shares a file in Bea's private room, and Bea has it sent to her."""
        await self.by("Mia", self.caucus)
        await self.there.says(f"!doc send {self.document.id}")

    async def by(self, name: str, where: Conversation, file: str = "brief.pdf") -> None:
        """Somebody shares a file in a private room, where it becomes a document."""
        (self.folder / "source").write_bytes(PDF)
        owner = named(self.there.case, name).id
        why = await self.intake.hand_in(self.there.case.id, owner, where, self.folder / "source", file, once="1")
        assert why is None
        await self.there.read()

    def happens(self, mishap: Unreachable | Mishap | int) -> None:
        """To the next request after the copy was made; to that which shows it, where only that can."""

        async def then() -> None:
            self.there.graph.mishaps.append(mishap)

        self.copying.then = then

    def while_uploaded(self, then: Callable[[], Awaitable[None]]) -> None:
        """It happens while WhatsApp takes the next copy."""
        enclosures = self.there.enclosures
        assert enclosures
        upload = enclosures._network.upload

        class Slow:
            async def upload(self, number: str, file: Path | bytes, mimetype: str, name: str) -> UploadResult:
                """As ever."""
                await then()
                return await upload(number, file, mimetype, name)

        enclosures._network = Slow()

    def arrived(self) -> list[Json]:
        """What of files her telephone shows."""
        return [message for message in self.there.phone.shows if message["type"] in {"image", "document"}]

    def bytes_there(self) -> list[bytes]:
        return self.there.phone.files(self.there.graph.files)

    def waiting(self) -> list[Item]:
        """The copies that are still to go."""
        items = self.there.database.committed.outbox.items.values()
        loaded = [(item, CODEC.load(item.body)) for item in items if item.state is not State.DONE]
        return [item for item, outgoing in loaded if isinstance(outgoing, Enclose)]

    @property
    def document(self) -> Document:
        (found,) = self.there.case.documents
        return found

    @property
    def caucus(self) -> Conversation:
        return caucus_of(self.there.case, "Jones")


@pytest.fixture
async def shared(tmp_path: Path) -> Shared:
    there = await WhatsAppHouse(documents=True).begin()
    await there.says("hello")
    return Shared(there, tmp_path)


async def test_a_copy_arrives_in_the_private_chat_with_her_name_on_it_and_is_on_record_by_its_hash(
    shared: Shared,
) -> None:
    await shared.sent()
    await shared.there.deliver()
    (message,) = shared.arrived()
    assert message["document"]["filename"] == "brief.pdf"
    caption = message["document"]["caption"]
    assert caption.startswith("🔒 PRIVATE – only your side and the mediator read this")
    assert f"This is your own copy of {shared.document.id}. It carries your name, and the mark " in caption
    assert [number for number, sent in shared.there.graph.accepted if sent is message] == [PRIVATE]
    (data,) = shared.bytes_there()
    assert data.startswith(PDF + b"Copy for Bea, ")
    (serving,) = shared.document.servings
    assert (serving.person, serving.action) == (shared.there.bea.id, Action.DOWNLOAD)
    assert serving.how == "made to go by WhatsApp, as a copy"
    assert serving.mark.encode() in data
    assert serving.sha256 != shared.document.newest.served.sha256
    assert not list((shared.folder / "work").iterdir())


@pytest.mark.parametrize(("owner", "where"), [("Alice", "Smith"), ("Mia", "Smith"), ("Mia", "")])
async def test_nothing_of_a_file_of_the_other_side_or_of_the_desk_reaches_her(
    shared: Shared, owner: str, where: str
) -> None:
    await shared.by(owner, caucus_of(shared.there.case, where) if where else DESK)
    await shared.there.says(f"!doc send {shared.document.id}")
    await shared.there.deliver()
    assert not shared.arrived()
    assert not shared.there.graph.files.stored


async def test_nothing_is_sent_that_nobody_asked_for(shared: Shared) -> None:
    await shared.by("Mia", shared.caucus)
    await shared.there.deliver()
    assert not shared.arrived()
    assert any(f"{shared.document.id} “brief.pdf”" in text for text in shared.there.phone.texts)


def in_doubt(shared: Shared) -> Case:
    """It may be another person who has her telephone now."""
    return channel(shared, doubt=Doubt("another identity", Seen()))


def paused(shared: Shared) -> Case:
    return channel(shared, stopped="a mediator paused it")


def stopped(shared: Shared) -> Case:
    return channel(shared, declined=True)


def elsewhere(shared: Shared) -> Case:
    """She has another channel, with a number that another has now."""
    return channel(shared, id=EndpointId("another"), address="+34600999999")


def narrowed(shared: Shared) -> Case:
    return shared.there.case.with_document(relabelled(shared.document, 1, Label.MEDIATORS, shared.there.now))


def without_consent(shared: Shared) -> Case:
    return channel(shared, content_consent=None)


def channel(shared: Shared, **changed: object) -> Case:
    bea = shared.there.bea
    return shared.there.case.with_person(replace(bea, endpoint=replace(bea.endpoint, **changed)))  # type: ignore[arg-type]


@pytest.mark.parametrize("while_uploaded", [False, True])
@pytest.mark.parametrize(
    ("changed", "state"),
    [
        (in_doubt, State.PARKED),
        (paused, State.PARKED),
        (stopped, State.PARKED),
        (elsewhere, State.READY),
        (narrowed, State.CANCELLED),
        (without_consent, State.CANCELLED),
    ],
)
async def test_what_changes_while_a_copy_is_made_or_taken_to_whatsapp_keeps_it_from_her_telephone(
    shared: Shared, changed: Callable[[Shared], Case], state: State, while_uploaded: bool
) -> None:
    async def now() -> None:
        async with shared.there.database.begin() as work:
            await work.cases.save(changed(shared))

    await shared.sent()
    if while_uploaded:
        shared.while_uploaded(now)
    else:
        shared.copying.then = now
    await shared.there.deliver()
    assert not shared.arrived()
    assert bool(shared.there.graph.files.stored) is while_uploaded
    assert len(shared.document.servings) == while_uploaded
    assert [item.state for item in shared.waiting()] == [state]


@pytest.mark.parametrize("at_the_last_moment", [False, True])
async def test_what_was_taken_back_before_it_left_does_not_leave(shared: Shared, at_the_last_moment: bool) -> None:
    async def narrowed() -> None:
        async with shared.there.database.begin() as work:
            narrow = relabelled(shared.document, 1, Label.MEDIATORS, shared.there.now)
            await work.cases.save(shared.there.case.with_document(narrow))

    await shared.sent()
    if at_the_last_moment:
        shared.copying.then = narrowed
    else:
        await narrowed()
    await shared.there.deliver()
    assert not shared.arrived()
    assert not shared.there.graph.files.stored
    assert not shared.document.servings
    assert [item.state for item in shared.waiting()] == [State.CANCELLED]


async def test_nothing_is_uploaded_while_she_has_not_written_for_a_day(shared: Shared) -> None:
    await shared.sent()
    shared.there.later(hours=25)
    await shared.there.deliver()
    assert not shared.there.graph.files.stored
    assert not shared.document.servings
    await shared.there.says("here I am")
    await shared.there.deliver()
    assert len(shared.arrived()) == 1


@pytest.mark.parametrize("mishap", [Unreachable.NO_CONNECTION, Mishap.NO_ANSWER, 131000])
async def test_an_upload_that_fails_is_tried_again_and_arrives_once(
    shared: Shared, mishap: Unreachable | Mishap | int
) -> None:
    await shared.sent()
    shared.happens(mishap)
    await shared.there.deliver()
    assert not shared.arrived()
    shared.copying.then = None
    await shared.there.deliver()
    assert len(shared.arrived()) == 1
    assert len(shared.document.servings) == 2


async def test_a_copy_without_an_answer_may_have_arrived_and_is_not_sent_again(shared: Shared) -> None:
    await shared.sent()
    shared.happens(Mishap.TAKEN_NO_ANSWER)
    await shared.there.deliver()
    await shared.there.deliver()
    assert [item.state for item in shared.waiting()] == [State.UNKNOWN]
    assert len(shared.arrived()) == 1


async def test_a_file_that_whatsapp_refuses_is_given_up_and_told(shared: Shared) -> None:
    await shared.sent()
    shared.happens(131053)
    await shared.there.deliver()
    (item,) = shared.waiting()
    assert item.state is State.DEAD
    assert any(
        text.startswith(f"Not delivered: the document {shared.document.id} for")
        for text in (e.text for e in shared.there.effects() if isinstance(e, Tell) and e.conversation == DESK)
    )


@pytest.mark.parametrize(("now", "state"), [(True, State.READY), (False, State.DEAD)])
async def test_without_a_copy_of_her_own_she_gets_none(shared: Shared, now: bool, state: State) -> None:
    shared.copying.fails = NotMade(now)
    await shared.sent()
    await shared.there.deliver()
    assert not shared.there.graph.files.stored
    assert [item.state for item in shared.waiting()] == [state]

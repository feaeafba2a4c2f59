"""A file is fetched, examined and kept once, or it is said why not; and deleted only if it is its sender's."""

import base64
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from appservice.codec import JsonCodec
from appservice.documents.as_it_came import POSTED_MOST
from appservice.documents.intake import FILED, FILING, REDACTED, REDACTION, Ends, Intake
from appservice.documents.pipeline.outcome import Clean, Examined
from appservice.documents.pipeline.redact import Covered
from appservice.documents.shelf import Folder
from appservice.documents.vault import Vault
from appservice.matrix.errors import MatrixError, MediaTooLargeError
from appservice.matrix.homeserver import Homeserver
from appservice.matrix.ids import MediaUri
from appservice.matrix.media import encrypt_file
from policies.documents.carrying import Cover
from policies.documents.document import Area, DocumentId, Label, Version
from policies.documents.files import Kind
from policies.documents.filing import Filing, Passed, Refused, Waits, decide_filed
from policies.documents.quota import Quota
from policies.documents.redaction import Redaction
from policies.effects import Ingest, Post
from policies.message import File, FileRef, MessageId, Text
from policies.networks.capabilities import FILM, VOICE
from policies.words.phrase import verbatim
from rooms.homeserver import Trouble
from rooms.ids import UserId
from rooms.ports import Entry
from rooms.queue import Item, ItemId, Lane
from tests.appservice.documents.films import film
from tests.fakes.memory import MemoryDatabase
from tests.fakes.synapse import FakeSynapse
from tests.policies.builders import AT, both_sides, caucus_of, facts, message

CASE = both_sides()
HERS, HIS = caucus_of(CASE, "Smith"), caucus_of(CASE, "Jones")
ALICE, BOB, BOT = (UserId(f"@{name}:example.org") for name in ("alice", "bob", "_mediatrix_bot"))
SECRET = b"her offer"
VOICE_MESSAGE = b"OggS" + b"\0" * 24 + b"OpusHead and what she says"


@dataclass
class Examining:
    """Says what it is told to say."""

    says: str = "clean"
    seen: list[bytes] = field(default_factory=list)

    async def examine(self, source: Path) -> Examined:
        self.seen.append(source.read_bytes())  # noqa: ASYNC240 - a few bytes
        match self.says:
            case "refused":
                return Refused(verbatim("It holds a macro."), harmful=True)
            case "film":
                return Refused(verbatim("Videos are not taken."), keepable=True)
            case "down":
                return Waits(verbatim("The scanner is down."))
            case _:
                clean = source.with_name("clean")
                clean.write_bytes(b"harmless")
                return Clean(Kind.PDF, clean, 1, ())


@dataclass
class Redacting:
    """Makes what it is told to make."""

    says: Refused | Waits | None = None
    seen: list[tuple[bytes, Sequence[Area], Sequence[str]]] = field(default_factory=list)

    async def redact(
        self, source: Path, kind: Kind, areas: Sequence[Area], words: Sequence[str]
    ) -> Covered | Refused | Waits:
        self.seen.append((source.read_bytes(), areas, words))  # noqa: ASYNC240 - a few bytes
        if self.says:
            return self.says
        made = source.with_name("redacted")
        made.write_bytes(b"black")
        return Covered(made, 3, 2, (1, 3))


class Room:
    """A message with a file, on its way."""

    def __init__(self, folder: Path, *, may_delete: bool = True) -> None:
        self.folder, self.database, self.synapse = folder, MemoryDatabase(), FakeSynapse()
        self.examiner, self.vault = (
            Examining(),
            Vault(folder / "documents", self.database, Folder(folder / "documents" / "blobs")),
        )
        matrix = cast(Homeserver, self.synapse)
        ends = Ends(BOT, matrix, matrix if may_delete else None)
        self.redactor = Redacting()
        self.intake = Intake(self.database, ends, self.vault, self.examiner, self.redactor)
        self.item = Item(ItemId("o1"), Lane("file"), "files", CASE.id, b"", AT)

    async def send(
        self, *, uploader: UserId = ALICE, sha256: str | None = None, uri: str | None = None, data: bytes = SECRET
    ) -> MediaUri:
        sealed = encrypt_file(data)
        uploaded = await self.synapse.media.reserve(as_user=uploader)
        self.synapse.media_files[uploaded] = sealed.ciphertext
        info = {
            **sealed.info,
            "url": uploaded if uri is None else uri,
            **({"hashes": {"sha256": sha256}} if sha256 else {}),
        }
        said = message(CASE, "Alice", HERS, File("offer.pdf", "x/y", 9, FileRef(json.dumps(info)), "only clause 3"))
        async with self.database.begin() as work:
            await work.cases.save(CASE)
            await work.journal.append(Entry(CASE.id, said))
        return uploaded

    async def ingest(self) -> str | None:
        return await self.intake.ingest(self.item, CASE.id, Ingest(MessageId("m1"), HERS))

    def filed(self) -> list[Filing]:
        items = self.database.committed.inbox.items.values()
        return [FILING.load(item.body) for item in items if item.kind == FILED]

    def open_files(self) -> list[Path]:
        return [p for p in self.folder.rglob("*") if p.is_file() and SECRET in p.read_bytes()]


def failing(error: Exception) -> Callable[[str], Awaitable[None]]:
    """Whatever is asked of the homeserver, it answers so."""

    async def hazard(call: str) -> None:
        raise error

    return hazard


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


async def test_a_file_is_kept_once_however_often_it_is_fetched(room: Room) -> None:
    await room.send()
    assert [await room.ingest() for _ in range(3)] == [None, None, None]
    [filing] = room.filed()
    assert isinstance(filing.result, Passed)
    assert filing.words == "only clause 3"
    assert room.examiner.seen == [SECRET]
    assert len([path for path in room.folder.rglob("*") if path.is_file()]) == 2
    assert room.open_files() == []


async def test_what_another_process_has_kept_meanwhile_is_not_kept_twice(room: Room) -> None:
    await room.send()
    await room.ingest()
    [done] = [item.id for item in room.database.committed.inbox.items.values() if item.kind == FILED]
    filing = room.filed()[0]
    assert await room.intake._filed(room.item, CASE.id, filing) is None
    assert [item.id for item in room.database.committed.inbox.items.values() if item.kind == FILED] == [done]


@pytest.mark.parametrize("says", ["clean", "refused", "down"])
async def test_a_file_of_a_mail_is_kept_without_the_homeserver_or_comes_back_to_be_posted(
    room: Room, says: str
) -> None:
    data = FileRef(json.dumps({"data": base64.b64encode(SECRET).decode()}))
    file, words = File("offer.pdf", "x/y", 9, data), message(CASE, "Carl", HIS, Text("see there"))
    async with room.database.begin() as work:
        await work.cases.save(CASE)
        await work.journal.append(Entry(CASE.id, replace(words, files=(file,))))
    room.synapse.hazard = failing(MatrixError("fake", "M_UNKNOWN", 500, transient=True))
    room.examiner.says = says
    post = Post(HIS, words.author, file, words.id)
    effect = JsonCodec().load(JsonCodec().dump(Ingest(words.id, HIS, attached=post)))
    assert isinstance(effect, Ingest)
    assert await room.intake.ingest(room.item, CASE.id, effect) == ("The scanner is down." if says == "down" else None)
    [filing] = room.filed()
    assert (filing.message, filing.author, filing.said_in, filing.home) == (None, words.author, HIS, HIS)
    assert (filing.otherwise == post) is (says == "refused")
    assert isinstance(filing.result, Passed) is (says == "clean")
    assert room.examiner.seen == [SECRET]
    assert not room.database.committed.media
    assert room.open_files() == []


async def test_what_is_refused_is_not_kept(room: Room) -> None:
    await room.send()
    room.examiner.says = "refused"
    assert await room.ingest() is None
    assert [filing.result for filing in room.filed()] == [Refused(verbatim("It holds a macro."), harmful=True)]
    assert not (room.folder / "documents" / "blobs").exists()


async def test_what_may_be_kept_all_the_same_lies_locked_as_it_was_sent(room: Room) -> None:
    await room.send()
    room.examiner.says = "film"
    assert await room.ingest() is None
    [filing] = room.filed()
    assert isinstance(filing.result, Refused)
    locked = filing.result.kept
    assert locked
    await room.vault.copy_out(CASE.id, locked, room.folder / "out")
    assert (room.folder / "out").read_bytes() == SECRET
    (room.folder / "out").unlink()
    assert room.open_files() == []


@pytest.mark.parametrize(
    ("data", "says", "mime"),
    [
        (VOICE_MESSAGE, "film", VOICE),
        (film(), "film", FILM),
        (VOICE_MESSAGE, "refused", None),
        (film(), "refused", None),
        (VOICE_MESSAGE, "down", None),
        (film(), "down", None),
        (b"OggS" + b"\0" * 24 + b"vorbis", "film", None),
        (film(brand=b"qt  "), "film", None),
        (film(data=bytes(POSTED_MOST)), "film", None),
        (SECRET, "film", None),
    ],
)
async def test_of_what_was_looked_into_and_is_no_document_what_is_played_alone_goes_on_with_its_bytes(
    room: Room, data: bytes, says: str, mime: str | None
) -> None:
    await room.send(data=data)
    room.examiner.says = says
    await room.ingest()
    [filing] = room.filed()
    assert (filing.voice is not None) is (mime is not None)
    if filing.voice:
        assert (filing.voice.conversation, filing.voice.message) == (HERS, "m1")
        assert isinstance(filing.voice.content, File)
        assert filing.voice.content.mime == mime
        assert base64.b64decode(json.loads(filing.voice.content.ref)["data"]) == data


async def test_what_is_over_a_limit_is_not_even_looked_into(room: Room) -> None:
    room.intake._quota = Quota(day_files=0)
    await room.send()
    assert await room.ingest() is None
    [filing] = room.filed()
    assert isinstance(filing.result, Refused)
    assert filing.result.limit
    assert room.examiner.seen == []
    assert not (room.folder / "documents" / "blobs").exists()


async def test_what_came_by_mail_and_is_over_a_limit_stands_nowhere_since_nobody_looked_into_it(room: Room) -> None:
    room.intake._quota = Quota(day_files=0)
    await room.send()
    ref = FileRef(json.dumps({"data": base64.b64encode(SECRET).decode()}))
    said = message(CASE, "Alice", HERS, File("offer.docm", "x/y", 9, ref, ""))
    post = Post(HERS, said.author, said.content, said.id)
    assert await room.intake.ingest(room.item, CASE.id, Ingest(MessageId("m1"), HERS, attached=post)) is None
    [filing] = room.filed()
    assert filing.otherwise is None
    assert not [e for e in decide_filed(CASE, filing, facts(None)).effects if isinstance(e, Post)]


async def test_a_scanner_that_is_down_is_said_once_and_then_it_is_kept(room: Room) -> None:
    await room.send()
    room.examiner.says = "down"
    assert [await room.ingest(), await room.ingest()] == ["The scanner is down."] * 2
    assert [filing.result for filing in room.filed()] == [Waits(verbatim("The scanner is down."))]
    room.examiner.says = "clean"
    assert await room.ingest() is None
    assert isinstance(room.filed()[-1].result, Passed)


async def test_another_file_than_was_encrypted_is_not_examined(room: Room) -> None:
    await room.send(sha256="A" * 43)
    assert await room.ingest() is None
    assert isinstance(room.filed()[0].result, Refused)
    assert room.examiner.seen == []


async def test_a_file_that_is_gone_is_said_to_be(room: Room) -> None:
    room.synapse.media_files.pop(await room.send())
    assert await room.ingest() is None
    assert [filing.result for filing in room.filed()] == [Refused(verbatim("The server does not have it any more."))]


async def test_a_file_that_is_too_large_to_be_fetched_is_said_to_be_so(room: Room) -> None:
    await room.send()
    room.synapse.hazard = failing(MediaTooLargeError("too much"))
    assert await room.ingest() is None
    assert [filing.result for filing in room.filed()] == [Refused(verbatim("It is larger than a document can be."))]


@pytest.mark.parametrize(
    ("errcode", "status"), [("M_MISSING_TOKEN", 401), ("M_FORBIDDEN", 403), ("M_UNRECOGNIZED", 404), ("M_UNKNOWN", 500)]
)
async def test_a_file_that_the_homeserver_does_not_give_us_now_is_not_called_gone(
    room: Room, errcode: str, status: int
) -> None:
    await room.send()
    room.synapse.hazard = failing(MatrixError("fake", errcode, status, transient=False))
    with pytest.raises(Trouble) as trouble:
        await room.ingest()
    assert trouble.value.transient
    assert room.filed() == []


async def test_a_file_that_the_homeserver_does_not_give_us_for_a_day_is_given_up_in_words(room: Room) -> None:
    await room.send()
    room.synapse.hazard = failing(MatrixError("fake", "M_FORBIDDEN", 403, transient=False))
    room.item = replace(room.item, failing_since=datetime.now(UTC) - timedelta(days=1, minutes=1))
    assert await room.ingest() is None
    assert [filing.result for filing in room.filed()] == [
        Refused(verbatim("The server does not give it out. Please send it again."))
    ]


async def test_a_homeserver_that_is_away_for_days_makes_nobody_send_a_file_again(room: Room) -> None:
    await room.send()
    room.synapse.hazard = failing(MatrixError("fake", "M_UNKNOWN", 502, transient=True))
    room.item = replace(room.item, failing_since=datetime.now(UTC) - timedelta(days=9))
    with pytest.raises(Trouble) as trouble:
        await room.ingest()
    assert trouble.value.transient


@pytest.mark.parametrize("uri", ["mxc://elsewhere.example/x", "mxc://../x", "mxc://[::1/x", "mxc://example.org:1/x"])
async def test_a_file_on_another_homeserver_is_not_fetched_from_there(room: Room, uri: str) -> None:
    await room.send(uri=uri)
    room.synapse.hazard = failing(AssertionError("it was asked for"))
    assert await room.ingest() is None
    [filing] = room.filed()
    assert isinstance(filing.result, Refused)
    assert "another homeserver" in filing.result.why


@pytest.mark.parametrize("uri", ["", "https://example.org/x", "mxc://example.org", "mxc://example.org/a/b"])
async def test_what_is_no_address_of_a_file_is_refused(room: Room, uri: str) -> None:
    await room.send(uri=uri)
    assert await room.ingest() is None
    assert [filing.result for filing in room.filed()] == [
        Refused(verbatim("It is not the file that its sender encrypted."))
    ]


async def test_a_vault_that_cannot_be_written_is_tried_again(room: Room) -> None:
    await room.send()
    (room.folder / "documents").write_text("not a folder")
    with pytest.raises(Trouble) as trouble:
        await room.ingest()
    assert trouble.value.transient
    assert room.filed() == []


async def test_a_disk_that_is_full_as_a_document_is_posted_is_tried_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.send()
    await room.ingest()
    result = room.filed()[0].result
    assert isinstance(result, Passed)
    version = Version(1, Label.CAUCUS, Kind.PDF, "application/pdf", AT, result.served, result.original)
    monkeypatch.setattr(room.vault, "copy_out", full)
    with pytest.raises(Trouble) as trouble:
        await room.intake.upload(room.item, CASE.id, version, "offer.pdf")
    assert trouble.value.transient


async def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


async def test_what_somebody_else_uploaded_stays(room: Room) -> None:
    await room.send(uploader=BOB)
    await room.ingest()
    assert not await room.intake.delete(ItemId("m1"))
    assert room.synapse.media_files


async def test_what_was_kept_is_deleted_and_that_is_known(room: Room) -> None:
    await room.send()
    await room.ingest()
    assert await room.intake.delete(ItemId("m1"))
    assert not room.synapse.media_files
    assert room.database.committed.media[ItemId("m1")].gone


async def test_without_a_token_nothing_is_deleted(tmp_path: Path) -> None:
    room = Room(tmp_path, may_delete=False)
    await room.send()
    await room.ingest()
    assert not await room.intake.delete(ItemId("m1"))
    assert room.synapse.media_files


async def wished(room: Room) -> Cover:
    """Alice's offer is a document, and something in it is to be black."""
    await room.send()
    await room.ingest()
    [filing] = room.filed()
    case = decide_filed(CASE, filing, facts(None)).case
    async with room.database.begin() as work:
        await work.cases.save(case)
    [document] = case.documents
    area = Area(1, 0, 0, 500, 500)
    return Cover(document.id, 1, document.newest.served.sha256, (area,), ("Bob",), document.owner)


def made(room: Room) -> list[Redaction]:
    items = room.database.committed.inbox.items.values()
    return [REDACTION.load(item.body) for item in items if item.kind == REDACTED]


async def test_a_redacted_version_is_made_of_what_others_get_and_kept_once(room: Room) -> None:
    wish = await wished(room)
    item = replace(room.item, id=ItemId("o2"))
    assert [await room.intake.redact(item, CASE.id, wish) for _ in range(2)] == [None, None]
    assert room.redactor.seen == [(b"harmless", wish.areas, wish.words)]
    [redaction] = made(room)
    assert (redaction.wished, redaction.places, redaction.on) == (wish, 2, (1, 3))
    result = redaction.result
    assert isinstance(result, Passed)
    assert (result.kind, result.pages, result.original) == (Kind.PDF, 3, result.served)
    async with room.vault.workroom.room() as folder:
        await room.vault.copy_out(CASE.id, result.served, folder / "out")
        assert (folder / "out").read_bytes() == b"black"
    assert room.open_files() == []


@pytest.mark.parametrize("result", [Refused(verbatim("No such words.")), Waits(verbatim("Nobody is there."))])
async def test_why_no_redacted_version_was_made_is_told(room: Room, result: Refused | Waits) -> None:
    wish = await wished(room)
    room.redactor.says = result
    item = replace(room.item, id=ItemId("o2"))
    why = [await room.intake.redact(item, CASE.id, wish) for _ in range(2)][-1]
    assert why == (result.why if isinstance(result, Waits) else None)
    assert [redaction.result for redaction in made(room)] == [result]
    room.redactor.says = None
    await room.intake.redact(item, CASE.id, wish)
    assert len(made(room)) == (2 if isinstance(result, Waits) else 1)


async def test_a_redacted_version_over_a_limit_is_not_kept_and_that_is_told(room: Room) -> None:
    wish = await wished(room)
    blobs = set((room.folder / "documents" / "blobs").rglob("*"))
    room.intake._quota = Quota(person_bytes=len(SECRET) + len(b"black") - 1)
    assert await room.intake.redact(replace(room.item, id=ItemId("o2")), CASE.id, wish) is None
    [redaction] = made(room)
    assert isinstance(redaction.result, Refused)
    assert "no room for more documents" in redaction.result.why
    assert set((room.folder / "documents" / "blobs").rglob("*")) == blobs


async def test_a_version_that_is_not_the_one_that_was_meant_is_not_redacted(room: Room) -> None:
    wish = await wished(room)
    others = (replace(wish, sha256="0" * 64), replace(wish, version=2), replace(wish, document=DocumentId("D9")))
    for number, other in enumerate(others):
        assert await room.intake.redact(replace(room.item, id=ItemId(f"other{number}")), CASE.id, other) is None
    assert all(isinstance(one.result, Refused) for one in made(room))
    assert {str(one.wished) for one in made(room)} == {str(other) for other in others}
    await room.intake.redact(replace(room.item, id=ItemId("o2")), CASE.id, wish)
    assert len(made(room)) == 4

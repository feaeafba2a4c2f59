"""A file on its way through the vault, cut off at every boundary: kept once, seen by its side alone, nothing left open.

The whole service, its database, vault and encryption; only who examines and who redacts are stand-ins.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from unittest.mock import patch

import pytest
from pydantic import SecretStr

from appservice.documents import house as document_house
from appservice.documents.pipeline.outcome import Clean, Examined
from appservice.documents.pipeline.redact import Covered
from appservice.matrix.ids import MediaUri
from appservice.matrix.media import encrypt_file
from appservice.setup.config import Config, Documents
from policies.case import DESK, JOINT, Case
from policies.documents.document import Document
from policies.documents.files import Kind
from policies.words.phrase import verbatim
from rooms.ids import UserId
from rooms.queue import State
from tests.fakes.synapse import Room, decrypted
from tests.faults.boundaries import Cut
from tests.faults.house import CASE, PEOPLE, House, Setting, standing
from tests.faults.scenarios import FAR, Broken, Scenario, cut_at
from tests.invariants.world import ALICE, BOB, CARL, MIA, configuration

SECRET = b"what only her side may read"
SERVED = SECRET + b", without its author"
REDACTED = b"black"
EVERY = 12
"""Among the tests that take seconds, only every so many boundaries are cut at."""


class Examining:
    """Takes the author's name out of anything."""

    async def examine(self, source: Path) -> Examined:
        clean = source.with_name("clean")
        clean.write_bytes(SERVED)
        return Clean(Kind.PDF, clean, 2, (verbatim("the author's name was removed"),))


class Redacting:
    """Makes everything black."""

    async def redact(self, source: Path, *_: object) -> Covered:
        made = source.with_name("redacted")
        made.write_bytes(REDACTED)
        return Covered(made, 1, 1, (1,))


def configured(folder: Path, *, may_delete: bool = True) -> Config:
    token = SecretStr("an administrator's token") if may_delete else None
    documents = Documents.model_construct(
        enabled=True,
        folder=folder / "documents",
        media_admin_token=token,
        day_files=10_000,  # one for each boundary
    )
    return configuration().model_copy(update={"documents": documents})


@contextmanager
def beside_a_vault(house: House) -> Iterator[None]:
    """Who examines and who redacts are stand-ins."""

    def stand_in(*_: object, **__: object) -> Examining:
        return Examining()

    with patch.multiple(
        document_house, Pipeline=stand_in, Covering=lambda _: Redacting(), Homeserver=lambda *_: house.synapse
    ):
        yield


VAULT = Setting(configured, beside_a_vault)


@asynccontextmanager
async def with_a_vault(folder: Path, *, may_delete: bool = True) -> AsyncIterator[House]:
    async with standing(folder, Setting(partial(configured, may_delete=may_delete), beside_a_vault)) as house:
        yield house


async def send_file(house: House, user: UserId, room: Room, name: str, data: bytes = SECRET) -> MediaUri:
    """Somebody posts an encrypted file."""
    sealed = encrypt_file(data)
    async with house.calm():
        uri = await house.synapse.media.reserve(as_user=user)
        house.synapse.media_files[uri] = sealed.ciphertext
    info = {"mimetype": "application/pdf", "size": len(data)}
    more = {"msgtype": "m.file", "filename": name, "info": info, "file": {**sealed.info, "url": uri}}
    await house.post(user, room, name, **more)
    return uri


async def case_of(house: House) -> Case:
    async with house.calm(), house.database.begin() as work:
        case = await work.cases.load(CASE)
    assert case is not None
    return case


async def document_called(house: House, name: str) -> Document:
    found = [d for d in (await case_of(house)).documents if d.name == name]
    if len(found) != 1 or len(found[0].versions) != 1:
        raise Broken(f"{len(found)} documents, with {[len(d.versions) for d in found]} versions")
    return found[0]


async def cards(house: House, user: UserId, room: Room, name: str) -> int:
    return len([text for text in await house.reads(user, room) if f"“{name}”" in text and "Label:" in text])


async def alice_sends_a_file(house: House, word: str) -> None:
    private = await house.room(await house.caucus_of("Alice"))
    # The very same bytes would be the same document.
    await send_file(house, ALICE, private, f"{word}.pdf", SECRET + word.encode())
    await house.work_off()


async def it_is_kept_once_and_gone_elsewhere(house: House, word: str) -> None:
    name = f"{word}.pdf"
    document = await document_called(house, name)
    version = document.newest
    await _comes_out(house, document)
    private, bobs = await house.caucus_of("Alice"), await house.room(await house.caucus_of("Bob"))
    if await cards(house, ALICE, await house.room(private), name) != 1:
        raise Broken("her side has not one card")
    if await cards(house, BOB, bobs, name) or await cards(house, BOB, await house.room(JOINT), name):
        raise Broken("the other side has a card")
    if house.synapse.media_files:
        raise Broken("something is left at the homeserver")
    if version.served == version.original:
        raise Broken("the original is what is served")
    await nothing_lies_open(house)


async def _comes_out(house: House, document: Document) -> None:
    parts = house.service.parts.documents
    assert parts is not None
    version = document.newest
    async with house.calm(), parts.vault.workroom.room() as room:
        await parts.vault.copy_out(CASE, version.original, room / "original")
        await parts.vault.copy_out(CASE, version.served, room / "served")
        original, served = (room / "original").read_bytes(), (room / "served").read_bytes()
    if (original[: len(SECRET)], served) != (SECRET, SERVED):
        raise Broken("the vault gives something else back")


async def nothing_lies_open(house: House) -> None:
    """No plaintext in any file of the service's."""
    assert house.config.documents is not None
    folder = house.config.documents.folder
    for path in folder.parent.rglob("*"):
        if path.is_file() and SECRET in path.read_bytes():
            raise Broken("plaintext lies open")


SENDING = Scenario("a file goes to the vault", alice_sends_a_file, it_is_kept_once_and_gone_elsewhere, VAULT)


async def test_a_file_survives_a_kill_here_and_there(tmp_path: Path) -> None:
    async with with_a_vault(tmp_path) as house:
        assert await cut_at(house, SENDING, Cut.KILL, FAR) is None
        fell = [await cut_at(house, SENDING, Cut.KILL, boundary) for boundary in range(5, 5 * EVERY, EVERY)]
        assert None not in fell


@pytest.mark.e2e
@pytest.mark.parametrize("cut", Cut)
async def test_a_file_survives_every_boundary(cut: Cut, tmp_path: Path) -> None:
    async with with_a_vault(tmp_path) as house:
        fell = set()
        for boundary in count():
            name = await cut_at(house, SENDING, cut, boundary)
            if name is None:
                break
            fell.add(name)
        expected = {
            Cut.KILL: {"download", "delete", "redact", "commit in intake._file_away"},
            Cut.HOMESERVER: {"download", "delete", "redact"},
            Cut.DATABASE: {"end in intake._file_away", "end in vault.keep"},
        }
        assert expected[cut] <= fell


async def it_is_released(house: House, word: str) -> None:
    await alice_sends_a_file(house, word)
    await house.drain()
    number = (await document_called(house, f"{word}.pdf")).id
    await _release(house, f"!doc grant {number} download to all")


async def bob_has_it_once(house: House, word: str) -> None:
    document = await document_called(house, f"{word}.pdf")
    assert document.grants
    found = await files_posted(house, await house.room(JOINT), BOB)
    if found.count(SERVED) != 1:
        raise Broken(f"Bob can fetch it {found.count(SERVED)} times")
    if {g.person for g in document.grants} != {c.person for c in document.consents}:
        raise Broken("a grant without its consent")
    await _everything_is_known(house)
    await nothing_lies_open(house)
    # For the next time.
    private = await house.room(await house.caucus_of("Alice"))
    await house.post(ALICE, private, f"!doc revoke {document.id}")
    await house.drain()


async def it_is_released_and_taken_back(house: House, word: str) -> None:
    await it_is_released(house, word)
    number = (await document_called(house, f"{word}.pdf")).id
    await house.post(ALICE, await house.room(await house.caucus_of("Alice")), f"!doc revoke {number}")
    await house.drain()


async def nobody_has_it(house: House, word: str) -> None:
    document = await document_called(house, f"{word}.pdf")
    if any(grant.revoked is None for grant in document.grants) or not document.grants:
        raise Broken("a grant stands that was taken back")
    if await files_posted(house, await house.room(JOINT), BOB) or house.synapse.media_files:
        raise Broken("something is left of it at the homeserver")
    await nothing_lies_open(house)


async def _everything_is_known(house: House) -> None:
    """Whatever lies at the homeserver, the ledger knows."""
    known = set()
    for document in (await case_of(house)).documents:
        async with house.calm(), house.database.begin() as work:
            known |= {media.uri for media in await work.vault.posted(CASE, document.id)}
    if not set(house.synapse.media_files) <= known:
        raise Broken("something lies at the homeserver that the ledger doesn't know")


RELEASING = Scenario("a document is released", it_is_released, bob_has_it_once, VAULT)
REVOKING = Scenario("a document is taken back", it_is_released_and_taken_back, nobody_has_it, VAULT)


@pytest.mark.e2e
@pytest.mark.parametrize("cut", [Cut.KILL, Cut.HOMESERVER])
@pytest.mark.parametrize("scenario", [RELEASING, REVOKING], ids=lambda scenario: scenario.name)
async def test_a_release_and_a_revocation_survive_each_kind_of_boundary(
    scenario: Scenario, cut: Cut, tmp_path: Path
) -> None:
    async with with_a_vault(tmp_path) as house:
        assert await cut_at(house, scenario, cut, FAR) is None
        fell = {await cut_at(house, scenario, cut, place) for place in house.boundaries.places(cut)[::2]}
        assert len(fell) > 1


async def test_a_release_survives_a_kill_as_its_file_leaves(tmp_path: Path) -> None:
    async with with_a_vault(tmp_path) as house:
        for place, call in enumerate(("reserve", "fill")):
            assert await cut_at(house, RELEASING, Cut.KILL, place, only=call) == call


async def test_a_file_in_the_joint_room_is_gone_and_belongs_to_its_senders_side(tmp_path: Path) -> None:
    async with with_a_vault(tmp_path) as house:
        joint = await house.room(JOINT)
        await send_file(house, ALICE, joint, "slip.pdf")
        await house.drain()
        document = await document_called(house, "slip.pdf")
        assert document.home == await house.caucus_of("Alice")
        assert {person.name for person in (await case_of(house)).people if person.id in document.exposed} == {
            "Mia", "Bob", "Carl",
        }  # fmt: skip
        assert [e.type for e in joint.timeline if e.type == "m.room.redaction"] == ["m.room.redaction"]
        assert not house.synapse.media_files
        assert await cards(house, BOB, joint, "slip.pdf") == 0


async def test_without_an_administrators_token_the_bytes_stay_and_it_is_said(tmp_path: Path) -> None:
    async with with_a_vault(tmp_path, may_delete=False) as house:
        private = await house.room(await house.caucus_of("Alice"))
        await send_file(house, ALICE, private, "stays.pdf")
        await house.drain()
        assert house.synapse.media_files
        assert any("stay on the server" in text for text in await house.reads(ALICE, private))


async def test_what_somebody_else_uploaded_is_not_deleted_for_a_party(tmp_path: Path) -> None:
    """An event may name any URI: it must not make us delete another's file."""
    async with with_a_vault(tmp_path) as house:
        sealed = encrypt_file(SECRET)
        async with house.calm():
            uri = await house.synapse.media.reserve(as_user=BOB)
            house.synapse.media_files[uri] = sealed.ciphertext
        private = await house.room(await house.caucus_of("Alice"))
        more = {"msgtype": "m.file", "filename": "x.pdf", "info": {}, "file": {**sealed.info, "url": uri}}
        await house.post(ALICE, private, "x.pdf", **more)
        await house.drain()
        assert set(house.synapse.media_files) == {uri}


async def carl_mails_a_file(house: House, word: str) -> None:
    await house.mail(house.letter(CARL, "PRIVATE"), f"see {word}", **{word: SECRET + word.encode()})
    await house.work_off()


async def it_is_kept_once_and_stands_nowhere(house: House, word: str) -> None:
    name, his = f"{word}.pdf", await house.caucus_of("Carl")
    document = await document_called(house, name)
    if document.home != his:
        raise Broken("it is not his side's")
    await _comes_out(house, document)
    if [await cards(house, user, await house.room(his), name) for user in (BOB, MIA)] != [1, 1]:
        raise Broken("his side has not one card")
    if await cards(house, ALICE, await house.room(JOINT), name) or await files_posted(
        house, await house.room(his), BOB
    ):
        raise Broken("it stands in a room")
    for user in PEOPLE:
        for room in house.synapse.all_rooms.values():
            words = [text for text in await house.reads(user, room) if text == f"see {word}"]
            if len(words) != (user != ALICE and room is await house.room(his)):
                raise Broken(f"{user} reads his words {len(words)} times in {room.id}")
            if user == ALICE and any(word in text for text in await house.reads(user, room)):
                raise Broken("the other side reads of it")
    told = len([mail for mail in house.post_office.mailbox(CARL) if f"“{name}”" in mail.text])
    if told > 1 or told + await house.items(State.UNKNOWN) < 1:
        raise Broken(f"he was told {told} times")
    await nothing_lies_open(house)


MAILING = Scenario("a mail brings a file", carl_mails_a_file, it_is_kept_once_and_stands_nowhere, VAULT)


async def test_a_file_of_a_mail_is_a_document_of_its_side_whoever_is_killed(tmp_path: Path) -> None:
    async with with_a_vault(tmp_path) as house:
        assert await cut_at(house, MAILING, Cut.KILL, FAR) is None
        filed = "commit in intake._file_away"
        assert await cut_at(house, MAILING, Cut.KILL, 0, only=filed) == filed


async def alice_wishes_for_a_redacted_version(house: House, word: str) -> None:
    await alice_sends_a_file(house, word)
    await house.drain()
    private = await house.room(await house.caucus_of("Alice"))
    number = next(d.id for d in (await case_of(house)).documents if d.name == f"{word}.pdf")
    await house.post(ALICE, private, f"!doc redact {number} “offer”")
    await house.work_off()


async def there_is_one_and_nothing_lies_open(house: House, word: str) -> None:
    [document] = [d for d in (await case_of(house)).documents if d.name == f"{word}.pdf"]
    if [version.number for version in document.versions] != [1, 2]:
        raise Broken(f"it has {len(document.versions)} versions")
    parts, version = house.service.parts.documents, document.newest
    assert parts is not None
    async with house.calm(), parts.vault.workroom.room() as room:
        await parts.vault.copy_out(CASE, version.served, room / "redacted")
        if (room / "redacted").read_bytes() != REDACTED:
            raise Broken("the vault gives something else back")
    if await cards(house, BOB, await house.room(await house.caucus_of("Bob")), document.name):
        raise Broken("the other side has a card")
    await nothing_lies_open(house)


async def test_a_redacted_version_is_made_once_whoever_is_killed(tmp_path: Path) -> None:
    redacting = Scenario("a redacted version", alice_wishes_for_a_redacted_version, there_is_one_and_nothing_lies_open)
    async with with_a_vault(tmp_path) as house:
        assert await cut_at(house, redacting, Cut.KILL, FAR) is None
        filed = "commit in intake._file_away"
        # The first is of the file itself, the second of its redacted version.
        for place in range(2):
            assert await cut_at(house, redacting, Cut.KILL, place, only=filed) == filed


async def _release(house: House, command: str) -> None:
    desk, private = await house.room(DESK), await house.room(await house.caucus_of("Alice"))
    await house.post(MIA, desk, command)
    await house.drain()
    for user, room in ((MIA, desk), (ALICE, private)):
        asked = [text for text in await house.reads(user, room) if "“yes " in text]
        assert asked, await house.reads(user, room)
        await house.post(user, room, f"yes {asked[-1].rpartition('“yes ')[2].partition('”')[0]}")
        await house.drain()


async def files_posted(house: House, room: Room, user: UserId) -> list[bytes]:
    """What somebody could fetch of the files that we posted in a room."""
    found = []
    for event in room.timeline:
        if event.type != "m.room.encrypted" or user not in event.seen_by or event.sender in PEOPLE:
            continue
        async with house.calm():
            content = await house.clients.content(house.device(user), event)
        file = content.get("file") if content else None
        if file and file["url"] in house.synapse.media_files:
            found.append(decrypted(house.synapse.media_files[file["url"]], file))
    return found


async def test_what_is_granted_can_be_fetched_and_after_a_revocation_nobody_can(tmp_path: Path) -> None:
    async with with_a_vault(tmp_path) as house:
        private, joint = await house.room(await house.caucus_of("Alice")), await house.room(JOINT)
        await send_file(house, ALICE, private, "offer.pdf")
        await house.drain()
        await _release(house, "!doc grant D1 view to all")
        assert await cards_released(house, joint, BOB) == 1
        assert await files_posted(house, joint, BOB) == []
        await _release(house, "!doc grant D1 download to all")
        assert await files_posted(house, joint, BOB) == [SERVED]
        await house.post(ALICE, private, "!doc revoke D1")
        await house.drain()
        assert await files_posted(house, joint, BOB) == []
        assert not house.synapse.media_files
        await nothing_lies_open(house)


async def cards_released(house: House, room: Room, user: UserId) -> int:
    return len([text for text in await house.reads(user, room) if "A document of Alice’s, released" in text])


async def test_a_file_goes_to_no_room_where_somebody_may_not_have_it(tmp_path: Path) -> None:
    """Decided for a room in which everybody might have it; when it is to be posted, somebody may not any more."""
    async with with_a_vault(tmp_path) as house:
        private = await house.room(await house.caucus_of("Alice"))
        await send_file(house, ALICE, private, "offer.pdf")
        await house.drain()
        await house.post(ALICE, private, "!doc show D1 file")
        await house.post(ALICE, private, "!doc label D1 privileged")
        await house.drain()
        assert await files_posted(house, private, ALICE) == []
        assert not house.synapse.media_files

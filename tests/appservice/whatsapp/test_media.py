"""A file sent by WhatsApp becomes a document of its author's side, or it is said why not; nobody else has it."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from appservice.documents.as_it_came import POSTED_MOST
from appservice.documents.intake import FETCHED_FOR, Ends, Intake
from appservice.documents.pipeline.outcome import Clean, Examined
from appservice.documents.pipeline.redact import Redactor
from appservice.documents.shelf import Folder
from appservice.documents.vault import Vault
from appservice.matrix.homeserver import Homeserver
from appservice.whatsapp.media import WhatsAppFiles
from policies.case import DESK, JOINT, Conversation, Phase
from policies.documents.files import Kind
from policies.documents.filing import Refused, Waits
from policies.effects import Inform, Ingest, Post, Tell
from policies.message import File, Text
from policies.networks.capabilities import FILM
from policies.words.phrase import verbatim
from rooms.homeserver import Trouble
from rooms.ids import UserId
from rooms.queue import Item, State
from sandbox.whatsapp.media import Stored
from sandbox.whatsapp.telephone import PICTURE
from tests.appservice.documents.films import film
from tests.appservice.whatsapp.house import CODEC, WhatsAppHouse
from tests.bridges.whatsapp.builders import JOINT_NUMBER, PRIVATE, message, webhook
from tests.fakes.graph import FakeCloud, Mishap
from tests.fakes.synapse import FakeSynapse
from tests.policies.builders import caucus_of

VOICE = b"OggS" + b"\0" * 24 + b"OpusHead and what she says"
OPUS, MOST = "audio/ogg; codecs=opus", 20_000_000
BOT = UserId("@_mediatrix_bot:example.org")


class Examining:
    """Takes pictures, and nothing else; with `waits`, nothing at all for now."""

    waits = harmful = False

    async def examine(self, source: Path) -> Examined:
        if self.waits:
            return Waits(verbatim("The scanner is down."))
        if self.harmful or source.read_bytes() != PICTURE:  # noqa: ASYNC240 - a few bytes
            return Refused(verbatim("Sound is not taken."), harmful=self.harmful)
        clean = source.with_name("clean")
        clean.write_bytes(PICTURE)
        return Clean(Kind.PNG, clean, 1, ())


class Chat:
    """Bea's telephone, and the way of what she sends to the vault."""

    def __init__(self, there: WhatsAppHouse, folder: Path) -> None:
        self.there, self.folder, self.examiner = there, folder, Examining()
        matrix = cast(Homeserver, FakeSynapse())
        files = WhatsAppFiles(FakeCloud(there.graph), MOST)
        vault = Vault(folder, there.database, Folder(folder / "blobs"))
        self.intake = Intake(there.database, Ends(BOT, matrix, None, files), vault, self.examiner, cast(Redactor, None))
        self.sent = 0

    async def sends(
        self, kind: str = "image", data: bytes = PICTURE, mime: str = "image/png", number: str = PRIVATE, **more: Any
    ) -> Stored:
        """Bea sends a file, and what the webhook says is decided."""
        stored = self.there.graph.files.receive(number, mime, data)
        inner = {"id": stored.id, "mime_type": mime, "sha256": stored.sha256, **more}
        self.sent += 1
        await self.there.receive(webhook(message(kind, inner, wamid=f"wamid.file{self.sent}"), number=number))
        return stored

    def wanted(self) -> list[Item]:
        """What is to be fetched."""
        items = self.there.database.committed.outbox.items.values()
        return [i for i in items if i.state is State.READY and isinstance(CODEC.load(i.body), Ingest)]

    async def fetch(self) -> None:
        """It is fetched, and what became of it is decided."""
        for item in self.wanted():
            effect = CODEC.load(item.body)
            assert isinstance(effect, Ingest)
            await self.intake.ingest(item, self.there.case.id, effect)
        await self.there.read()

    @property
    def caucus(self) -> Conversation:
        return caucus_of(self.there.case, "Jones")

    def informed(self) -> list[str]:
        """What Bea was told."""
        return [e.text for e in self.there.effects() if isinstance(e, Inform) and e.to == self.there.bea.id]

    def told(self, where: Conversation) -> list[str]:
        return [e.text for e in self.there.effects() if isinstance(e, Tell) and e.conversation == where]

    def reached(self) -> set[Conversation]:
        """Every conversation in which anything of it stands."""
        return {e.conversation for e in self.there.effects() if isinstance(e, Post | Tell | Inform)}


@pytest.fixture
async def chat(tmp_path: Path) -> Chat:
    return Chat(await WhatsAppHouse(documents=True).begin(), tmp_path)


@pytest.mark.parametrize("number", [PRIVATE, JOINT_NUMBER])
async def test_a_picture_becomes_a_document_of_her_side_whichever_number_it_came_to(chat: Chat, number: str) -> None:
    await chat.sends(number=number, caption="the bill")
    await chat.fetch()
    (document,) = chat.there.case.documents
    assert (document.name, document.home, document.owner) == ("picture.png", chat.caucus, chat.there.bea.id)
    assert chat.reached() == {chat.caucus, DESK}
    assert not chat.there.posts()
    (card,) = [text for text in chat.told(chat.caucus) if f"{document.id} “picture.png”" in text]
    assert card.endswith("Bea wrote beside it:\n> the bill")
    assert any(f"{document.id} “picture.png”" in text for text in chat.informed())
    assert any("nobody else has it" in text for text in chat.informed()) is (number == JOINT_NUMBER)


async def test_with_one_number_a_file_is_private_and_nobody_is_asked_about_it(tmp_path: Path) -> None:
    chat = Chat(await WhatsAppHouse(two_numbers=False, documents=True).begin(), tmp_path)
    await chat.sends(context={"id": "wamid.joint"})
    await chat.fetch()
    assert chat.reached() == {chat.caucus, DESK}
    assert not chat.there.case.asks


async def test_a_voice_message_stands_in_her_private_room_as_hers(chat: Chat) -> None:
    await chat.sends("audio", VOICE, OPUS, JOINT_NUMBER, voice=True)
    await chat.fetch()
    (post,) = chat.there.posts()
    assert (post.conversation, post.author) == (chat.caucus, chat.there.bea.id)
    assert isinstance(post.content, File)
    assert (post.content.name, post.content.mime, post.content.size) == ("voice message.ogg", OPUS, len(VOICE))
    assert base64.b64decode(json.loads(post.content.ref)["data"]) == VOICE
    assert JOINT not in chat.reached()


@pytest.mark.parametrize(("data", "mime"), [(film(), FILM), (film(brand=b"qt  "), "video/mp4")])
async def test_a_film_stands_there_too_and_is_called_one_that_telephones_play_only_if_it_is(
    chat: Chat, data: bytes, mime: str
) -> None:
    await chat.sends("video", data, "video/mp4", JOINT_NUMBER)
    await chat.fetch()
    (post,) = chat.there.posts()
    assert post.conversation == chat.caucus
    assert isinstance(post.content, File)
    assert post.content.mime == mime
    assert JOINT not in chat.reached()


async def test_what_does_harm_stands_nowhere(chat: Chat) -> None:
    chat.examiner.harmful = True
    await chat.sends("document", b"MZ", "application/pdf", filename="offer.pdf", caption="the offer")
    await chat.fetch()
    assert not chat.there.posts()
    assert not chat.there.case.documents
    assert any("is not kept. Sound" in text for text in chat.informed())


async def test_what_is_too_large_to_go_through_the_queues_is_not_kept_and_that_is_said(chat: Chat) -> None:
    await chat.sends("document", b"x" * (POSTED_MOST + 1), "application/zip", filename="all.zip", caption="everything")
    await chat.fetch()
    assert not chat.there.posts()
    assert any(text.startswith("“all.zip” is not kept.") for text in chat.informed())
    assert any("> everything" in text for text in chat.told(chat.caucus)), "what was written beside it is not lost"


async def test_what_expired_is_asked_for_again_after_a_day_and_the_mediator_knows(chat: Chat) -> None:
    stored = await chat.sends(caption="look")
    del chat.there.graph.files.stored[stored.id]
    with pytest.raises(Trouble, match="100"):
        await chat.fetch()
    assert not any("is not kept" in text for text in chat.informed())
    (item,) = chat.wanted()
    effect = CODEC.load(item.body)
    assert isinstance(effect, Ingest)
    since = datetime.now(UTC) - FETCHED_FOR - timedelta(seconds=1)
    await chat.intake.ingest(replace(item, failing_since=since), chat.there.case.id, effect)
    await chat.there.read()
    gone = "“picture.png” is not kept. It could not be fetched for a day. Please send it again."
    assert [text.startswith(gone) for text in chat.informed()] == [True]
    assert any(text.startswith(gone) for text in chat.told(DESK))
    assert any("> look" in text for text in chat.told(chat.caucus))


async def test_while_whatsapp_does_not_answer_it_is_tried_again_for_a_day(chat: Chat) -> None:
    await chat.sends()
    (item,) = chat.wanted()
    effect = CODEC.load(item.body)
    assert isinstance(effect, Ingest)
    chat.there.graph.mishaps.append(Mishap.NO_ANSWER)
    with pytest.raises(Trouble) as trouble:
        await chat.fetch()
    assert trouble.value.transient
    assert not chat.told(chat.caucus)
    await chat.fetch()
    assert len(chat.there.case.documents) == 1


async def test_after_a_day_she_is_asked_to_send_it_again(chat: Chat) -> None:
    await chat.sends()
    (item,) = chat.wanted()
    effect = CODEC.load(item.body)
    assert isinstance(effect, Ingest)
    chat.there.graph.mishaps.append(Mishap.NO_ANSWER)
    since = datetime.now(UTC) - FETCHED_FOR - timedelta(seconds=1)
    await chat.intake.ingest(replace(item, failing_since=since), chat.there.case.id, effect)
    await chat.there.read()
    assert any("could not be fetched for a day" in text for text in chat.informed())


async def test_a_file_that_waits_for_the_scanner_is_kept_when_it_can_be(chat: Chat) -> None:
    chat.examiner.waits = True
    await chat.sends(caption="the bill")
    await chat.fetch()
    await chat.fetch()
    assert len([text for text in chat.informed() if "is not kept yet" in text]) == 1
    chat.examiner.waits = False
    await chat.fetch()
    assert len(chat.there.case.documents) == 1
    assert sum("> the bill" in text for text in chat.told(chat.caucus)) == 1


async def test_it_is_kept_once_however_often_it_is_fetched_or_told(chat: Chat) -> None:
    await chat.sends()
    (item,) = chat.wanted()
    effect = CODEC.load(item.body)
    assert isinstance(effect, Ingest)
    for _ in range(3):
        await chat.intake.ingest(item, chat.there.case.id, effect)
        await chat.there.read()
    assert [len(document.versions) for document in chat.there.case.documents] == [1]
    assert not [p for p in chat.folder.rglob("*") if p.is_file() and PICTURE in p.read_bytes()]


async def test_a_flood_from_one_person_is_fetched_one_at_a_time(chat: Chat) -> None:
    for _ in range(5):
        await chat.sends()
    assert len(chat.wanted()) == 5
    assert {item.lane for item in chat.wanted()} == {f"files:{chat.there.case.id}:{chat.there.bea.id}"}


async def test_whoever_may_be_another_person_fills_no_vault(chat: Chat) -> None:
    await chat.there.says("it is me")
    chat.there.phone.user = "ES.other"
    await chat.there.says("me, too")
    await chat.sends()
    assert chat.there.bea.endpoint.doubt
    assert not chat.wanted()


async def test_once_the_mediation_is_closed_nothing_is_fetched_and_she_is_told(chat: Chat) -> None:
    closed = replace(chat.there.case, phase=Phase.CLOSED)
    async with chat.there.database.begin() as work:
        await work.cases.save(closed)
    await chat.sends(number=JOINT_NUMBER)
    assert not chat.wanted()
    (told,) = chat.informed()
    assert "Nobody has it" in told
    assert len(chat.there.why_held()) == 1


async def test_without_a_vault_no_file_is_taken_and_she_is_told(tmp_path: Path) -> None:
    chat = Chat(await WhatsAppHouse().begin(), tmp_path)
    await chat.sends("audio", VOICE, OPUS)
    assert not chat.wanted()
    assert ["this server keeps none" in text for text in chat.informed()] == [True]


@pytest.mark.parametrize(
    ("kind", "inner", "words"),
    [
        ("location", {"latitude": 52.5, "longitude": 13}, "📍 52.500000 13.000000"),
        ("contacts", [{"name": {"formatted_name": "Ann"}, "phones": [{"phone": "+49 30 1"}]}], "👤 Ann, +49 30 1"),
    ],
)
async def test_a_place_and_a_card_are_carried_as_words_in_private(
    chat: Chat, kind: str, inner: Any, words: str
) -> None:
    await chat.there.receive(webhook(message(kind, inner), number=JOINT_NUMBER))
    (post,) = chat.there.posts()
    assert (post.conversation, post.content) == (chat.caucus, Text(words))
    assert any("only words go to everyone" in text for text in chat.informed())


PLACE = {"latitude": 52.5, "longitude": 13, "name": "my lawyer's"}


@pytest.mark.parametrize("number", [PRIVATE, JOINT_NUMBER])
@pytest.mark.parametrize(("kind", "inner"), [("text", {"body": "from my lawyer's"}), ("location", PLACE)])
async def test_what_was_forwarded_stands_in_private_and_is_held(chat: Chat, number: str, kind: str, inner: Any) -> None:
    await chat.there.receive(webhook(message(kind, inner, context={"forwarded": True}), number=number))
    (post,) = chat.there.posts()
    assert post.conversation == chat.caucus
    assert isinstance(post.content, Text)
    assert "my lawyer's" in post.content.body
    assert any("what seems to be Bea's own words" in text for text in chat.told(chat.caucus))
    assert len(chat.there.why_held()) == 1
    assert JOINT not in chat.reached()


async def test_what_stood_beside_a_forwarded_file_is_not_called_hers(chat: Chat) -> None:
    stored = chat.there.graph.files.receive(PRIVATE, "image/png", PICTURE)
    inner = {"id": stored.id, "mime_type": "image/png", "sha256": stored.sha256, "caption": "we would take 10.000"}
    await chat.there.receive(webhook(message("image", inner, context={"forwarded": True})))
    await chat.fetch()
    assert len(chat.there.case.documents) == 1
    read = [effect.text for effect in chat.there.effects() if isinstance(effect, Tell | Inform)]
    assert not any("10.000" in text for text in read)

"""A voice message or a film in a private room is played on the telephones of those who read that room, and nowhere
else."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from policies.case import DESK, JOINT, Case, Conversation
from policies.documents.filing import Filing, Refused, decide_filed
from policies.effects import Announce, Inform, Post, Relay
from policies.message import Content, File, FileRef, Message, MessageId, Removal, SignedDevice, Text
from policies.networks.capabilities import FILM, VOICE
from policies.words.phrase import verbatim
from rooms.handle import Handler
from rooms.ids import EventId
from rooms.queue import ItemId, State
from sandbox.whatsapp.rules import Json
from tests.appservice.documents.films import film
from tests.appservice.whatsapp.house import CODEC, WhatsAppHouse, case_with_bea, known
from tests.appservice.whatsapp.test_enclosing import Shared
from tests.bridges.whatsapp.builders import PRIVATE
from tests.fakes.graph import Mishap
from tests.policies.builders import caucus_of, named, of_kind

CASE = case_with_bea("!party add Carl carl@example.org on Jones")
HERS, HIS = caucus_of(CASE, "Smith"), caucus_of(CASE, "Jones")
SOUND = b"OggS" + b"\0" * 24 + b"OpusHead and what Mia says"
NO_DOCUMENT = Refused(verbatim("Sound is not taken."), keepable=True)


def recording(mime: str = VOICE, size: int = len(SOUND), words: str = "") -> File:
    data = FileRef(json.dumps({"data": base64.b64encode(SOUND if mime != FILM else film()).decode()}))
    return File("voice message.ogg", mime, size, data, words)


def filed(case: Case, author: str, where: Conversation, file: File, result: Refused = NO_DOCUMENT) -> Filing:
    by, said = named(case, author).id, MessageId("m1")
    return Filing(said, by, where, where, file.name, result, voice=Post(where, by, file, said))


@pytest.mark.parametrize(
    ("author", "where", "to"),
    [("Mia", HIS, ["Bea"]), ("Carl", HIS, ["Bea"]), ("Bea", HIS, []), ("Alice", HERS, []), ("Mia", DESK, [])],
)
@pytest.mark.parametrize("mime", [VOICE, FILM])
def test_it_goes_to_whoever_reads_its_room_on_whatsapp_but_its_author(
    author: str, where: Conversation, to: list[str], mime: str
) -> None:
    decision = decide_filed(CASE, filed(CASE, author, where, recording(mime)), known(documents=True))
    relays = of_kind(Relay, decision.effects)
    assert [(CASE.name_of(relay.to), relay.conversation) for relay in relays] == [(name, HIS) for name in to]
    told = "\n".join(e.text for e in decision.effects if isinstance(e, Announce | Inform))
    left_out = [p.name for p in CASE.people if p.name in {"Bea", "Carl"} and p.name not in {*to, author}]
    assert ("Nobody else who reads there by another network gets the file." in told) is bool(left_out and where == HIS)


@pytest.mark.parametrize(
    ("file", "result"),
    [
        (recording("audio/mpeg"), NO_DOCUMENT),
        (recording(size=16_000_001), NO_DOCUMENT),
        (recording(FILM, size=16_000_001), NO_DOCUMENT),
        (recording("video/mp4"), NO_DOCUMENT),
        (recording("video/quicktime"), NO_DOCUMENT),
        (recording(FILM), Refused(verbatim("It does harm."), harmful=True)),
        (recording(), Refused(verbatim("It does harm."), harmful=True)),
        (recording(), Refused(verbatim("Too much."), limit="day_files")),
    ],
)
def test_nothing_else_goes(file: File, result: Refused) -> None:
    decision = decide_filed(CASE, filed(CASE, "Mia", HIS, file, result), known(documents=True))
    assert not of_kind(Relay, decision.effects)


@pytest.mark.parametrize("mime", [VOICE, FILM])
def test_out_of_the_joint_room_no_file_goes_to_anybody(mime: str) -> None:
    heard = replace(filed(CASE, "Alice", JOINT, recording(mime)), home=HERS)
    assert not of_kind(Relay, decide_filed(CASE, heard, known(documents=True)).effects)


def test_what_a_mediator_says_can_be_taken_back_before_it_leaves() -> None:
    facts = known(documents=True, undo=timedelta(seconds=30))
    (relay,) = of_kind(Relay, decide_filed(CASE, filed(CASE, "Mia", HIS, recording()), facts).effects)
    assert relay.not_before == facts.at + timedelta(seconds=30)


class Heard:
    """Mia says something in Bea's private room, and it goes out."""

    def __init__(self, there: WhatsAppHouse) -> None:
        self.there = there

    async def sent(self, file: File) -> None:
        case = self.there.case
        filing = filed(case, "Mia", caucus_of(case, "Jones"), file)
        async with self.there.database.begin() as work:
            handler = Handler(work, CODEC, self.there.house, ItemId("h1"), self.there.now)
            await handler.follow(case, decide_filed(case, filing, known(documents=True)))
        await self.there.deliver()

    def shown(self) -> list[Json]:
        """The voice message, and what is said of it."""
        return [m for m in self.there.phone.shows if m["type"] == "audio" or "voice message" in m["text"]["body"]][-2:]


@pytest.fixture
async def heard(tmp_path: Path) -> Heard:
    there = await WhatsAppHouse(documents=True, case=case_with_bea()).begin()
    await there.says("hello")
    Shared(there, tmp_path)
    return Heard(there)


async def test_who_says_it_and_who_reads_there_is_said_first(heard: Heard) -> None:
    await heard.sent(recording(words="listen *to* this"))
    first, second = heard.shown()
    assert first["text"]["body"].startswith("🔒 PRIVATE – only your side and the mediator read this")
    assert "*Mia* sent the voice message that follows, and wrote:\n> listen _to_ this" in first["text"]["body"]
    assert second["audio"]["voice"] is True
    assert [number for number, sent in heard.there.graph.accepted if sent is second] == [PRIVATE]
    assert heard.there.phone.files(heard.there.graph.files) == [SOUND]


async def test_a_film_is_seen_there_with_who_reads_it_above_and_below(heard: Heard) -> None:
    there = heard.there
    await heard.sent(recording(FILM, words="the water in my cellar"))
    *_, first, second = there.phone.shows
    assert "*Mia* sent the film that follows, and wrote:\n> the water in my cellar" in first["text"]["body"]
    assert second["video"]["caption"] == "🔒 PRIVATE – only your side and the mediator read this · 1042"
    assert [number for number, sent in there.graph.accepted if sent is second] == [PRIVATE]
    assert there.phone.files(there.graph.files) == [film()]


async def test_a_film_that_whatsapp_refuses_after_all_is_told_and_not_called_sent(heard: Heard) -> None:
    there = heard.there
    await there.deliver()
    network = there.courier._enclosures
    assert network is not None
    upload = network._network.upload

    async def refused(*arguments: object) -> object:
        there.graph.mishaps.append(131053)
        return await upload(*arguments)  # type: ignore[arg-type]

    network._network.upload = refused  # type: ignore[method-assign,assignment]
    await heard.sent(recording(FILM))
    assert any("Not delivered: a WhatsApp message to Bea" in text for text in there.told())
    assert not there.phone.files(there.graph.files)


async def test_if_the_upload_fails_it_is_tried_again_and_the_words_are_not_repeated(heard: Heard) -> None:
    there = heard.there
    await there.deliver()
    network, uploads = there.courier._enclosures, 0
    assert network is not None
    upload = network._network.upload

    async def failing(*arguments: object) -> object:
        nonlocal uploads
        uploads += 1
        if uploads == 1:
            there.graph.mishaps.append(Mishap.NO_ANSWER)
        return await upload(*arguments)  # type: ignore[arg-type]

    network._network.upload = failing  # type: ignore[method-assign,assignment]
    await heard.sent(recording())
    assert not there.phone.files(there.graph.files)
    await there.deliver()
    assert there.phone.files(there.graph.files) == [SOUND]
    assert sum("sent the voice message that follows" in text for text in there.phone.texts) == 1
    lane = f"person:{there.case.id}:{there.bea.id}"
    assert {i.state for i in there.database.committed.outbox.items.values() if i.lane == lane} == {State.DONE}


async def test_if_she_asks_for_silence_while_it_is_uploaded_it_does_not_reach_her_telephone(heard: Heard) -> None:
    there = heard.there
    await there.deliver()
    network = there.courier._enclosures
    assert network is not None
    upload = network._network.upload

    async def meanwhile(*arguments: object) -> object:
        quiet = replace(there.bea, endpoint=replace(there.bea.endpoint, declined=True))
        async with there.database.begin() as work:
            await work.cases.save(there.case.with_person(quiet))
        return await upload(*arguments)  # type: ignore[arg-type]

    network._network.upload = meanwhile  # type: ignore[method-assign,assignment]
    await heard.sent(recording())
    assert not there.phone.files(there.graph.files)


@pytest.mark.parametrize("how", [Removal(MessageId("m1")), Text("!undo"), None])
async def test_what_was_removed_while_it_was_examined_is_heard_by_nobody(how: Removal | Text | None) -> None:
    there = await WhatsAppHouse(documents=True, case=CASE).begin()
    mia = named(CASE, "Mia").id

    async def says(content: Content, number: str, reply_to: MessageId | None = None) -> None:
        said = Message(MessageId(number), mia, HIS, content, SignedDevice(), there.now, native=True, reply_to=reply_to)
        async with there.database.begin() as work:
            handler = Handler(work, CODEC, there.house, ItemId(number), there.now)
            await handler.message(CASE.id, said, EventId(f"${number}"), None)

    await says(recording(), "m1")
    if how:
        await says(how, "m2", MessageId("m1"))
    async with there.database.begin() as work:
        handler = Handler(work, CODEC, there.house, ItemId("examined"), there.now)
        await handler.filed(CASE.id, filed(CASE, "Mia", HIS, recording()))
    sent = [CODEC.load(item.body) for item in there.database.committed.outbox.items.values()]
    voices = [one for one in sent if isinstance(one, Relay) and isinstance(one.content, File)]
    assert bool(voices) is (how is None)

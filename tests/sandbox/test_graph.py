"""The stand-in for the Cloud API refuses what the documentation says that the real one refuses."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.whatsapp.graph import A_SECOND, JOINT, NOT_THERE, PAIR_BURST, PRIVATE, Graph, Phone
from sandbox.whatsapp.rules import Json
from sandbox.whatsapp.telephone import NothingToPress, Telephone
from sandbox.whatsapp.webhooks import Webhooks, written

TOKEN = "opens"
BEA, NUMBER = "ES.4711aB", "+34600123456"


class Network:
    """A graph, a telephone, and a clock that stands still."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 6, tzinfo=UTC)
        self.graph = Graph(lambda: self.now, token=TOKEN)
        self.phone: Phone = self.graph.phone(NUMBER, BEA)
        self.graph.write(self.phone, PRIVATE)

    def code(self, message: Json | None = None, *, number: str = PRIVATE, token: str = TOKEN, **more: Any) -> int:
        """The error that a request gets; 0 if it is taken."""
        said = message or {"type": "text", "text": {"body": "hello"}}
        status, answer = self.graph.answer(
            number, f"Bearer {token}", {"messaging_product": "whatsapp", "to": NUMBER, **said, **more}
        )
        assert (status == 200) == ("error" not in answer)
        return int(answer.get("error", {"code": 0})["code"])


def pressable(*titles: str, body: str = "Well?") -> Json:
    replies = [{"type": "reply", "reply": {"id": f"id {n}", "title": title}} for n, title in enumerate(titles)]
    return {
        "type": "interactive",
        "interactive": {"type": "button", "body": {"text": body}, "action": {"buttons": replies}},
    }


def template(name: str = "new_message", language: str = "en") -> Json:
    return {"type": "template", "template": {"name": name, "language": {"code": language}}}


def uploaded(net: "Network", mime: str = "application/pdf", data: bytes = b"%PDF-1.7", number: str = PRIVATE) -> Json:
    """The answer to an upload."""
    form = {"messaging_product": "whatsapp", "type": mime}
    return net.graph.files.upload(number, f"Bearer {TOKEN}", form, data)[1]


def coded(**parameter: Any) -> Json:
    """An authentication template with that parameter twice."""
    said = template("desk_code")
    button = {"type": "button", "sub_type": "url", "index": "0", "parameters": [parameter]}
    said["template"]["components"] = [{"type": "body", "parameters": [parameter]}, button]
    return said


def document(medium: str, **more: Any) -> Json:
    return {"type": "document", "document": {"id": medium, **more}}


def text(body: str) -> Json:
    return {"type": "text", "text": {"body": body}}


@pytest.mark.parametrize(
    "message",
    [
        text("hello") | {"context": {"message_id": "wamid.1"}},
        text("hello"),
        text("x" * 4_096),
        pressable("Yes", "No"),
        pressable("Yes", body="x" * 1_024),
    ],
)
def test_what_is_well_formed_arrives(message: Json) -> None:
    network = Network()

    assert network.code(message) == 0
    assert len(network.phone.shows) == 1


@pytest.mark.parametrize(
    "message",
    [
        text(""),
        text("x" * 4_097),
        text("😀" * 2_049),
        pressable(),
        pressable("1", "2", "3", "4"),
        pressable("Yes", "Yes"),
        pressable("x" * 21),
        pressable("Yes", body="x" * 1_025),
        {"type": "poll"},
        text("hello") | {"idempotency_key": "1"},
        text("hello") | {"recipient_type": "group"},
        text("hello") | {"context": "wamid.1"},
        text("hello") | {"biz_opaque_callback_data": "x" * 513},
        text("hello") | {"image": {"id": "1"}},
        text("hello") | {"template": template()["template"]},
        coded(text="123456"),
        coded(type="currency", text="123456"),
        coded(type="text", text=123456),
    ],
)
def test_what_the_documentation_does_not_allow_is_refused(message: Json) -> None:
    network = Network()

    assert network.code(message) == 100
    assert not network.phone.shows


def test_the_token_the_number_and_the_person_must_be_right() -> None:
    network = Network()

    assert network.code(token="another") == 190
    assert network.code(number="999") == 100
    assert network.code(to="+15550001111") == 131026
    assert network.code(recipient_identity_key_hash="another") == 137000


def test_each_number_has_its_own_window_of_a_day_and_a_template_needs_none() -> None:
    network = Network()

    assert network.code() == 0
    assert network.code(number=JOINT) == 131047
    network.now += timedelta(hours=24)
    assert network.code() == 131047
    assert network.code(template()) == 0
    assert network.code(template("another")) == 132001
    assert network.code(template(language="de")) == 132001


def test_a_code_goes_by_a_template_whose_parameters_say_that_they_are_texts() -> None:
    assert Network().code(coded(type="text", text="123456")) == 0


def test_a_burst_to_one_person_is_paid_back() -> None:
    network = Network()

    assert [network.code() for _ in range(PAIR_BURST + 1)] == [*[0] * PAIR_BURST, 131056]
    network.now += timedelta(seconds=6)
    assert [network.code(), network.code()] == [0, 131056]


def test_one_number_takes_so_many_in_a_second_whoever_they_are_for() -> None:
    network = Network()
    for n in range(A_SECOND):
        phone = network.graph.phone(f"+3460{n:07}", f"ES.{n}")
        network.graph.write(phone, PRIVATE)
        assert network.code(to=phone.number) == 0
    assert network.code() == 130429
    network.now += timedelta(seconds=1)
    assert network.code() == 0


def test_a_user_id_in_the_wrong_field_is_taken_and_lost() -> None:
    network = Network()

    assert network.code(to=BEA) == 0
    assert not network.phone.shows


async def test_a_telephone_keeps_its_chats_and_their_windows(tmp_path: Path) -> None:
    first, second = Network(), Network()
    second.graph.windows.clear()
    webhooks = Webhooks("secret")
    telephone = Telephone(first.phone, "Bea", first.graph, webhooks, tmp_path / "bea.jsonl")
    await telephone.arrived(PRIVATE, "wamid.1", pressable("Yes", "No"))
    await telephone.press("wamid.1", "id 0")
    with pytest.raises(NothingToPress):
        await telephone.press("wamid.1", "id 7")

    again = Telephone(second.phone, "Bea", second.graph, webhooks, tmp_path / "bea.jsonl")

    assert again.bubbles == telephone.bubbles
    assert [(bubble.mine, bubble.text) for bubble in again.bubbles] == [(False, "Well?"), (True, "Yes")]
    second.now = datetime.now(UTC)
    assert second.code() == 0


def test_webhooks_are_written_as_meta_writes_them() -> None:
    assert written({"text": "ä/b"}) == b'{"text":"\\u00e4\\/b"}'


@pytest.mark.parametrize(
    ("mime", "data"),
    [
        ("application/pdf", b"%PDF-1.7"),
        ("image/png", b"\x89PNG\r\n\x1a\n" + b"x" * 100),
        ("audio/ogg; codecs=opus", b"OggS" + b"\0" * 24 + b"OpusHead"),
        ("text/plain", b"words"),
    ],
)
def test_files_of_the_documented_types_are_taken(mime: str, data: bytes) -> None:
    assert uploaded(Network(), mime, data)["id"]


@pytest.mark.parametrize(
    ("mime", "data", "code"),
    [
        ("image/webp", b"RIFF", 131053),
        ("image/png", b"%PDF-1.7", 131053),
        ("image/jpeg", b"\xff\xd8\xff" + b"x" * 5 * 1024 * 1024, 131053),
        ("audio/ogg", b"OggS" + b"\0" * 24 + b"vorbis", 131053),
        ("application/pdf", b"", 100),
    ],
)
def test_a_file_of_another_type_or_too_large_is_refused(mime: str, data: bytes, code: int) -> None:
    assert uploaded(Network(), mime, data)["error"]["code"] == code


@pytest.mark.parametrize("left_out", ["messaging_product", "type"])
def test_a_file_is_refused_without_a_field_that_is_required(left_out: str) -> None:
    form = {"messaging_product": "whatsapp", "type": "application/pdf"}
    del form[left_out]
    status, answer = Network().graph.files.upload(PRIVATE, f"Bearer {TOKEN}", form, b"%PDF-1.7")
    assert (status, answer["error"]["code"]) == (400, 100)


def test_a_file_is_refused_for_a_number_that_is_not_ours() -> None:
    assert uploaded(Network(), number="999")["error"]["code"] == 100


@pytest.mark.parametrize(("voice", "code"), [(True, 0), (False, 0), ("yes", 100), (1, 100)])
def test_whether_sound_is_a_voice_message_is_said_with_true_or_false(voice: object, code: int) -> None:
    net = Network()
    medium = uploaded(net, "audio/ogg", b"OggS" + b"\0" * 24 + b"OpusHead")["id"]
    assert net.code({"type": "audio", "audio": {"id": medium, "voice": voice}}) == code


def test_a_file_is_shown_by_the_number_that_it_was_uploaded_for_as_what_it_is_for_thirty_days() -> None:
    net = Network()
    net.graph.write(net.phone, JOINT)
    medium = uploaded(net)["id"]
    assert net.code(document(medium, filename="brief.pdf", caption="yours")) == 0
    assert net.phone.texts == ["📎 brief.pdf\nyours"]
    assert net.code(document(medium), number=JOINT) == 100
    assert net.code({"type": "image", "image": {"id": medium}}) == 100
    assert net.code(document("4711")) == 100
    net.now += timedelta(days=30)
    net.graph.write(net.phone, PRIVATE)
    assert net.code(document(medium)) == 100


@pytest.mark.parametrize(
    "message",
    [
        {"type": "document", "document": {}},
        {"type": "document", "document": {"id": "1", "caption": "x" * 1_025}},
        {"type": "document", "document": {"id": "1", "caption": ""}},
        {"type": "audio", "audio": {"id": "1", "caption": "no sound has one"}},
        {"type": "image", "image": {"id": "1", "filename": "no picture has one"}},
        {"type": "sticker", "sticker": {"id": "1"}},
    ],
)
def test_a_message_with_a_file_that_is_not_well_formed_is_refused(message: Json) -> None:
    assert Network().code(message) == 100


# --- reactions


def reaction(emoji: object = "👍", wamid: object = "wamid.1", **more: Any) -> Json:
    return {"type": "reaction", "reaction": {"message_id": wamid, "emoji": emoji}, **more}


@pytest.mark.parametrize(
    "message",
    [
        reaction("yes"),
        reaction("5"),
        reaction("👍" * 17),
        reaction(None),
        reaction(wamid=""),
        reaction(context={"message_id": "wamid.1"}),
        {"type": "reaction", "reaction": {"message_id": "wamid.1"}},
    ],
)
def test_a_reaction_is_one_emoji_on_a_message_and_nothing_else(message: Json) -> None:
    assert Network().code(message) == 100


def test_it_stands_on_what_its_owner_wrote_to_that_number_and_the_newest_alone() -> None:
    net = Network()
    net.graph.write(net.phone, PRIVATE, wamid="wamid.1")
    for emoji in ("👍", "❤️", ""):
        assert net.code(reaction(emoji)) == 0
        assert net.phone.reacted == {(PRIVATE, "wamid.1"): emoji}
    assert net.phone.shows == []


@pytest.mark.parametrize(
    ("number", "wamid", "days"), [(PRIVATE, "wamid.of.ours", 0), (JOINT, "wamid.1", 0), (PRIVATE, "wamid.1", 30)]
)
def test_on_anything_else_it_is_taken_and_a_webhook_says_that_it_is_not_there(
    number: str, wamid: str, days: int
) -> None:
    net = Network()
    net.graph.write(net.phone, PRIVATE, wamid="wamid.1")
    net.now += timedelta(days=days)
    net.graph.write(net.phone, number)
    assert net.code(reaction(wamid=wamid), number=number) == 0
    assert net.graph.not_shown(number, net.phone, reaction(wamid=wamid)) == NOT_THERE
    assert net.phone.reacted == {}


def test_a_reaction_needs_an_open_window() -> None:
    net = Network()
    net.graph.write(net.phone, PRIVATE, wamid="wamid.1")
    net.now += timedelta(hours=24)
    assert net.code(reaction()) == 131047

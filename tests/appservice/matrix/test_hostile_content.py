"""Contents that a modified client sends: nothing in them breaks what is stored, or says what it is not."""

import pytest

from appservice.codec import JsonCodec
from appservice.matrix.content import read
from policies.case import JOINT, PersonId
from policies.effects import Relay
from policies.message import Edit, File, MessageId, Text, Unreadable


@pytest.mark.parametrize("size", [True, -1, 1.5, "9", None])
def test_a_file_of_no_real_size_is_stored_and_read_again(size: object) -> None:
    content = {"msgtype": "m.file", "body": "a.pdf", "info": {"size": size}, "file": {"url": "mxc://a/b"}}
    file = read("m.room.message", content, {}).content
    assert isinstance(file, File)
    assert file.size == 0
    relay = Relay(MessageId("m"), JOINT, PersonId("p1"), file, PersonId("p2"))
    codec = JsonCodec()
    assert codec.load(codec.dump(relay)) == relay


def test_new_words_for_no_message_are_not_taken_for_words() -> None:
    """An administrator can strip the relation, which travels in clear; the rest must not become a message."""
    content = {"msgtype": "m.text", "body": "* no", "m.new_content": {"msgtype": "m.text", "body": "no"}}
    assert isinstance(read("m.room.message", content, {}).content, Unreadable)
    relation = {"m.relates_to": {"rel_type": "m.replace", "event_id": "$a"}}
    assert read("m.room.message", content, relation).content == Edit(None, "no")
    assert read("m.room.message", {"msgtype": "m.text", "body": "no"}, {}).content == Text("no")


def test_words_beside_a_file_are_kept_with_it() -> None:
    content = {"msgtype": "m.file", "body": "my offer", "filename": "a.pdf", "file": {"url": "mxc://a/b"}}
    file = read("m.room.message", content, {}).content
    assert isinstance(file, File)
    assert (file.name, file.words) == ("a.pdf", "my offer")
    html = {"format": "org.matrix.custom.html", "formatted_body": "my <b>last</b> offer"}
    assert isinstance(read("m.room.message", {**content, **html}, {}).content, Unreadable)

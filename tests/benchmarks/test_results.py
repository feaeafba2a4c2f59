"""Figures are kept as their bars judge them, and what is brought to a service can be read by it."""

import json
from pathlib import Path

from vodozemac import InboundGroupSession, MegolmMessage

from appservice.matrix.transaction import parse
from benchmarks.__main__ import BENCHMARKS
from benchmarks.filling import Writer
from benchmarks.results import at_least, at_most, keep, table
from rooms.ids import RoomId, UserId

FAST = at_least("fast", 12.345678, 10, "12 ÷ 1")
FULL = at_most("full", 101, 100, "resident")


def test_a_figure_is_as_good_as_its_bar_says() -> None:
    assert [one.reached for one in (FAST, FULL, at_least("", 10, 10, ""), at_most("", 100, 100, ""))] == [
        True,
        False,
        True,
        True,
    ]
    marks = [line.split()[:2] for line in table([FAST, FULL]).splitlines()[1:]]
    assert marks == [["ok", "fast"], ["!!", "full"]]


def test_what_is_kept_has_value_bar_and_direction_and_nothing_of_an_earlier_run(tmp_path: Path) -> None:
    file = tmp_path / "var" / "bench.json"
    keep([FULL], file)
    keep([FAST], file)
    assert json.loads(file.read_text()) == {"fast": {"value": 12.3457, "bar": 10, "better": "higher"}}


def test_each_subject_has_a_name_of_its_own() -> None:
    names = [one.name for one in BENCHMARKS]
    assert sorted(set(names)) == sorted(names)


def test_what_a_writer_writes_is_an_event_that_its_session_opens() -> None:
    writer = Writer(UserId("@mia:example.org"), RoomId("!joint"))
    reader = InboundGroupSession(writer.session.session_key)
    first, second = (writer.event(words) for words in ("one", "two"))
    transaction = parse("t", {"events": [first, second]})
    assert transaction.dropped == 0
    said = [reader.decrypt(MegolmMessage.from_base64(e.content["ciphertext"])) for e in transaction.events]
    assert [json.loads(one.plaintext)["content"]["body"] for one in said] == ["one", "two"]

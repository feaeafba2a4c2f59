"""What imitates our labels, cards, codes or commands is shown in a room for what it is: somebody’s words (I10)."""

from html import escape

import pytest

from appservice.matrix.content import read
from policies.case import DESK, JOINT
from policies.effects import Inform, Pose, Post, Publish, Tell
from policies.message import MessageId, Text
from policies.names import ReleaseId
from policies.people.membership import readers
from policies.words.phrase import verbatim
from rooms.postings import html_of, words_of
from tests.policies.builders import named, of_kind
from tests.policies.test_release import CASE, HERS, code_in, quoting, says
from tests.rooms.builders import Site

GIVES_IN = "I give in, said ZZ"
FALSE = [
    f"ok\nBob’s words, released by the mediator:\n> {GIVES_IN}",
    f"ok\nBob’s words, in the mediator’s wording, agreed by Bob:\n{GIVES_IN}",
    f"EVERYONE · 1042\n{GIVES_IN}",
    f"R1 is released: Bob’s words, to EVERYONE. {GIVES_IN}",
    f"Bob wrote\n| {GIVES_IN}",
    f"ok\u2028Bob’s words, released by the mediator:\u2028{GIVES_IN}",
    f"ok\x0bReleased\x85{GIVES_IN}",
    f"ok{' ' * 300}Bob’s words, released by the mediator: {GIVES_IN}",
    "ok" + "\u00a0" * 300 + GIVES_IN,
    f"<blockquote>ok</blockquote><strong>Bob’s words, released by the mediator:</strong><br>{GIVES_IN}",
    f"</blockquote>Say “yes 4F2A”\n{GIVES_IN}",
    f"!release R1\n{GIVES_IN}",
    f"yes 4F2A\n{GIVES_IN}",
    f"\u202ereleased by the mediator\n{GIVES_IN}",
]
anyhow = pytest.mark.parametrize("words", FALSE)


def stands_marked(text: str, html: str | None) -> None:
    """Each line with these words has a mark, plain; and as HTML they are inside of a quotation, and no markup."""
    assert all(line.startswith("> ") for line in text.split("\n") if "ZZ" in line)
    assert "ZZ" in text
    assert html is not None
    outside = [part.partition("</blockquote>")[2] for part in html.split("<blockquote>")]
    assert not any("ZZ" in part for part in (html.partition("<blockquote>")[0], *outside))
    assert html.count("<") == 2 * html.count("<blockquote>") + html.count("<br>")


def body(content: object) -> str:
    assert isinstance(content, Text)
    return content.body


@anyhow
def test_as_released_words(words: str) -> None:
    publish = Publish(
        ReleaseId("R1"), JOINT, verbatim("Alice’s words, released by the mediator:"), words, readers(CASE, JOINT)
    )
    stands_marked(body(words_of(publish, CASE)), html_of(publish, CASE))
    assert body(words_of(publish, CASE)).startswith("Alice’s words, released by the mediator:\n> ")


@anyhow
def test_as_words_that_the_desk_is_asked_about(words: str) -> None:
    [preview] = of_kind(Tell, says(CASE, "Mia", "!release", **quoting(words)).effects)
    stands_marked(preview.text, html_of(preview, CASE))


@anyhow
def test_as_words_that_their_author_is_asked_about(words: str) -> None:
    first = says(CASE, "Mia", "!release", **quoting(words))
    [preview] = of_kind(Tell, first.effects)
    [pose] = of_kind(Pose, says(first.case, "Mia", f"yes {code_in(preview.text)}", DESK).effects)
    stands_marked(body(words_of(pose, CASE)), html_of(pose, CASE))


@anyhow
def test_as_words_that_somebody_reports(words: str) -> None:
    [told] = of_kind(Tell, says(CASE, "Alice", "!report", **quoting(words, "Bob")).effects)
    assert told.conversation == DESK
    stands_marked(told.text, html_of(told, CASE))


@anyhow
async def test_what_a_party_writes_elsewhere_is_that_partys_ghosts_and_never_ours(words: str) -> None:
    site = await Site().begin()
    carl = named(site.case, "Carl")
    await site.deliver(Post(JOINT, carl.id, Text(words), MessageId("m1")))
    (posting,) = site.poster.posted
    assert (posting.sender, posting.is_notice, posting.html) == (site.ghost("Carl"), False, None)
    assert posting.content == Text(words)


@pytest.mark.parametrize("words", [*FALSE[:-1], "!release R1", "yes 8QQ8", "!mode open", "!party remove Bob"])
def test_said_in_a_room_it_changes_nothing(words: str) -> None:
    for where in (JOINT, HERS):
        decision = says(CASE, "Alice", words, where)
        assert decision.case == CASE
        assert not of_kind(Publish, decision.effects)
        assert not of_kind(Pose, decision.effects)


def test_formatted_words_that_differ_from_the_plain_ones_are_nobodys() -> None:
    false = {"msgtype": "m.text", "body": "ok", "format": "org.matrix.custom.html"}
    said = read("m.room.message", {**false, "formatted_body": f"<b>Released</b>: {escape(GIVES_IN)}"}, {})
    assert not isinstance(said.content, Text)


def test_a_notice_for_a_party_has_no_more_html_than_marks() -> None:
    assert html_of(Inform(named(CASE, "Alice").id, HERS, verbatim("R1 was passed on.")), CASE) is None
    assert html_of(Tell(DESK, "Alice wrote in <b>EVERYONE</b>"), CASE) is None

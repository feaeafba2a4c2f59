"""Formatted words that are the plain ones pass; anything else is shown to the mediator with both."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.matrix.content import read, with_repeated
from policies.message import Content, Edit, Text, Unreadable

SAME = [
    ("hello", "hello"),
    ("**No**, and _never_", "<strong>No</strong>, and <em>never</em>"),
    ("# Terms\n\n1. rent\n2. keys\n\n* a", "<h1>Terms</h1><ol><li>rent</li><li>keys</li></ol><ul><li>a</li></ul>"),
    ("3. rent\n4. keys", '<ol start="3"><li>rent</li><li>keys</li></ol>'),
    ("> you said\n\nyes", "<blockquote><p>you said</p></blockquote><p>yes</p>"),
    ("Carl: please", '<a href="https://matrix.to/#/@carl:example.org">Carl</a>: please'),
    ("see [the plan](https://example.org/a?b=1)", '<p>see <a href="https://example.org/a?b=1">the plan</a></p>'),
    ("https://example.org/a", '<a href="https://example.org/a">https://example.org/a</a>'),
    ("```python\nprint(1)\n```", '<pre><code class="language-python">print(1)\n</code></pre>'),
    ("1 < 2 & 3", "1 &lt; 2 &amp; 3"),
    ("-5 and 1.50 €", "<p>-5 and 1.50 €</p>"),
    ("fine 👍", "<b>fine</b> 👍"),
    ("two\nlines", "two<br>lines"),
    ("~~no~~ yes", "<del>no</del> yes"),
    ("rent > 500", "<p>rent &gt; 500</p>"),
    ("<https://example.org/a>", '<p><a href="https://example.org/a">https://example.org/a</a></p>'),
    ("write to carl@example.org", 'write to <a href="mailto:carl@example.org">carl@example.org</a>'),
]  # fmt: skip
OTHER = [
    ("I agree", "<b>I do not agree</b>"),
    ("I do not agree", "I agree"),
    ("5 coins", "-5 coins"),
    ("1.5", "15"),
    ("fine 👍", "fine 👎"),
    ("done.", "done?"),
    ("yes [x](https://example.org/no)", '<a href="https://example.org/yes">yes x</a>'),
    ("I agree", 'I <span style="display:none">do not</span> agree'),
    ("I agree", "I <head>do not</head> agree"),
    ("I agree", "I <noscript>do not</noscript> agree"),
    ("I agree", '<ol start="7"><li>I agree</li></ol>'),
    # Words that clients leave out, cover, colour away, move, or put a picture for.
    ("I do not agree", "I do <style>not</style> agree"),
    ("I do not agree", "I do <textarea>not</textarea> agree"),
    ("I do not agree", 'I do <img alt="not"> agree'),
    ("I do not agree", 'I do <span data-mx-color="#ffffff" data-mx-bg-color="#ffffff">not</span> agree'),
    ("I do not agree", 'I do <span data-mx-spoiler="">not</span> agree'),
    ("I do not agree", '<span data-mx-maths="I agree">I do not agree</span>'),
    ("I agree if you pay", "I agree<details><summary>if</summary>you pay</details>"),
    ("I agree if you pay", "<table>I agree<tr><td>if</td></tr>you pay</table>"),
    ("I agree, I refuse", "<del>I agree,</del> I refuse"),
    ("pay 104", "pay 10<sup>4</sup>"),
    ("pay < 500", "pay &gt; 500"),
    ("I agree", '<ol start="-7"><li>I agree</li></ol>'),
    # Words that we would pass over, and clients don't.
    ("I refuse", "<mx-reply>I agree</mx-reply>I refuse"),
    ("I refuse", "<!--<mx-reply>-->I agree<!--</mx-reply>-->I refuse"),
    ("I refuse", "<!-->I agree-->I refuse"),
    ("I refuse", "<![CDATA[>I agree]]>I refuse"),
    ("I refuse", '<b =">I agree">I refuse'),
    # A link that leads elsewhere than it says.
    ("https://example.org", '<a href="https://example.com">https://example.org</a>'),
    ("sign here", '<a href="https://example.com">sign here</a>'),
]


def read_words(body: str, html: str) -> object:
    return read("m.room.message", message(body, html), {}).content


def message(body: str, html: str) -> dict[str, Any]:
    return {"msgtype": "m.text", "body": body, "format": "org.matrix.custom.html", "formatted_body": html}


@pytest.mark.parametrize(("body", "html"), SAME)
def test_formatted_words_that_are_the_plain_ones_are_words(body: str, html: str) -> None:
    assert read_words(body, html) == Text(body)
    edit = {**message("* x", "* x"), "m.new_content": message(body, html)}
    relation = {"m.relates_to": {"rel_type": "m.replace", "event_id": "$a"}}
    assert read("m.room.message", edit, relation).content == Edit(None, body)


@pytest.mark.parametrize(("body", "html"), OTHER)
def test_a_message_that_says_two_things_is_not_carried_and_shows_both(body: str, html: str) -> None:
    content = read_words(body, html)
    assert isinstance(content, Unreadable)
    assert content.words.startswith(body)
    edit = {**message("* x", "* x"), "m.new_content": message(body, html)}
    relation = {"m.relates_to": {"rel_type": "m.replace", "event_id": "$a"}}
    assert isinstance(read("m.room.message", edit, relation).content, Unreadable)


@pytest.mark.parametrize(
    "html",
    [7, None, "", " ", "<", "<mx-reply>", "\x00<b>x</b>", "<b>" * 5000, "<![x", f'<ol start="{"9" * 5000}"><li>'],
)
def test_nothing_in_formatted_words_breaks_reading(html: Any) -> None:
    content = {"msgtype": "m.text", "body": "x", "format": "org.matrix.custom.html", "formatted_body": html}
    assert isinstance(read("m.room.message", content, {}).content, Text | Unreadable)


@given(st.text("<>![]-&#x;/aol \"'=start9"), st.text())
def test_whatever_formatted_words_are_reading_says_something(html: str, body: str) -> None:
    assert isinstance(read_words(body, html), Text | Unreadable)


def test_a_format_that_nobody_knows_is_not_shown_by_anybody() -> None:
    content = {"msgtype": "m.text", "body": "x", "format": "org.example", "formatted_body": "<b>y</b>"}
    assert read("m.room.message", content, {}).content == Text("x")


def test_a_reply_of_an_older_client_repeats_what_it_answers_twice() -> None:
    html = '<mx-reply><blockquote><a href="x">In reply to</a> @a:b<br>old<br>words</blockquote></mx-reply><b>new</b>'
    relation = {"m.relates_to": {"m.in_reply_to": {"event_id": "$a"}}}
    said = read("m.room.message", message("> <@a:b> old\n> words\n\n**new**", html), relation)
    assert (said.content, said.repeated) == (Text("**new**"), "old\nwords")
    assert with_repeated(said, Text("old words")) == Text("**new**")


@pytest.mark.parametrize(
    "html",
    [
        "<mx-reply>In reply to @a:b I agree</mx-reply>new",
        "<mx-reply>In reply to @a:b old</mx-reply >I agree</mx-reply>new",
        "<mx-reply>In reply to @a:b old</mx-reply>new<mx-reply>I agree</mx-reply>",
        "new<mx-reply>In reply to @a:b old</mx-reply>",
    ],
)
def test_a_reply_repeats_in_formatted_words_what_its_plain_ones_repeat_and_nothing_else(html: str) -> None:
    relation = {"m.relates_to": {"m.in_reply_to": {"event_id": "$a"}}}
    said = read("m.room.message", message("> <@a:b> old\n\nnew", html), relation)
    assert isinstance(said.content, Unreadable)


@pytest.mark.parametrize("sign", ["\u202d", "\u202e"])
def test_words_that_clients_show_backwards_are_not_carried(sign: str) -> None:
    content = read("m.room.message", {"msgtype": "m.text", "body": f"I pay {sign}5001"}, {}).content
    assert isinstance(content, Unreadable)
    rich = message("fine", f"<b>fine</b>{sign}")
    assert isinstance(read("m.room.message", rich, {}).content, Unreadable)


@pytest.mark.parametrize("quoted", [None, Text("other words"), Unreadable("why", "old words")])
def test_a_repetition_that_is_none_stays_in_the_words(quoted: Content | None) -> None:
    relation = {"m.relates_to": {"m.in_reply_to": {"event_id": "$a"}}}
    said = read("m.room.message", {"msgtype": "m.text", "body": "> <@a:b> old\n> words\n\nnew"}, relation)
    assert with_repeated(said, quoted) == Text("> old\n> words\n\nnew")

"""What somebody says by their own membership, as homeservers send it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.matrix.members import words_in_membership

ALICE = "@alice:example.org"
JOINED = {"membership": "join", "displayname": "Alice", "avatar_url": "mxc://example.org/a"}


def member(content: Any, before: Any = None, *, of: str = ALICE, by: str = ALICE) -> dict[str, Any]:
    unsigned = {"prev_content": before} if before is not None else {}
    return {"type": "m.room.member", "state_key": of, "sender": by, "content": content, "unsigned": unsigned}


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (member(JOINED), None),
        (member(JOINED, {"membership": "invite"}), None),
        (member(JOINED, JOINED), None),
        (member({"membership": "leave"}, JOINED), None),
        (member({"membership": "join"}, JOINED), None),
        (member({"membership": "leave", "reason": "He lies"}, JOINED), "He lies"),
        (member(JOINED | {"reason": "I pay 10"}, {"membership": "invite"}), "I pay 10"),
        (member(JOINED | {"displayname": "I pay 10"}, JOINED), "I pay 10"),
        (member(JOINED | {"avatar_url": "mxc://example.org/b"}, JOINED), "mxc://example.org/b"),
        (member(JOINED | {"org.evil.chat": {"text": "I pay 10"}}), "{'text': 'I pay 10'}"),
        (member(JOINED | {"displayname": "x" * 65}), "x" * 65),
        (member(JOINED | {"displayname": "Anna Alice " + "Maria" * 8}), None),
        (member({"membership": "invite", "reason": "come"}, of="@bob:example.org"), None),
        (member("join"), None),
        (member({"membership": "join", "displayname": 7, "reason": ["x"]}), "['x']"),
    ],
)
def test_what_a_membership_says_beside_coming_and_going(event: dict[str, Any], words: str | None) -> None:
    assert words_in_membership(event) == words


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(JSON, JSON, JSON)
def test_whatever_stands_there_is_no_error(content: Any, unsigned: Any, before: Any) -> None:
    event = member(content) | {"unsigned": unsigned}
    words_in_membership(event)
    words_in_membership(member(content, before))

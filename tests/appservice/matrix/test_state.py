"""A room's state is read as one snapshot, and what is malformed in it counts as not there."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from appservice.matrix.ids import RoomId
from appservice.matrix.state import parse_state

ROOM = RoomId("!room")


def event(kind: str, content: dict[str, Any], key: str = "", sender: str = "@bot:x") -> dict[str, Any]:
    return {"type": kind, "state_key": key, "sender": sender, "content": content}


def test_a_whole_room_is_read() -> None:
    state = parse_state(
        ROOM,
        [
            event("m.room.create", {"room_version": "12", "additional_creators": ["@eve:x"]}),
            event("m.room.member", {"membership": "join"}, "@bot:x"),
            event("m.room.member", {"membership": "invite"}, "@alice:x"),
            event("m.room.member", {"membership": "leave"}, "@carl:x"),
            event("m.room.power_levels", {"invite": 100}),
            event("m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"}),
            event("m.room.join_rules", {"join_rule": "invite"}),
            event("m.room.history_visibility", {"history_visibility": "joined"}),
            event("m.room.guest_access", {"guest_access": "forbidden"}),
            event("m.room.name", {"name": "EVERYONE · 1042"}),
        ],
    )
    assert state.version == "12"
    assert sorted(state.creators) == ["@bot:x", "@eve:x"]
    assert state.joined == frozenset({"@bot:x"})
    assert state.with_membership("invite", "leave") == frozenset({"@alice:x", "@carl:x"})
    assert state.algorithm == "m.megolm.v1.aes-sha2"
    assert (state.join_rule, state.history_visibility, state.guest_access) == ("invite", "joined", "forbidden")
    assert (state.name, state.tombstone) == ("EVERYONE · 1042", None)


def test_an_empty_room_claims_nothing() -> None:
    state = parse_state(ROOM, [])
    assert (state.version, state.creators, state.joined, state.encryption) == ("1", frozenset(), frozenset(), None)


@given(
    st.lists(
        st.none()
        | st.dictionaries(
            st.sampled_from(["type", "state_key", "sender", "content"]),
            st.none()
            | st.sampled_from(["m.room.create", "m.room.member", "m.room.name", ""])
            | st.dictionaries(st.sampled_from(["membership", "name", "additional_creators"]), st.lists(st.integers())),
        ),
        max_size=5,
    )
)
def test_no_shape_whatever_raises(events: list[Any]) -> None:
    state = parse_state(ROOM, events)
    assert state.joined == frozenset()

"""Words that stand in somebody's own membership, where no power level keeps them out (spec, `m.room.member`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KNOWN = frozenset(
    {
        "membership",
        "displayname",
        "avatar_url",
        "reason",
        "is_direct",
        "third_party_invite",
        "join_authorised_via_users_server",
    }
)
_PROFILE = ("displayname", "avatar_url")
NAME_AT_MOST = 64
"""Characters of a name that somebody comes with: more is no name."""


def words_in_membership(event: Mapping[str, Any]) -> str | None:
    """What somebody says by their own membership event; None for one that says nothing but that they come or go.

    A reason, keys that the specification doesn't know, a name of more characters than names have, and a name or picture
    that is changed by somebody who is in the room already. Never raises: the content came from outside.
    """
    content = event.get("content")
    if not isinstance(content, dict) or event.get("state_key") != event.get("sender"):
        return None
    said = [str(content[key]) for key in ("reason", *sorted(content.keys() - _KNOWN)) if content.get(key)]
    before = _before(event)
    if before is not None and content.get("membership") == "join" and before.get("membership") == "join":
        said += [str(content[key]) for key in _PROFILE if content.get(key) and content[key] != before.get(key)]
    elif len(str(content.get("displayname") or "")) > NAME_AT_MOST:
        said.append(str(content["displayname"]))
    return "\n".join(said) or None


def _before(event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    unsigned = event.get("unsigned")
    before = unsigned.get("prev_content") if isinstance(unsigned, dict) else None
    return before if isinstance(before, dict) else None

"""Makes of something genuine what somebody hostile, or a broken homeserver, could make of it."""

import base64
import copy
import random
from typing import Any

Json = dict[str, Any]

STRANGE: tuple[Any, ...] = (
    None, True, -1, 2**63, 10**400, 1.5, "", "\0", "\ud800", "\u202eevil", "@", "!", "$", "x" * 70_000, [], {}, [[[]]],
    {"": {"": {}}}, ["m.text"], {"body": 7}, "m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2", "m.room.encrypted",
    "@alice:example.org", "@mallory:example.org", "@_mediatrix_bot:example.org",
    # vodozemac 0.10 panics, past every `except Exception`, on keys of 33 bytes.
    *(base64.b64encode(bytes(size)).decode().rstrip("=") for size in (0, 31, 32, 33, 64, 200)),
)  # fmt: skip


def deep(depth: int) -> Json:
    """An object in an object in an object."""
    inner: Json = {}
    for _ in range(depth):
        inner = {"a": inner}
    return inner


def mutated(genuine: Json, chance: random.Random) -> Json:
    """A copy of which a value was replaced, removed, or damaged a little, at any depth."""
    changed = copy.deepcopy(genuine)
    places = list(_places(changed))
    holder, key = chance.choice(places)
    match chance.randrange(6):
        case 0:
            del holder[key]
        case 1 if isinstance(holder[key], str) and holder[key]:
            letters = list(holder[key])
            letters[chance.randrange(len(letters))] = chance.choice("Aa1-_=/é")
            holder[key] = "".join(letters)
        case 2:
            other, name = chance.choice(places)
            holder[key] = copy.deepcopy(other.get(name))
        case 3:
            holder[key] = deep(chance.choice((5, 100, 900)))
        case _:
            holder[key] = copy.deepcopy(chance.choice(STRANGE))
    return changed


def _places(value: object) -> Any:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield value, key
            yield from _places(inner)

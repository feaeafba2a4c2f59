"""One mail of several: what waited for a digest leaves together, each room's in a mail of its own, in its order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from policies.case import Case, Conversation
from policies.effects import Publish, Relay
from policies.message import Edit, File, Removal, Text
from policies.networks.delivery import by_link
from policies.undoing.recalling import is_early
from rooms.clearance import kept_back
from rooms.letters import Enclosed, ToPerson, addressee, letter_to
from rooms.outcome import Parked
from rooms.outgoing import Codec
from rooms.queue import Item

TOGETHER_MOST: Final = 40
"""Messages in one mail; the next are in another."""
BYTES_MOST: Final = 200_000
"""Of all of them as they are stored: longer mails are cut by those who show them."""


def is_gathered(case: Case, effect: ToPerson) -> bool:
    """Whether others may go in the same mail: words for somebody who gets words by mail, in digests."""
    person = case.person(addressee(effect))
    return person is not None and person.digest is not None and not by_link(person) and _is_words(effect)


def gathered(
    case: Case, where: Conversation, items: Sequence[Item], codec: Codec, at: datetime
) -> tuple[Enclosed, ...]:
    """What goes with the first of these items, whose room is given: what is of the same room, up to what may not go
    now, or is no words of others. Nothing overtakes anything of its own room."""
    found: list[Enclosed] = []
    size = sum(len(item.body) for item in items[:1])
    for item in items[1:]:
        effect = codec.load(item.body)
        if not isinstance(effect, ToPerson) or effect.conversation != where:
            continue
        size += len(item.body)
        why = kept_back(case, effect, item.received_at, at)
        early = isinstance(effect, Relay) and is_early(effect, at)
        is_last = early or len(found) + 1 >= TOGETHER_MOST or size > BYTES_MOST
        if is_last or isinstance(why, Parked) or not _is_words(effect) or item.sending:
            break
        if why is None:
            found.append(Enclosed(item, letter_to(case, effect)))
    return tuple(found)


def _is_words(effect: ToPerson) -> bool:
    """Whether it is what somebody else said, as a mail can carry it."""
    if isinstance(effect, Relay):
        return isinstance(effect.content, Text | Edit | File | Removal)
    return isinstance(effect, Publish)

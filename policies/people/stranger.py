"""Somebody who wrote to the organisation and takes part in no case, and all of them at the triage desk. Values only."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType

from policies.frozen import frozen
from policies.names import CaseId, MessageId, Network

StrangerId = NewType("StrangerId", str)
"""Of a stranger, as mediators type it: "S3". Never reused."""

TRIAGE: Final = CaseId("triage")
"""The triage desk, among the cases: the one that has nobody in it but mediators, and no room but their desk."""


class Stands(StrEnum):
    """What became of a stranger."""

    WAITING = "waiting"
    OPENED = "case opened"
    DECLINED = "declined"
    BLOCKED = "blocked"


@frozen
class Writer:
    """Whoever wrote, as a network shows them. `to`: our number or address that they wrote to.

    `name` is the address or number as mediators see it; `user`, `phone` and `key` are as in `policies.case.Seen`.
    `doubt` tells in words why it may be somebody else: then nothing is ever sent there (no backscatter).
    """

    network: Network
    name: str
    to: str
    user: str | None = None
    phone: str | None = None
    key: str | None = None
    doubt: str | None = None


@frozen
class Stranger:
    """One of them. `first` is what they wrote first, `heard` when they last wrote.

    `hour` began when they wrote what counts as the first of at most so many an hour; `shown` and `unshown` are how many
    messages of that hour the desk was shown, and how many in all it was not.
    """

    id: StrangerId
    writer: Writer
    first: MessageId
    since: datetime
    heard: datetime
    stands: Stands = Stands.WAITING
    case: CaseId | None = None
    referrer: str | None = None
    stopped: bool = False
    """They wrote STOP."""
    hour: datetime | None = None
    shown: int = 0
    unshown: int = 0


@frozen
class Tally:
    """How many of those whom nothing else is kept of were sent by one referrer, and ended so."""

    referrer: str | None
    stands: Stands
    people: int


@frozen
class Triage:
    """All strangers, oldest first. `turned_away` counts those messages for which there was no room any more; `told`:
    when the desk was last told of such."""

    strangers: tuple[Stranger, ...] = ()
    made: int = 0
    gone: tuple[Tally, ...] = ()
    turned_away: int = 0
    told: datetime | None = None

    def get(self, number: str) -> Stranger | None:
        """The stranger of that number, in upper or lower case."""
        return next((s for s in self.strangers if s.id == number.upper()), None)

    def who(self, writer: Writer) -> Stranger | None:
        """Who that is, if they wrote before: the same account or, where the network names none, the same number.

        Proven and unproven writers are two, whatever address they show: else anybody could write in another's name.
        """
        alike = (s for s in reversed(self.strangers) if (s.writer.doubt is None) == (writer.doubt is None))
        return next((s for s in alike if _same(s.writer, writer)), None)

    def was_written_to(self, writer: Writer) -> bool:
        """Whether anybody had an automatic answer at that number, that account or that address."""
        return any(s.writer.doubt is None and _alike(s.writer, writer) for s in self.strangers)

    def waiting(self, writer: Writer) -> int:
        """How many wait who came that way. Proven and unproven ones apart: what costs nothing to forge keeps nobody out
        who writes in their own name."""
        way = writer.network, writer.doubt is None
        return sum(
            s.stands is Stands.WAITING and (s.writer.network, s.writer.doubt is None) == way for s in self.strangers
        )

    def having(self, stranger: Stranger) -> Triage:
        """With that stranger's new values, or with one more."""
        known = any(s.id == stranger.id for s in self.strangers)
        changed = tuple(stranger if s.id == stranger.id else s for s in self.strangers)
        return replace(self, strangers=changed if known else (*self.strangers, stranger))

    def of_case(self, case: CaseId) -> tuple[Stranger, ...]:
        """For whom that case was opened."""
        return tuple(s for s in self.strangers if s.case == case)


def _same(one: Writer, other: Writer) -> bool:
    if one.network is not other.network:
        return False
    if one.user:
        return one.user == other.user
    if one.phone or other.phone:
        return one.phone == other.phone and not (one.key and other.key and one.key != other.key)
    return one.name.casefold() == other.name.casefold()


def _alike(one: Writer, other: Writer) -> bool:
    return one.network is other.network and bool(_names(one) & _names(other))


def _names(writer: Writer) -> set[str]:
    return {name for name in (writer.name.casefold(), writer.user, writer.phone) if name}

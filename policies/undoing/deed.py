"""The latest act of a mediator, and what of it can be taken back: values; `undo` has what follows."""

from __future__ import annotations

from datetime import datetime

from policies.documents.document import DocumentId, Label
from policies.frozen import frozen
from policies.moderation.mode import Floor, Spell
from policies.moderation.rulebook import Rulebook
from policies.names import Conversation, MessageId, PersonId, Phase, ReleaseId
from policies.networks.digest import Digest
from policies.networks.discreet import Discreet
from policies.networks.quiet import Quiet
from policies.releases.release import Standing
from policies.words.language import Language


@frozen
class FloorSet:
    """Who may speak in the joint room."""

    before: Floor
    after: Floor


@frozen
class CourseSet:
    """Whether the mediation rests, and by whose pauses."""

    before: Phase
    pauses_before: tuple[Spell, ...]
    after: Phase
    pauses_after: tuple[Spell, ...]


@frozen
class RulesSet:
    """The rules of the joint room."""

    before: Rulebook
    after: Rulebook


@frozen
class QuietSet:
    """When nothing is sent to somebody."""

    person: PersonId
    before: Quiet | None
    after: Quiet | None


@frozen
class RestSet:
    """Until when nothing is sent to somebody."""

    person: PersonId
    before: datetime | None
    after: datetime | None


@frozen
class DiscreetSet:
    """Whether what is sent to somebody tells nothing."""

    person: PersonId
    before: Discreet | None
    after: Discreet | None


@frozen
class DigestSet:
    """At which times others' words are mailed to somebody."""

    person: PersonId
    before: Digest | None
    after: Digest | None


@frozen
class LanguageSet:
    """The language in which somebody is written to."""

    person: PersonId
    before: Language | None
    after: Language | None


@frozen
class CaseLanguageSet:
    """The language in which the service speaks to all."""

    before: Language
    after: Language


@frozen
class DeskZoneSet:
    """The time zone in which times are shown at the desk."""

    before: str
    after: str


@frozen
class ZoneSet:
    """The time zone in which times are shown to somebody."""

    person: PersonId
    before: str | None
    after: str | None


@frozen
class ChannelStopped:
    """Whether, and why, nothing is sent over somebody's channel."""

    person: PersonId
    before: str | None
    after: str | None


@frozen
class LabelSet:
    """How far a version of a document can go. `revoked`: grants ended with it, and stay ended."""

    document: DocumentId
    version: int
    before: Label
    after: Label
    revoked: bool


@frozen
class Asked:
    """A question was put."""

    code: str


@frozen
class ReleaseBegun:
    """Words are on their way out of a private room, and nobody has read them yet."""

    release: ReleaseId
    standing: Standing


@frozen
class PutAside:
    """A held message waits no longer; nobody was told."""

    message: MessageId


OfPerson = QuietSet | RestSet | DiscreetSet | DigestSet | LanguageSet | ZoneSet | ChannelStopped
"""When, how and where somebody is written to."""
Change = (
    FloorSet
    | CourseSet
    | RulesSet
    | OfPerson
    | CaseLanguageSet
    | DeskZoneSet
    | LabelSet
    | Asked
    | ReleaseBegun
    | PutAside
)


@frozen
class Final:
    """Why something can't be taken back, and what to do instead."""

    why: str
    instead: str


@frozen
class Posted:
    """What a mediator wrote last where parties read."""

    by: PersonId
    message: MessageId
    where: Conversation
    at: datetime


@frozen
class Deed:
    """What a mediator did last. `where` and `entry` are its place on record, `what` is how the desk was answered.

    `by` is None for the organisation. `final`: it can't be taken back; then there are no changes.
    """

    by: PersonId | None
    at: datetime
    where: Conversation
    entry: int
    what: str
    changes: tuple[Change, ...] = ()
    final: Final | None = None

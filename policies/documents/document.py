"""A document: its versions, who was let see which, and what its owner agreed to. Values; `documents` decides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import NewType

from policies.documents.files import Kind
from policies.frozen import frozen
from policies.names import Conversation, Network, PersonId
from policies.words.phrase import Phrase

DocumentId = NewType("DocumentId", str)
"""Of a document within its case, as people type it: "D2". Never given twice."""
BlobId = NewType("BlobId", str)
"""Opaque: where the vault keeps some bytes."""


class Label(StrEnum):
    """Who may see a document, and how far it can be widened."""

    JOINT = "joint"
    """Its side, the mediators, and those of the joint room to whom it was released."""
    CONSENT = "consent-required"
    """Its side, the mediators, and each person to whom its owner agreed for this very version."""
    CAUCUS = "caucus"
    """Its side and the mediators."""
    MEDIATORS = "mediator-only"
    """Its owner and the mediators."""
    PRIVILEGED = "privileged"
    """Its owner, and the parties and counsel of its side: not even the mediators."""


_STRICT = tuple(Label)


class Action(StrEnum):
    """What somebody does with a document. Whoever may download may view."""

    VIEW = "view"
    DOWNLOAD = "download"


@frozen
class Kept:
    """Bytes in the vault, with what tells them from all others. `size` in bytes, `sha256` of the plaintext, in hex."""

    blob: BlobId
    sha256: str
    size: int


@frozen
class Version:
    """One version, which never changes but in its label. `served` is what people get; `original` is what was sent."""

    number: int
    label: Label
    kind: Kind
    """What it really is, by its content."""
    mimetype: str
    at: datetime
    served: Kept
    original: Kept
    pages: int | None = None
    """How many page images there can be; None where there are none."""
    changes: tuple[Phrase, ...] = ()
    """What was taken out of the original, in words for its owner."""


@frozen
class Area:
    """A place on a page, in thousandths of the page as it is seen, from its left and its top."""

    page: int
    left: int
    top: int
    right: int
    bottom: int


@frozen
class Consent:
    """That its owner agreed: somebody may do that with the version of that hash. `how` is what proves it."""

    sha256: str
    person: PersonId
    action: Action
    at: datetime
    how: str
    over: Network | None = None
    """By which network that person took part, as was shown then; None: it was not written down yet."""


@frozen
class Grant:
    """That somebody was given a version by a mediator, or by its owner. It may end by time, by use, or by being taken
    back, and is never deleted."""

    version: int
    person: PersonId
    action: Action
    by: PersonId
    at: datetime
    expires: datetime | None = None
    most: int | None = None
    """How often it may be opened."""
    opened: int = 0
    revoked: datetime | None = None

    def counts(self, at: datetime) -> bool:
        """Whether it holds at that time."""
        used_up = self.most is not None and self.opened >= self.most
        return self.revoked is None and not used_up and (self.expires is None or at < self.expires)


@frozen
class Serving:
    """That a version was served to somebody: that it left here, not that it was read. `how` says which way."""

    version: int
    person: PersonId
    action: Action
    at: datetime
    how: str
    pages: tuple[int, ...] = ()
    """Of what is served page by page: those that were, in the order in which they were asked for."""
    sha256: str = ""
    """Of the bytes that left, where it was a file."""
    mark: str = ""
    """What stands on it, by which it is known again."""


@frozen
class Document:
    """A document of a case. `home` is the private room that it belongs to: its side's, or the desk."""

    id: DocumentId
    owner: PersonId
    home: Conversation
    name: str
    """Fit to be shown: made of the sender's by `files.file_name`."""
    versions: tuple[Version, ...]
    grants: tuple[Grant, ...] = ()
    consents: tuple[Consent, ...] = ()
    servings: tuple[Serving, ...] = ()
    exposed: frozenset[PersonId] = frozenset()
    """Who may have seen it before it was taken out of the joint room."""
    called: str = ""
    """What its owner calls it, if another of theirs had that name already."""
    into: DocumentId | None = None
    """Of which document it is a version now, under another number; itself it is nothing any more."""
    quarantined: Phrase | None = None
    """Why it was refused: nobody gets it before a mediator has it kept as it is."""

    @property
    def newest(self) -> Version:
        """The version that is meant if none is named."""
        return self.versions[-1]

    def version(self, number: int) -> Version | None:
        """The version of that number."""
        return next((v for v in self.versions if v.number == number), None)

    def with_version(self, version: Version) -> Document:
        """The document with that version's new values, or with one more. What is made of something strict is no less
        strict."""
        if self.version(version.number):
            return replace(self, versions=tuple(version if v.number == version.number else v for v in self.versions))
        label = strictest([version.label, self.newest.label])
        return replace(self, versions=(*self.versions, replace(version, label=label)))


def strictest(labels: Iterable[Label]) -> Label:
    """The label of what is made from sources with these."""
    return max(labels, key=_STRICT.index)


def is_stricter(one: Label, other: Label) -> bool:
    """Whether the first lets fewer people see."""
    return _STRICT.index(one) > _STRICT.index(other)

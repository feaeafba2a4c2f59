"""The agreement to mediate: its exact text, version by version, and who accepted it (M2, M3)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from policies.frozen import frozen
from policies.names import PersonId

ACCEPTANCE_LASTS = timedelta(days=14)
"""So long the question may be answered; then the mediator asks again."""


class Confidentiality(StrEnum):
    """What a mediator may pass on of what one side says in private (M3)."""

    STRICT = "strict"
    SHARE = "share-unless-marked"
    OPEN = "no-secrets"


IN_WORDS: Mapping[Confidentiality, str] = MappingProxyType(
    {
        Confidentiality.STRICT: (
            "Confidentiality: what you write in your private room stays there. The mediator passes none of it on unless"
            " you agreed to the exact words and to who will read them. Silence is a no."
        ),
        Confidentiality.SHARE: (
            "Confidentiality: what you write in your private room, the mediator may pass on to others in the mediation,"
            " unless you marked it as private: begin such a message with the word “private”."
        ),
        Confidentiality.OPEN: (
            "Confidentiality: there are no secrets in this mediation. What you write in your private room, the mediator"
            " may pass on to others in the mediation."
        ),
    }
)


@frozen
class Agreement:
    """One version of the agreement. `text` is Markdown, as the organisation wrote it."""

    version: int
    text: str
    confidentiality: Confidentiality = Confidentiality.STRICT

    @property
    def words(self) -> str:
        """Exactly what is accepted: the text, and what holds for private words, which is part of it."""
        return f"{self.text.strip()}\n\n{IN_WORDS[self.confidentiality]}"

    @property
    def sha256(self) -> str:
        """Of the exact words, in UTF-8, as hexadecimal digits."""
        return hashlib.sha256(self.words.encode()).hexdigest()


@frozen
class Acceptance:
    """That somebody accepted those exact words; `how` says in words what proves it. An acceptance of the same words in
    an earlier version is none of the version that counts: everyone was asked anew."""

    person: PersonId
    sha256: str
    at: datetime
    how: str
    version: int = 1

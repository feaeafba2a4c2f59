"""A question to one person whose answer binds, and the acts that a yes can perform. Values; `asking` is their life."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from policies.frozen import frozen
from policies.moderation.agreement import Confidentiality
from policies.names import Conversation, ConversationId, MessageId, Network, PersonId, Phase, ReleaseId
from policies.networks.way import Way
from policies.people.stranger import StrangerId


@frozen
class Removing:
    """Somebody takes part no more."""

    person: PersonId


@frozen
class Mending:
    """The rooms are brought to the plan."""


@frozen
class Accepting:
    """The asked person accepts the agreement to mediate, and that their words go over these ways."""

    ways: tuple[Way, ...] = ()


@frozen
class Carrying:
    """The asked person lets their words go over these ways."""

    ways: tuple[Way, ...]


@frozen
class Adopting:
    """The case gets a new version of its agreement, with this text and this confidentiality."""

    text: str
    confidentiality: Confidentiality


@frozen
class Consenting:
    """The asked person lets these words of theirs be shown to these readers."""

    release: ReleaseId


@frozen
class Passing:
    """The mediator has seen the preview: words are released, or their author is asked first."""

    release: ReleaseId


@frozen
class Sharing:
    """The asked person lets everyone read these words, which they wrote in private."""

    author: PersonId
    message: MessageId
    words: str


@frozen
class TakingBack:
    """The asked person keeps private, after all, what everyone would read in a moment. `how` they let them, for the
    record."""

    author: PersonId
    message: MessageId
    words: str
    how: str


@frozen
class Withdrawing:
    """Somebody withdraws from the mediation."""

    person: PersonId


@frozen
class Broadcasting:
    """These words go to each side separately."""

    words: str


@frozen
class Ending:
    """The mediation is over, in this phase."""

    phase: Phase


@frozen
class Wondering:
    """The mediator asks something that is answered by yes or no; nothing follows from it by itself."""

    question: str


@frozen
class TakingOver:
    """The asked mediator takes the case over from another, who is out of it then."""

    former: PersonId
    successor: PersonId


@frozen
class WritingToStranger:
    """These words of a mediator's go to somebody who takes part in no case."""

    to: StrangerId
    words: str


@frozen
class Moving:
    """Somebody who was entered on a wrong side comes onto this one."""

    person: PersonId
    side: str


@frozen
class Switching:
    """Somebody is reached over this network from now on, at this address, and no more where they were."""

    person: PersonId
    network: Network
    address: str


@frozen
class Doubling:
    """Somebody is reached over this network at this address, too, and stays where they are (ADR 56)."""

    person: PersonId
    network: Network
    address: str


@frozen
class Leaving:
    """Of somebody's two channels this one ends; they stay by the other."""

    leg: PersonId


@frozen
class Reaching:
    """A mediator is told at this address that something waits at the desk: the code was sent there alone."""

    person: PersonId
    address: str
    network: Network = Network.EMAIL


@frozen
class Proving:
    """The channel of that person, in the mediators' room, is theirs: the code came from there, or went there alone."""

    person: PersonId


Act = (
    Removing
    | Mending
    | Accepting
    | Carrying
    | Adopting
    | Consenting
    | Passing
    | Sharing
    | TakingBack
    | Withdrawing
    | Broadcasting
    | Ending
    | Wondering
    | TakingOver
    | WritingToStranger
    | Moving
    | Switching
    | Doubling
    | Leaving
    | Reaching
    | Proving
)


@frozen
class Meaning:
    """What a yes is about: these exact words, for these readers, also `over` networks that its person has not agreed to
    beside it, and of these `rooms`, where several have one name."""

    words: str
    audience: frozenset[PersonId] = frozenset()
    over: frozenset[Network] = frozenset()
    rooms: tuple[ConversationId, ...] = ()

    @property
    def sha256(self) -> str:
        """Of all together; nothing that differs has the same."""
        over = [sorted(self.over)] if self.over else []
        rooms = [{"rooms": self.rooms}] if self.rooms else []
        return hashlib.sha256(json.dumps([self.words, sorted(self.audience), *over, *rooms]).encode()).hexdigest()


@frozen
class Ask:
    """One question. It is answered once, by whom it was put to, where it was put, in time; or not at all.

    `code` is the short word that the answer must repeat, so that it can't be taken for another question's. `binds` is
    the `Meaning.sha256` of what was shown: if that is another by the time of the answer, the answer is void.
    """

    code: str
    asked: PersonId
    where: Conversation
    act: Act
    binds: str
    at: datetime
    expires: datetime

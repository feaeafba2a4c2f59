"""What a decision may bring about: a closed union, applied in one place (`rooms.apply`)."""

from __future__ import annotations

from datetime import datetime

from policies.case import Case, Conversation, EndpointId, Network, PersonId, ReleaseId
from policies.documents.carrying import Cover, Enclose, Erase, Hand, Recall
from policies.frozen import frozen
from policies.message import Content, Message, MessageId
from policies.moderation.hold import HoldEnd
from policies.people.stranger import StrangerId
from policies.schedule import Schedule
from policies.showing import (
    DeadLetters,
    GiveCode,
    GiveLink,
    GivePin,
    Preview,
    ShowBoard,
    ShowHeaders,
    ShowHeld,
    ShowLog,
    ShowMails,
    ShowReferrals,
)
from policies.words.phrase import Phrase, phrase


@frozen
class Post:
    """A person's own words, said on another network, into the Matrix room of a conversation, as that person's ghost."""

    conversation: Conversation
    author: PersonId
    content: Content
    message: MessageId
    reply_to: MessageId | None = None


@frozen
class Relay:
    """A message to one person's channel outside Matrix. Whether it may still go is asked again at sending (I3)."""

    message: MessageId
    conversation: Conversation
    author: PersonId | None
    content: Content
    to: PersonId
    reply_to: MessageId | None = None
    not_before: datetime | None = None
    """Until then its author may take it back, and what comes after it waits behind it."""


@frozen
class Withhold:
    """What of a message has not left yet to these people, doesn't leave."""

    message: MessageId
    people: frozenset[PersonId]


@frozen
class Tell:
    """The bot's own words into a conversation's room; they are not relayed to other networks. At the desk, in English:
    what parties read is an Announce."""

    conversation: Conversation
    text: str
    about: MessageId | None = None
    """The message that it shows, so that whoever replies to the one replies to the other."""


@frozen
class WriteToStranger:
    """The organisation's words to somebody who takes part in no case, over the network on which they wrote. Whether
    they may still go is asked again at sending."""

    to: StrangerId
    text: str


@frozen
class Announce(Tell):
    """The same in the room of a conversation that parties read, in their language."""

    text: Phrase


@frozen
class Explain:
    """The bot's own words about what one person did, in a conversation of that person with the mediators alone."""

    person: PersonId
    conversation: Conversation
    text: Phrase
    to_unsigned_devices: bool = False
    """Readable by that person's devices that aren't cross-signed, too; so never with content of the case."""


YES, NO = phrase("Yes"), phrase("No")
SILENCE = phrase("Silence counts as a no.")


@frozen
class Labels:
    """What stands on the buttons of a question, where its channel has any, and what silence does."""

    yes: Phrase = YES
    no: Phrase = NO
    silence: Phrase = SILENCE
    in_a_moment: bool = False
    """There is so little time that no hour need be named."""


@frozen
class Pose:
    """A question that binds, put to one person in a conversation of theirs, over that person's own channel.

    `title` says what is asked, `words` are the exact words that it is about, `then` is what a yes does; the channel
    renders them, and brings back an `asking.Answer` with the code. `of_the_case`: whether the words are somebody's,
    so that they need a consent to go by mail; else they are the organisation's.
    """

    to: PersonId
    conversation: Conversation
    code: str
    title: Phrase
    words: str
    then: Phrase
    expires: datetime
    of_the_case: bool
    labels: Labels = Labels()


@frozen
class Inform:
    """The bot's own words to one person in a conversation of theirs, over that person's own channel; nobody's words."""

    to: PersonId
    conversation: Conversation
    text: Phrase
    page: bool = False
    """It is about something on the page: by mail it goes as a link to that, whatever else its reader gets by mail; by
    WhatsApp a link goes with it, which is made as it leaves."""
    at_once: bool = False
    """It answers what they said just now of when they want to hear from us: kept until then, it would come too late."""
    wished: bool = False
    """They asked for the link just now: it goes, whatever link they were sent before."""
    due: datetime | None = None
    """It warns them: it goes then at the latest, whatever quiet hours or rest are asked for in their name meanwhile."""


@frozen
class Confide:
    """The bot's own words to one person alone, in the room of theirs that nobody else reads (`people.codes`): over
    that endpoint, and not after `until`."""

    to: PersonId
    endpoint: EndpointId
    text: Phrase
    until: datetime


@frozen
class Publish:
    """Released words under our heading, into the room of a conversation, or to one bridged reader of it.

    `audience`: for whom they were released. Should anybody else read there by the time of sending, they don't go.
    """

    release: ReleaseId
    conversation: Conversation
    heading: Phrase
    words: str
    audience: frozenset[PersonId]
    to: PersonId | None = None
    over: frozenset[Network] = frozenset()
    """Networks to which its author agreed with these words, and not before."""


@frozen
class CheckAddress:
    """A code to an address that a mediator gave as theirs; nothing else."""

    person: PersonId
    address: str
    code: str
    network: Network = Network.EMAIL
    invites: bool = False
    """The address is another's, whom that mediator invites into the mediators' room."""


@frozen
class Introduce:
    """The first mail of a room to a person: what the address is for, and who reads it.

    `as_link`: decided while they got links alone; if they have agreed to more by then, another one follows.
    """

    person: PersonId
    conversation: Conversation
    as_link: bool = False


@frozen
class AskWhose:
    """A mail came in somebody's name, unproven: their own mailbox is asked whether it was theirs, by a link without a
    word of it, at most once a day. Nothing goes to whoever wrote it."""

    to: PersonId
    conversation: Conversation


@frozen
class Hold:
    """A message that waits for a mediator; `why` is shown at the desk, without content.

    `audience`: for whom it was surely meant, who are those who can read there now; empty where anything about that is
    doubtful. Without its author's yes it is never posted to anybody else.
    """

    message: MessageId
    why: str
    audience: frozenset[PersonId] = frozenset()


@frozen
class EndHold:
    """A held message waits no longer. What has ended already stays as it ended."""

    message: MessageId
    how: HoldEnd


@frozen
class ResumeHold:
    """A held message that was discarded waits again."""

    message: MessageId


@frozen
class Redact:
    """Take a message out of a conversation's room. Who has read it has read it, and files stay on the server."""

    conversation: Conversation
    message: MessageId


@frozen
class Ingest:
    """Fetch the file that a message brought, have it examined, and take it to the vault; `filing.Filing` comes back.

    `home` is the private room that it will belong to, `exposed` who may have seen it already. `attached`: it came by
    a bridge, and is posted so if it can be no document; None: the message is the file, and stands in its room.
    """

    message: MessageId
    home: Conversation
    exposed: frozenset[PersonId] = frozenset()
    attached: Post | None = None


@frozen
class Reconcile:
    """Compare the case's rooms with the plan, and repair. `again`: invite those, too, who left by themselves.

    `leaving`: the addresses of those who have just been taken off, whom to find in a room is no alarm. `codes_of`: the
    room for codes of that person alone, into which they asked to be let, so that they are invited though they left it.
    """

    again: bool = False
    leaving: frozenset[str] = frozenset()
    codes_of: PersonId | None = None


@frozen
class ConfirmIdentity:
    """A person's new encryption identity is believed from now on, if it is still that key; what waited goes on."""

    person: PersonId
    key: str


@frozen
class Resume:
    """Deliveries that wait for this are looked at again; `policies.networks.delivery` has the keys."""

    key: str


@frozen
class PostHeads:
    """Post the signed heads of the case's chains to the desk, and mail them `to` these addresses, so that they leave
    the machine."""

    to: tuple[str, ...] = ()


Effect = (
    Post
    | Relay
    | Withhold
    | Tell
    | Announce
    | Explain
    | Pose
    | Inform
    | Confide
    | Publish
    | Introduce
    | CheckAddress
    | AskWhose
    | Hold
    | EndHold
    | ResumeHold
    | Redact
    | Ingest
    | Erase
    | Hand
    | Enclose
    | Recall
    | Cover
    | Reconcile
    | Preview
    | ConfirmIdentity
    | Resume
    | DeadLetters
    | ShowHeld
    | ShowBoard
    | ShowLog
    | PostHeads
    | Schedule
    | GivePin
    | GiveLink
    | GiveCode
    | ShowMails
    | ShowHeaders
    | WriteToStranger
    | ShowReferrals
)


POLICY_VERSION = 1
"""Raised with every change of what a rule decides, so that a stored decision tells which rules made it."""


@frozen
class Decision:
    """The case as it is afterwards, what follows from it, and why.

    `rule` is a short stable name, for records and metrics; `reason` is in words, without content. `refused` tells
    whoever gave a command through the API or the CLI that it was not carried out.
    """

    case: Case
    effects: tuple[Effect, ...]
    rule: str
    reason: str
    refused: bool = False
    begins: Begun | None = None


@frozen
class Heard:
    """When somebody last wrote to a number of ours: for so long they may be written to from there."""

    endpoint: EndpointId
    number: str
    at: datetime


@frozen
class Begun:
    """Another case, opened at the triage desk, with all that follows in it. `first` is what its party wrote to that
    desk, and now stands in their own caucus."""

    decision: Decision
    first: Message
    heard: Heard | None = None

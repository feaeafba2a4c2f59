"""Whether what was decided may still be sent (I3): at sending, a delivery can wait or be cancelled, never widened."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from policies.case import JOINT, Case, Conversation, EndpointId, Network, Person, PersonId, Phase
from policies.effects import Publish, Relay
from policies.frozen import frozen
from policies.moderation.floor import objection
from policies.moderation.mode import Mode
from policies.networks.digest import next_digest
from policies.networks.quiet import still_until
from policies.networks.way import CARRIED_BY
from policies.people.membership import readers
from policies.people.ways import carries, refused_since
from policies.words.text import moment


@frozen
class Go:
    """It may go, as decided."""


@frozen
class Wait:
    """Not yet; `key` names what it waits for, `until` when it is over by itself, where that is known."""

    why: str
    key: str
    until: datetime | None = None


@frozen
class Cancel:
    """Not any more."""

    why: str


Verdict = Go | Wait | Cancel


def may_post(case: Case, conversation: Conversation, author: PersonId | None) -> Verdict:
    """Whether words may still be posted in a conversation's room: by the bot (no author), or by a person's ghost."""
    if author is None:
        return Go()
    if author not in readers(case, conversation):
        return Cancel("its author no longer takes part there")
    why = objection(case, author, conversation, said=True)
    return Wait(why, floor_key(case)) if why else Go()


def may_address(case: Case, conversation: Conversation, to: PersonId, code: str | None = None) -> Verdict:
    """Whether something may still be said to one reader of a conversation. `code`: of a question, while it is open."""
    if to not in readers(case, conversation):
        return Cancel("whom it is for no longer takes part there")
    if code and not any(a.code == code and a.asked == to for a in case.asks):
        return Cancel("the question is closed")
    return Go()


def may_publish(
    case: Case, conversation: Conversation, audience: frozenset[PersonId], to: PersonId | None = None
) -> Verdict:
    """Whether released words may still be shown: only to those for whom they were released. `to`: the one reader whom
    a copy of them goes to; no room shows it, so that another channel of somebody who may read them is nobody new."""
    for_whom = audience if to is None else frozenset(one for person in audience for one in case.ids_of(person))
    if not readers(case, conversation) <= for_whom or (to is not None and to not in audience):
        return Cancel("somebody reads there now for whom it was not released; release it again")
    if case.phase in {Phase.PAUSED, Phase.CLOSED}:
        return Wait(f"the mediation is {case.phase}", floor_key(case))
    if conversation == JOINT and case.floor.mode is Mode.CLOSED:
        return Wait("the joint room is closed", floor_key(case))
    return Go()


def may_carry(
    case: Case, author: PersonId | None, conversation: Conversation, to: PersonId, said: datetime | None = None
) -> Verdict:
    """Whether an author's words may go over the network of that reader: by the author's own yes (B2). `said`: when;
    None: now. What was said under a no, or before one, never goes later, whatever else it waited for meanwhile."""
    reader, agreed = case.person(to), carries(case, author, conversation, to)
    refused = said is not None and refused_since(case, author, conversation, to, said)
    if reader is None or (agreed and not refused):
        return Go()
    way = CARRIED_BY[reader.endpoint.network]
    if agreed:
        return Cancel(f"its author did not agree then that it goes {way}, or took that back since")
    if agreed is False:
        return Cancel(f"its author does not agree that it goes {way}")
    if author is not None and case.living(author) is None:
        return Cancel(f"its author left without saying whether it may go {way}")
    return Wait(f"its author has not agreed yet that it goes {way}", ways_key(case))


def may_go_over(case: Case, effect: Relay | Publish, said: datetime | None = None) -> Verdict:
    """The same for words on their way: what was released goes where its author agreed with its words, too."""
    if isinstance(effect, Relay):
        return may_carry(case, effect.author, effect.conversation, effect.to, said)
    release, reader = case.release(effect.release), case.person(effect.to) if effect.to else None
    if release is None or reader is None or reader.endpoint.network in effect.over:
        return Go()
    return may_carry(case, release.author, effect.conversation, reader.id, said)


def may_relay(case: Case, conversation: Conversation, to: PersonId) -> Verdict:
    """Whether words may still be sent to a person's channel outside Matrix."""
    person = case.person(to)
    if person is None or to not in readers(case, conversation):
        return Cancel("the reader no longer takes part there")
    if person.endpoint.doubt is not None:
        return Wait("it may be another person who reads there now", channel_key(case, person.endpoint.id))
    if person.endpoint.silence is not None:
        return Wait(f"nothing is sent there for now: {person.endpoint.silence}", channel_key(case, person.endpoint.id))
    if person.endpoint.network is Network.WHATSAPP and person.endpoint.content_consent is None:
        # WhatsApp wants an opt-in before anything at all is sent.
        return Wait("no consent to WhatsApp is on record", channel_key(case, person.endpoint.id))
    return Go()


def may_disturb(case: Case, to: PersonId, at: datetime) -> Verdict:
    """Whether something may be sent to a person's channel outside Matrix at that time."""
    person = case.person(to)
    until = still_until(person.quiet, person.rests, at) if person else None
    if person is None or until is None:
        return Go()
    return Wait(f"it is quiet there until {moment(until, case.zone)}", channel_key(case, person.endpoint.id), until)


def may_warn(case: Case, to: PersonId, due: datetime, at: datetime) -> Verdict:
    """Whether a warning may be sent that was due then, by the quiet hours and the rest of that time: whatever was
    asked for since, perhaps by the very one of whom it warns, does not keep it longer."""
    verdict = may_disturb(case, to, at)
    if not isinstance(verdict, Wait) or at >= due:
        return Go()
    return replace(verdict, until=min(due, verdict.until or due))


def may_come_alone(case: Case, to: PersonId, said: datetime, at: datetime) -> Verdict:
    """Whether what somebody else said then may be sent to a person at that time, or waits for a digest.

    A question goes at once, with all that was said before it: it may be about that.
    """
    person = case.person(to)
    if person is None or person.digest is None or person.endpoint.network is not Network.EMAIL:
        return Go()
    if any(ask.asked == to and ask.at >= said for ask in case.asks):
        return Go()
    until = next_digest(person.digest, person.quiet, said)
    if until is None or until <= at:
        return Go()
    return Wait(f"it goes with the digest of {moment(until, case.zone)}", channel_key(case, person.endpoint.id), until)


def by_link(person: Person) -> bool:
    """Whether no words go to that person's mailbox: only a link, behind which they are read (the default).

    Whose mailbox it is, nobody but its person can say: whatever a mediator wrote down, an address with a slip in it is
    a stranger's.
    """
    channel = person.endpoint
    wants_words = channel.content_consent is not None and person.discreet is None
    return channel.network is Network.EMAIL and not (wants_words and channel.is_confirmed)


def ways_key(case: Case) -> str:
    """What words wait for whose author has not agreed to a network yet; `Resume` wakes them."""
    return f"ways:{case.id}"


def floor_key(case: Case) -> str:
    """What words wait for whose author may not speak any more; `Resume` wakes them."""
    return f"floor:{case.id}"


def channel_key(case: Case, endpoint: EndpointId) -> str:
    """What deliveries wait for that need something of a channel; `Resume` wakes them."""
    return f"channel:{case.id}:{endpoint}"

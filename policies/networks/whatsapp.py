"""What follows on WhatsApp from what is nobody's words: who is there, what became of a message, and stop and start.

A number is given to somebody else one day, so a person is known by all that the network shows of them. If any of it
changes, both directions rest until a mediator has made sure.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final

from policies.case import DECLINED, DESK, Case, Conversation, Doubt, Endpoint, EndpointId, Network, Person, Seen, Sort
from policies.effects import Announce, Decision, Inform, Relay, Resume, Tell
from policies.frozen import frozen
from policies.message import Message
from policies.networks.delivery import channel_key
from policies.networks.discreet import SHOW
from policies.outcome import Done, Facts, Outcome, Refused
from policies.people.identity import FINGERPRINT_LEAST, grouped
from policies.people.membership import caucuses_of
from policies.people.telephone import normalised, spellings, user_id
from policies.plan import label
from policies.words.phrase import phrase, together, verbatim


class WhatsAppState(StrEnum):
    """What is known of one message of ours. Reports come in any order, so the furthest counts (`further`)."""

    LEAVING = "leaving"
    """Handed over just now; if that stays so, nobody knows whether it left."""
    UNKNOWN = "unknown"
    REFUSED = "refused"
    """It certainly did not leave."""
    ACCEPTED = "accepted"
    SENT = "sent"
    FAILED = "failed"
    DELIVERED = "delivered"
    READ = "read"

    @property
    def in_words(self) -> str:
        """For the mediator."""
        return _IN_WORDS[self]

    @property
    def uncertain(self) -> bool:
        """Whether it may have arrived or not."""
        return self in {WhatsAppState.LEAVING, WhatsAppState.UNKNOWN}

    @property
    def is_certainly_lost(self) -> bool:
        """Whether it is certain that it did not arrive."""
        return self in {WhatsAppState.REFUSED, WhatsAppState.FAILED}

    @property
    def left(self) -> bool:
        """Whether the network took it, and has not given it up since."""
        return not self.uncertain and not self.is_certainly_lost


_IN_WORDS = {
    WhatsAppState.LEAVING: "perhaps sent (no answer)",
    WhatsAppState.UNKNOWN: "perhaps sent (no answer)",
    WhatsAppState.REFUSED: "not sent",
    WhatsAppState.ACCEPTED: "handed to WhatsApp",
    WhatsAppState.SENT: "sent",
    WhatsAppState.FAILED: "failed",
    WhatsAppState.DELIVERED: "on their telephone",
    WhatsAppState.READ: "read",
}
_ORDER = tuple(WhatsAppState)

STOP = frozenset({"stop", "unsubscribe", "stopp", "parar", "baja", "arrêter", "fermati"})
START = frozenset({"start", "resume", "weiter", "continuar", "alta", "reprendre", "riprendi"})
HELP = frozenset({"help", "hilfe", "ayuda", "ajuda", "aide", "aiuto"})


def further(one: WhatsAppState, other: WhatsAppState) -> WhatsAppState:
    """The one that is further on: a message that was read was delivered, whatever comes later."""
    return max(one, other, key=_ORDER.index)


def recognise(endpoint: Endpoint, now: Seen) -> Seen | Doubt:
    """Who is there as known from now on, or why it may be another person."""
    before = endpoint.seen or Seen(user_id(endpoint.address), normalised(endpoint.address))
    if before.user and now.user is None:
        return Doubt("WhatsApp does not say which account it is", now)
    if _differs(before.user, now.user):
        return Doubt("WhatsApp shows another account there than before", now)
    if now.phone and before.phone and now.phone in spellings(before.phone):
        return Doubt("WhatsApp writes the number in another way, which can also be another person's", now)
    if _differs(before.phone, now.phone):
        return Doubt("the account has another telephone number than before", now)
    if _differs(before.key, now.key):
        return Doubt("the account has another encryption identity than before, as after a change of telephone", now)
    return Seen(before.user or now.user, before.phone or now.phone, before.key or now.key)


def decide_seen(case: Case, person: Person, seen: Seen) -> Decision:
    """What is known of who is there is kept."""
    known = replace(person, endpoint=replace(person.endpoint, seen=seen))
    return Decision(case.with_person(known), (), "whatsapp-seen", "the account behind a number was first shown")


def decide_doubt(case: Case, person: Person, doubt: Doubt) -> Decision:
    """It may be another person: nothing is sent there, and nothing from there is believed (B5)."""
    if person.endpoint.doubt == doubt:
        return Decision(case, (), "whatsapp-doubt", "it was in doubt already")
    doubted = replace(person, endpoint=replace(person.endpoint, doubt=doubt))
    text = (
        f"ALARM: {person.name} on WhatsApp may be another person by now: {doubt.why}. Until you have made sure that it"
        f" is really them, by telephone or in person, nothing is sent there, and what comes from there is held."
        f" !identity {person.name} shows what is known, and how to confirm it."
    )
    return Decision(case.with_person(doubted), (Tell(DESK, text),), "whatsapp-doubt", doubt.why)


def fingerprint(seen: Seen) -> str:
    """Names exactly what is shown of an account."""
    shown = json.dumps([seen.user, seen.phone, seen.key]).encode()
    return hashlib.sha256(shown).hexdigest()[:FINGERPRINT_LEAST]


def account_text(person: Person) -> str:
    """What `!identity` shows of somebody on WhatsApp."""
    endpoint = person.endpoint
    if endpoint.doubt is None:
        return (
            f"{person.name} is the account at {endpoint.address} that was there from the beginning."
            if (endpoint.seen)
            else f"{person.name} has not written from {endpoint.address} yet."
        )
    now = endpoint.doubt.now
    number = f", now at {now.phone}" if now.phone and now.phone != endpoint.address else ""
    return (
        f"{person.name} on WhatsApp ({endpoint.address}{number}): {endpoint.doubt.why}.\nMake sure that it is them, on"
        f" another channel than WhatsApp. Then: !confirm {person.name}: {grouped(fingerprint(now))}"
    )


def account_confirmed(case: Case, person: Person, typed: str, facts: Facts) -> Outcome:
    """A mediator has made sure: whoever is there now is that person, if it is still what was shown."""
    endpoint = person.endpoint
    if endpoint.doubt is None or "".join(typed.split()).lower() != fingerprint(endpoint.doubt.now):
        return Refused(
            f"There is no change of {person.name}'s account with that fingerprint",
            f"!identity {person.name} shows what is known",
        )
    before, now = endpoint.seen or Seen(), endpoint.doubt.now
    address = now.phone or now.user or endpoint.address
    taken = case.at_address(Network.WHATSAPP, address)
    names = {address, *([now.user] if now.user else [])}
    if (taken and taken.id != person.id) or names & facts.engaged:
        return Refused(
            f"{address} belongs to somebody else who takes part", "No two people share a number; use another channel"
        )
    # The key that was known is the one that is no longer there; a new one is learnt from their next message.
    seen = Seen(now.user or before.user, now.phone or before.phone, now.key)
    confirmed = replace(endpoint, address=address, seen=seen, doubt=None)
    answer = (
        f"Confirmed: {person.name} is the account at {address}. What waited for it is sent now; what was held stays"
        " held (!held)."
    )
    resumed = Resume(channel_key(case, endpoint.id))
    return Done(case.with_person(replace(person, endpoint=confirmed)), answer, (resumed,))


def decide_stop(case: Case, person: Person, word: str) -> Decision | None:
    """What STOP does, even in doubt of who wrote it; None for any other word."""
    if keyword(word) not in STOP:
        return None
    stopped = replace(person, endpoint=replace(person.endpoint, declined=True))
    text = f"{person.name} wrote STOP on WhatsApp: nothing more is sent there until they write START."
    return Decision(case.with_person(stopped), (Tell(DESK, text),), "whatsapp-stop", DECLINED)


def keyword(word: str) -> str:
    """What somebody wrote, as it is compared with the words that speak to the service."""
    return word.strip().strip(".!").casefold()


def decide_keyword(case: Case, person: Person, word: str) -> Decision | None:
    """What a word does that speaks to the service and to nobody else; None if it is no such word."""
    said, own = keyword(word), caucuses_of(case, person.id)
    if said in STOP:
        return decide_stop(case, person, word)
    if said in START and person.endpoint.declined:
        # Whatever else keeps messages from them was not theirs to lift.
        left = person.endpoint.stopped
        going = replace(person, endpoint=replace(person.endpoint, declined=False))
        then = f"still nothing is sent there, for {left}." if left else "what waited is sent now."
        resumed = () if left else (Resume(channel_key(case, person.endpoint.id)),)
        heard = Tell(DESK, f"{person.name} wrote START on WhatsApp: {then}")
        return Decision(case.with_person(going), (heard, *resumed), "whatsapp-start", "they wrote START")
    if said in SHOW and person.discreet:
        return Decision(case, (), "whatsapp-show", "they look at their telephone now")
    if said in HELP:
        text = HELP_AMONG_MEDIATORS if case.sort is Sort.MEDIATORS else HELP_TEXT
        told = tuple(Inform(person.id, where, text) for where in own[:1])
        return Decision(case, told, "whatsapp-help", "they asked for help")
    return None


HELP_TEXT = phrase(
    "Each message says first who reads it: 🔒 PRIVATE is read by you, those on your side and the mediator; 👥 JOINT is"
    " read by everyone in the mediation. WhatsApp's owner, Meta, can read both. Write STOP and nothing more is sent to"
    " you; write START and it goes on. Pictures, voice messages and files are never shown to everyone, whichever number"
    " you send them to. In a hurry, telephone the mediator."
)


HELP_AMONG_MEDIATORS: Final = verbatim(
    "This is the mediators' room: the organisation's mediators read it, and nobody else. WhatsApp's owner, Meta, can"
    " read it. Nothing of any case comes here by itself, and what you write here goes to no case. Write STOP and"
    " nothing more is sent to you; write START and it goes on."
)
WINDOW: Final = timedelta(hours=24)
"""So long after somebody has written, anything may be written to them; later only a template (Cloud API, customer
service windows). Each number of ours has its own."""


@frozen
class Window:
    """Until when anything may be written over one number of ours to whoever is at that channel."""

    endpoint: EndpointId
    number: str
    until: datetime


@unique
class Again(StrEnum):
    """When a message that failed is sent once more, in words."""

    NOW = "It is sent once more."
    WRITTEN = "It is sent once they write, and they are asked to."
    SURE = "It is sent once more when you have made sure who is there."


def decide_failed(case: Case, person: Person, why: str, again: Again | None) -> Decision:
    """The network reports that a message did not arrive after all."""
    then = again or f"It is not sent again by itself. Telephone {person.name}."
    text = f"A WhatsApp message to {person.name} was not delivered: {why}. {then} !whatsapp status {person.name}"
    return Decision(case, (Tell(DESK, text),), "whatsapp-failed", why)


def decide_not_asked(case: Case, person: Person, why: str) -> Decision:
    """The network reports that the template did not arrive which asks somebody to write."""
    text = (
        f"WhatsApp did not deliver to {person.name} the message that asks them to write: {why}. What waits for them is"
        f" sent once they write. Telephone {person.name}."
    )
    return Decision(case, (Tell(DESK, text),), "whatsapp-not-asked", why)


def decide_again(case: Case, relay: Relay) -> Decision:
    """What certainly did not arrive goes out once more."""
    return Decision(case, (relay,), "whatsapp-again", "its network reports that it did not arrive")


def decide_arrived(case: Case, person: Person) -> Decision:
    """A message of which nobody knew whether it had left, did."""
    text = f"A WhatsApp message to {person.name} that may not have been sent has arrived there."
    return Decision(case, (Tell(DESK, text),), "whatsapp-arrived", "its network reports it")


def decide_reaction(case: Case, person: Person, emoji: str, to: Message | None = None) -> Decision:
    """An emoji on a message: shown in private, nobody's consent to anything, carried nowhere else (I4). Of what it is
    `to`, the room is named and never the words: it may be held, taken back or changed since."""
    plain = "".join(c for c in emoji if not c.isascii() and not c.isalnum())[:8]
    own = caucuses_of(case, person.id)[:1]
    text = phrase("{name} took a reaction back on WhatsApp.", name=person.name)
    if plain:
        text = phrase("{name} reacted with {emoji} on WhatsApp.", name=person.name, emoji=plain)
    on = (phrase("It is on a message in {room}.", room=label(to.conversation, case)),) if to else ()
    told = tuple(Announce(where, together([text, *on], by="\n")) for where in own)
    return Decision(case, told, "whatsapp-reaction", "a reaction binds nobody")


def decide_stays_private(case: Case, person: Person, where: Conversation) -> Decision:
    """Something that is no text came to the number that everybody reads: nobody says to all by a slip what they can't
    take back, so it stands in private, and they are told."""
    text = phrase(
        "What you sent just now is in {room} and nobody else has it: only words go to everyone. The mediator can show"
        " it to the others, if you agree.",
        room=label(where, case),
    )
    return Decision(case, (Inform(person.id, where, text),), "whatsapp-private", "only plain words go to everyone")


def _differs(before: str | None, now: str | None) -> bool:
    return before is not None and now is not None and before != now

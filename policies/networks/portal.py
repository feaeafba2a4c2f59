"""What follows from what somebody does on the page behind their link, other than saying something or answering."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from policies.case import DESK, JOINT, Case, Consent, Network, Person
from policies.effects import Decision, Effect, Inform, Resume, Tell
from policies.networks.delivery import by_link, channel_key
from policies.networks.digest import Digest
from policies.networks.discreet import Discreet
from policies.outcome import Facts
from policies.people.codes import with_room
from policies.people.joining import first_words
from policies.people.membership import caucuses_of
from policies.showing import GiveLink
from policies.words.phrase import phrase

WORDING = "agreed on the page, with the PIN, to have the words themselves sent by mail"


def decide_enrolled(case: Case, person: Person, at: datetime, *, words: bool) -> Decision:
    """Somebody confirmed that the address is theirs, having read what mail can't protect; and maybe agreed to words.
    Who leaves that out then has said no to it, whatever a mediator wrote down before."""
    before = person.endpoint.content_consent if person.endpoint.enrolled else None
    consent = Consent(person.name, at, WORDING) if words else before
    endpoint = replace(person.endpoint, enrolled=person.endpoint.enrolled or at, content_consent=consent)
    after = replace(person, endpoint=endpoint)
    now = case.with_person(after)
    how = "by links without words" if by_link(after) else "by mail, with the words in it"
    taken_back = person.endpoint.content_consent is not None and consent is None
    former = " The consent to words by mail that was on record no longer holds." if taken_back else ""
    told = Tell(DESK, f"{person.name} has confirmed the address with the PIN, and reads {how}.{former}")
    letters = first_words(person, now)
    goes_on: tuple[Effect, ...] = (Resume(channel_key(case, endpoint.id)), *letters) if letters else ()
    return Decision(now, (told, *goes_on), "enrolled", "the address is confirmed")


def decide_digest(case: Case, person: Person, times: tuple[int, ...] | None) -> Decision:
    """Somebody chose at which times of the day others' words are mailed to them; None: at once."""
    zone = person.digest.zone if person.digest else case.zone_of(person.id)
    digest = Digest(times, zone) if times else None
    if digest == person.digest:
        return Decision(case, (), "digest-already", "it is so already")
    when = f"at {digest}, and no more at once" if digest else "at once again"
    told = Tell(DESK, f"{person.name} wants to be mailed what others say {when}.")
    now = case.with_person(replace(person, digest=digest))
    return Decision(now, (told, Resume(channel_key(case, person.endpoint.id))), "digest", "the reader chose when")


def decide_discreet(case: Case, person: Person, *, on: bool) -> Decision:
    """Somebody chose whether their mails tell anything. They may end what a mediator set, too."""
    wanted = Discreet.OWN if on else None
    if person.discreet == wanted:
        return Decision(case, (), "discreet-already", "it is so already")
    text = "wants mails that tell nothing, not even who we are" if on else "wants mails that say who we are again"
    told = Tell(DESK, f"{person.name} {text}.")
    now = case.with_person(replace(person, discreet=wanted))
    effects: tuple[Effect, ...] = (told, Resume(channel_key(case, person.endpoint.id)), *first_words(person, now))
    return Decision(now, effects, "discreet", "the reader chose how")


def decide_paused(case: Case, person: Person) -> Decision:
    """Somebody wants no mail for now. A link to the page stops no other channel: there nothing is mailed."""
    if person.endpoint.network is not Network.EMAIL:
        return Decision(case, (), "no-mail", "nothing is mailed there")
    if person.endpoint.stopped is not None:
        return Decision(case, (), "paused-already", "nothing is sent there already")
    paused = replace(person, endpoint=replace(person.endpoint, stopped=f"{person.name} paused it"))
    text = (
        f"{person.name} wants no mail for now; what is said waits. Telephone if that surprises you."
        f" !mail resume {person.name} goes on."
    )
    return Decision(case.with_person(paused), (Tell(DESK, text),), "paused", "the reader wants no mail for now")


def decide_locked(case: Case, person: Person) -> Decision:
    """Somebody has tried too many PINs at a link of that person's."""
    text = (
        f"ALARM: too many wrong PINs were tried at a link of {person.name}'s; it is locked for a while. Telephone"
        f" {person.name}: !mail pin {person.name} makes a new PIN, and the old one stops working."
    )
    return Decision(case, (Tell(DESK, text),), "pin-locked", "too many wrong PINs")


def decide_again(case: Case, person: Person, facts: Facts) -> Decision:
    """Somebody who has the PIN came by a link that opens no more: another goes where they are reached, in private."""
    own, effects = next(iter(caucuses_of(case, person.id)), None), tuple[Effect, ...]()
    if person.endpoint.network is Network.EMAIL:
        text = phrase("You asked for a link to your page.")
        effects = (Inform(person.id, own or JOINT, text, page=True, wished=True),)
    elif own and (base := facts.page_elsewhere(person)):
        case, made = with_room(case, person)
        effects = (*made, GiveLink(person.id, own, base))
    return Decision(case, effects, "link-again", "a link that opens no more was used, with the PIN")

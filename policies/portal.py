"""What follows from what somebody does on the page behind their link, other than saying something or answering."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from policies.case import DESK, JOINT, Case, Consent, Network, Person
from policies.delivery import channel_key
from policies.digest import Digest
from policies.effects import Decision, Effect, Inform, Resume, Tell
from policies.joining import introductions
from policies.membership import caucuses_of
from policies.phrase import phrase
from policies.showing import GiveLink

WORDING = "agreed on the page, with the PIN, to have the words themselves sent by mail"


def decide_enrolled(case: Case, person: Person, at: datetime, *, words: bool) -> Decision:
    """Somebody confirmed that the address is theirs, having read what mail can't protect; and maybe agreed to words."""
    consent = Consent(person.name, at, WORDING) if words else person.endpoint.content_consent
    endpoint = replace(person.endpoint, enrolled=person.endpoint.enrolled or at, content_consent=consent)
    now = case.with_person(replace(person, endpoint=endpoint))
    first = words and person.endpoint.content_consent is None
    how = "by mail, with the words in it" if consent else "by links without words"
    told = Tell(DESK, f"{person.name} has confirmed the address with the PIN, and reads {how}.")
    goes_on: tuple[Effect, ...] = (Resume(channel_key(case, endpoint.id)), *introductions(now, person)) if first else ()
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


def decide_again(case: Case, person: Person, page: str | None) -> Decision:
    """Somebody who has the PIN came by a link that opens no more: another goes where they are reached, in private."""
    own, effects = next(iter(caucuses_of(case, person.id)), None), tuple[Effect, ...]()
    if person.endpoint.network is Network.EMAIL:
        text = phrase("You asked for a link to your page.")
        effects = (Inform(person.id, own or JOINT, text, page=True),)
    elif own and page:
        effects = (GiveLink(person.id, own, page),)
    return Decision(case, effects, "link-again", "a link that opens no more was used, with the PIN")

"""What the desk asks to see: what is held, what was not delivered, and what became of mails."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar, assert_never

from policies.case import Case, CaseId, Network, PersonId
from policies.effects import Confide, Inform, PostHeads
from policies.message import Edit, File, MessageId, Reaction, Removal, Text, Unproven, Unreadable
from policies.people.intake import referrals
from policies.people.membership import conversations
from policies.people.stranger import Triage
from policies.plan import code_label, desk_label, is_told_codes
from policies.showing import DeadLetters, GiveCode, GiveLink, ShowHeaders, ShowHeld, ShowLog, ShowMails, ShowReferrals
from policies.words.phrase import phrase
from policies.words.text import marked, moment, one_line
from rooms.held import at_hand
from rooms.lanes import person_lane
from rooms.mails import SentMail
from rooms.messages import SentPart
from rooms.ports import Work
from rooms.queue import State
from rooms.record import heads_text, signable
from rooms.undelivered import undelivered

T = TypeVar("T")
Showing = ShowMails | ShowHeaders | ShowHeld | ShowLog | PostHeads | DeadLetters | ShowReferrals

MAILS_SHOWN = 10
NOTE_SHOWN = 120
GIVEN_LINK_LASTS = timedelta(hours=1)
CODE_LASTS = timedelta(minutes=15)
"""Of the code that opens such a link, told to its person alone."""
HEADERS_SHOWN = 8_000
"""Bytes of a mail's header: more than an honest one has."""


async def text_of(work: Work, case: Case, effect: Showing, at: datetime) -> str:
    """What the desk asked to see."""
    match effect:
        case ShowMails(person):
            return await mails_text(work, case, person)
        case ShowHeaders(item, message):
            return await headers_text(work, case, item, message)
        case ShowHeld(item):
            return await held_text(work, case, item)
        case ShowLog(most):
            return await log_text(work, case, most)
        case PostHeads():
            return await signed_heads(work, case, at)
        case ShowReferrals():
            return await referrals_text(work, case)
        case DeadLetters(act, item):
            return await dead_text(work, case, act, item)
        case _:
            assert_never(effect)


async def held_text(work: Work, case: Case, number: str | None) -> str:
    """What is held, or one held message."""
    if number is None:
        held = enumerate(await work.holds.of_case(case.id), 1)
        lines = [f"{n}. {moment(h.at, case.zone)}: because {h.why}" for n, h in held if h.end is None]
        return "\n".join(["Held (!held NUMBER shows one here):", *lines]) if lines else "Nothing is held."
    chosen = await at_hand(work, case.id, number)
    if chosen is None:
        return f"There is no held message {one_line(number)}. !held lists them."
    said = chosen.message
    author = case.person(said.author)
    origin = f"{author.name if author else 'someone who left'}, for {desk_label(said.conversation, case)}"
    match said.content:
        case File(words="") | Reaction() | Removal():
            words = "> (not words)"
        case Text(body) | Edit(body=body) | Unreadable(words=body) | File(words=body):
            words = "\n".join(marked(body)) or "> (nothing that can be shown)"
        case _:
            assert_never(said.content)
    proven = "surely theirs" if not isinstance(said.proof, Unproven) else "NOT proven to be theirs"
    todo = f"It was {chosen.end}." if chosen.end else f"!held {number} post, return or discard it."
    return f"Held message {number}, as if from {origin}, {proven}, because {chosen.why}:\n{words}\n{todo}"


async def mails_text(work: Work, case: Case, person: PersonId) -> str:
    """What became of the latest mails, or WhatsApp messages, to somebody."""
    named = case.person(person)
    name = named.name if named else "someone who left"
    by_whatsapp = named is not None and named.endpoint.network is Network.WHATSAPP
    ledger = work.whatsapp if by_whatsapp else work.mails
    sent: Sequence[SentMail | SentPart] = await ledger.to_person(case.id, person, MAILS_SHOWN)
    lines = [
        f"{moment(one.at, case.zone)}: {one.state.in_words}{f' ({one_line(one.detail)})' if one.detail else ''}"
        f"{f' – {one.about}' if isinstance(one, SentMail) and one.about else ''}"
        for one in sent
    ]
    stopped = (
        f"Nothing is sent to {name} for now: {named.endpoint.silence}." if named and named.endpoint.silence else ""
    )
    waits = await _waiting(work, case.id, person)
    latest = f"The latest {'WhatsApp messages' if by_whatsapp else 'mails'} to {name}:"
    return "\n".join([*filter(None, [stopped]), *waits, latest, *(lines or ["none yet"])])


async def _waiting(work: Work, case: CaseId, person: PersonId) -> list[str]:
    """What is still to be sent to somebody, and why not yet."""
    there = reversed(await work.outbox.in_lane(person_lane(case, person)))
    why = Counter(item.note or "its turn comes" if item.state is State.PARKED else "its turn comes" for item in there)
    return [f"{number} not sent yet: {one_line(each, NOTE_SHOWN)}" for each, number in why.items()]


async def pin_text(work: Work, case: Case, person: PersonId) -> str:
    """A new PIN for somebody's links, as the mediator is shown it."""
    pin = await work.shelf.new_pin(case.id, person)
    found = case.person(person)
    name = found.name if found else "someone who left"
    by_mail = found is not None and found.endpoint.network is Network.EMAIL
    does = "speaks as them" if by_mail else "sees their documents and hands some in, in their name"
    return (
        f"The PIN of {name} is {pin}. Tell {name} by telephone, at a number that you already had, and never by mail:"
        f" whoever has a link and the PIN {does}. A former PIN has stopped working. It is not shown again."
    )


async def link_given(work: Work, case: Case, given: GiveLink, at: datetime) -> tuple[Inform | Confide, ...]:
    """A new link to somebody's page, as they are told of it; and its code, as they alone are."""
    person = case.person(given.person)
    if person is None:
        raise LookupError("a link was given to somebody who isn't there")
    token = await work.shelf.new_link(case.id, person.id, person.endpoint.id, at, at + GIVEN_LINK_LASTS)
    url = f"{given.base}/{token}"
    if is_told_codes(case, person):
        text = phrase(
            "Your page: {url}\nIt opens once, and with the code that I send to you alone, in the room “{room}”: if you"
            " are not in it yet, accept the invitation. The code works for a quarter of an hour, a PIN from your"
            " mediator for an hour. There you can look at the documents that you may see, and hand in your own. Whoever"
            " runs the homeserver can't open it.",
            url=url,
            room=code_label(case),
        )
        code = await code_given(work, case, GiveCode(person.id, token), at)
        return Inform(person.id, given.conversation, text), *code
    text = phrase(
        "Your page: {url}\nIt opens once, within an hour, and with your PIN alone, which your mediator tells you by"
        " telephone. There you can look at the documents that you may see, and hand in your own. Whoever runs the"
        " homeserver can't open it.",
        url=url,
    )
    return (Inform(person.id, given.conversation, text),)


async def code_given(work: Work, case: Case, given: GiveCode, at: datetime) -> tuple[Confide, ...]:
    """The code of a link, as its person alone is told it; none for whoever has no room for that."""
    person = case.person(given.person)
    if person is None or not is_told_codes(case, person):
        return ()
    until = at + CODE_LASTS
    code = await work.shelf.new_code(given.link, until)
    text = phrase(
        "The code for the link to your page that ends in {end}: {code}\nIt opens that link once, until {until}. Type it"
        " on the page and nowhere else: nobody of us ever asks you for it. If you did not ask for a link, somebody"
        " else did with your account: tell your mediator.",
        end=given.link[-4:],
        code=f"{code[:4]} {code[4:]}",
        until=moment(until, case.zone_of(person.id)),
    )
    return (Confide(person.id, person.endpoint.id, text, until),)


async def headers_text(work: Work, case: Case, number: str, message: MessageId | None) -> str:
    """The header of the mail that brought a held message, or this message."""
    chosen = None if message else _pick(await work.holds.of_case(case.id), number)
    target = message or (chosen.message if chosen else None)
    raw = await work.mails.raw(case.id, target) if target else None
    if raw is None and case.closing and case.closing.destroyed:
        return "The mails of this case are destroyed, as they came."
    if raw is None and message:
        return "That message came by no mail, or by one that is kept no longer."
    if raw is None:
        return f"There is no held mail {one_line(number)}. !held lists what is held."
    head = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0][:HEADERS_SHOWN].decode("utf-8", "replace")
    lines = "\n".join(marked(head))
    which = "that message" if message else f"held message {number}"
    return f"The header of the mail of {which}; whoever sent it may have written any of it:\n{lines}"


async def dead_text(work: Work, case: Case, act: str, number: str | None) -> str:
    """What could not be delivered; or one of it is tried again, or given up."""
    dead = await undelivered(work, case.id)
    if act == "list" or number is None:
        lines = [f"{n}. {item.note} ({item.state})" for n, item in enumerate(dead, 1)]
        return "\n".join(["Not delivered:", *lines]) if lines else "Everything was delivered, or waits its turn."
    chosen = _pick(dead, number)
    if chosen is None:
        return f"There is no undelivered item {one_line(number)}. !dead lists them."
    if act == "retry":
        await work.whatsapp.begin_anew(chosen.id, {person.endpoint.id for person in case.people})
        await work.outbox.revive(chosen.id)
        return f"Trying number {number} again: {chosen.note}"
    await work.outbox.stop(chosen.id, State.CANCELLED, "discarded by a mediator")
    return f"Number {number} is discarded: {chosen.note}"


def _pick(items: tuple[T, ...], number: str) -> T | None:
    return items[int(number) - 1] if number.isdecimal() and 0 < int(number) <= len(items) else None


async def log_text(work: Work, case: Case, most: int) -> str:
    """The latest entries of the case's record, without words of anybody."""
    names = {conversation.id: desk_label(conversation, case) for conversation in conversations(case)}
    lines = [
        f"{moment(line.at, case.zone)}, {names.get(line.audience, 'a room that is gone')}, {line.seq}:"
        f" {one_line(line.words, 300)}"
        for line in await work.record.last(case.id, most)
    ]
    return "\n".join(["On record, the latest last:", *lines])


async def signed_heads(work: Work, case: Case, at: datetime) -> str:
    """The heads of the case's chains as they are posted."""
    heads = await work.record.heads(case.id)
    return heads_text(case.id, heads, moment(at), await work.record.sign(signable(heads)))


async def referrals_text(work: Work, case: Case) -> str:
    """What became of whom each referrer sent to the triage desk: where their cases stand, and nothing else of those."""
    triage = case.triage or Triage()
    opened = [await work.cases.load(stranger.case) for stranger in triage.strangers if stranger.case]
    return referrals(triage, {one.id: str(one.phase) for one in opened if one})

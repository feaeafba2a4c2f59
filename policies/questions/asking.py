"""The life of a question that binds: put, answered once with its code, or lapsed (M6, I4).

    put ── yes, no ──▶ answered      its act is performed, or it is declined
     │  ── its time is up ──▶ lapsed
     │  ── put anew ──▶ the old code is void
     └  ── what it is about changed ──▶ void

Only its own person answers it, where it was put, with proof of who they are. A reaction never does. How a question
looks is its channel's affair: `effects.Pose` describes one, and the channel that it went over brings back an `Answer`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never
from unicodedata import normalize

from policies.case import DESK, JOINT, Case, Conversation, PersonId
from policies.documents.sharing import audience_of
from policies.effects import Inform, Pose
from policies.frozen import frozen
from policies.message import AuthenticatedMail, PinnedLink, Proof, SignedDevice, SignedWebhook, Unproven
from policies.moderation.agreement import Agreement
from policies.moderation.course import private_rooms
from policies.names import ReleaseId
from policies.networks.quiet import awake
from policies.networks.way import CARRIED_BY
from policies.outcome import Facts, Refused
from policies.people.membership import caucuses_of, readers
from policies.people.ways import not_agreed
from policies.plan import label
from policies.questions.ask import (
    Accepting,
    Act,
    Adopting,
    Ask,
    Broadcasting,
    Carrying,
    Consenting,
    Doubling,
    Ending,
    Leaving,
    Meaning,
    Mending,
    Moving,
    Passing,
    Proving,
    Reaching,
    Removing,
    Sharing,
    Switching,
    TakingBack,
    TakingOver,
    Withdrawing,
    Wondering,
    WritingToStranger,
)
from policies.releases.release import heading_of
from policies.schedule import Due, Schedule, due_key
from policies.words.phrase import Phrase, phrase, stored, together, when
from policies.words.text import marked

ASK_LASTS = timedelta(minutes=15)
"""For a mediator's own acts, who is there and looking."""
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_CODE = rf"(?=[a-z]*[0-9])(?=[0-9]*[a-z])[{_ALPHABET}]{{4}}"
_AROUND = r"[^\w?¿？؟⁇⁈⁉‽❓❔>＞]*"
"""Whoever asks has not said yes, and what is quoted was said before."""
_AFTER = _AROUND.replace(">＞", "")
"""What is quoted has its mark in front."""
_YES = "yes|agreed?|i agree|accept(?:ed)?|i accept|ja|sí|si|oui"
_NO = "no|disagree|i disagree|refuse|i refuse|nein|non"
"""In every language at once: none's yes is another's no."""
_ANSWER = re.compile(
    rf"{_AROUND}(?:(?P<yes>{_YES})|(?:{_NO}))(?P<apart>[\s:,.–-]+)(?P<code>{_CODE}){_AFTER}"
    rf"|{_AROUND}(?P<code2>{_CODE})(?P<apart2>[\s:,.–-]+)(?:(?P<yes2>{_YES})|(?:{_NO})){_AFTER}",
    re.IGNORECASE,
)
_MEASURE = re.compile(r"[0-9]+[A-Za-z]*[a-z]|[0-9]h[0-9]{2}")
"""A number with its unit, or a time, as people write them: “23rd”, “42kg”, “9h45”."""
_PRESSED = re.compile(r"(?P<code>[0-9A-Z]{4})\.(?P<word>yes|no)\.(?P<binds>[0-9a-f]{64})")


@frozen
class Answer:
    """What somebody answered, over whatever channel. `where`: the conversation in which they did."""

    code: str
    yes: bool
    by: PersonId | None
    where: Conversation
    proof: Proof


def read_answer(text: str) -> tuple[str, bool] | None:
    """The code and the yes or no of words that are an answer, and nothing besides. Codes have letters and digits, so
    that “yes that” is none."""
    said = _said(text)
    return (_code_in(said).upper(), bool(said["yes"] or said["yes2"])) if said else None


@frozen
class Manner:
    """How words were written that could be an answer, for when no question has their code."""

    as_asked: bool
    """A word and a code, with nothing but space or a colon between them."""
    measure: bool
    """What could be a code could also be a number with its unit, or a time: “oui, 9h45”."""


def manner_of(text: str) -> Manner | None:
    """How an answer was written; None for what is none."""
    said = _said(text)
    if said is None:
        return None
    apart: str = said["apart"] or said["apart2"]
    return Manner(not apart.replace(":", " ").strip(), _MEASURE.fullmatch(_code_in(said)) is not None)


def _said(text: str) -> re.Match[str] | None:
    # A letter and its accent may come apart.
    return _ANSWER.fullmatch(normalize("NFC", text.strip())) if len(text) < 60 else None


def _code_in(said: re.Match[str]) -> str:
    """As it was written."""
    code: str = said["code"] or said["code2"]
    return code


@frozen
class PressedAnswer:
    """What a button of a question says; `binds` is the digest of the exact words and readers that were shown."""

    code: str
    yes: bool
    binds: str


def answer_id(code: str, binds: str, *, yes: bool) -> str:
    """What a button gives back: the question's code, the answer, and the digest of the exact words and readers."""
    return f"{code}.{'yes' if yes else 'no'}.{binds}"


def read_answer_id(text: str) -> PressedAnswer | None:
    """What a button gave back; None for what is no button of a question."""
    said = _PRESSED.fullmatch(text)
    return PressedAnswer(said["code"], said["word"] == "yes", said["binds"]) if said else None


def code_from(seed: str) -> str:
    """A short word from a hash or whatever else is never the same twice: with letters and digits, none alike."""
    number = int(hashlib.sha256(seed.encode()).hexdigest(), 16)
    while True:
        code = "".join(_ALPHABET[(number >> shift) % 32] for shift in (0, 5, 10, 15))
        if not code.isalpha() and not code.isdigit():
            return code
        number >>= 20


def meaning(case: Case, act: Act) -> Meaning | None:  # noqa: C901, PLR0912 (one arm a kind of act)
    """What a yes is about, as the case is now; None if there is nothing left to say yes to."""
    match act:
        case Removing(who):
            legs = case.legs_of(who)
            channels = f", {' and '.join(leg.id for leg in legs)}" if len(legs) > 1 else ""
            return Meaning(f"{legs[0].name} takes part no more{channels}") if legs else None
        case Moving(who, side):
            person = case.person(who)
            sides = frozenset(p for room in caucuses_of(case, who) for p in readers(case, room))
            return Meaning(f"{person.name} goes to the side {side}", sides) if person else None
        case Switching(who, network, address):
            person = case.person(who)
            former = f", no more at {person.endpoint.id} {person.endpoint.address}" if person else ""
            return Meaning(f"{person.name} is reached by {network} at {address}{former}") if person else None
        case Doubling(who, network, address):
            person = case.living(who)
            return Meaning(f"{person.name} is reached by {network} at {address}, too") if person else None
        case Leaving(who):
            person = case.person(who)
            return Meaning(f"{person.name} leaves {person.endpoint.id} {person.endpoint.address}") if person else None
        case Withdrawing(who):
            person = case.living(who)
            return Meaning(f"{person.name} withdraws from the mediation") if person else None
        case Broadcasting(words):
            return Meaning(words, frozenset(p for room in private_rooms(case) for p in readers(case, room)))
        case Ending(phase):
            return Meaning(f"the case is {phase}")
        case Wondering(question):
            return Meaning(question)
        case TakingOver(former, successor):
            both = case.is_staff(former) and case.is_staff(successor)
            return Meaning(f"{case.name_of(successor)} takes over from {case.name_of(former)}") if both else None
        case WritingToStranger(to, words):
            stranger = case.triage.get(to) if case.triage else None
            return Meaning(f"to {to} at {stranger.writer.name}\n{words}") if stranger else None
        case Reaching(who, address, network):
            return Meaning(f"{case.name_of(who)} is told by {network} at {address}") if case.is_staff(who) else None
        case Proving(who):
            there = case.person(who)
            return Meaning(f"{there.name} is at {there.endpoint.address}") if there else None
        case Mending():
            return Meaning("the rooms are brought to the plan")
        case Accepting():
            return Meaning(case.agreement.words) if case.agreement else None
        case Carrying(ways):
            words = ", ".join(f"{label(way.where, case)} {CARRIED_BY[way.network]}" for way in ways)
            return Meaning(words, rooms=tuple(way.where.id for way in ways))
        case Adopting(text, confidentiality):
            return Meaning(Agreement(0, text, confidentiality).words)
        case Consenting(number) | Passing(number):
            return _released(case, number)
        case Sharing(who, message, words) | TakingBack(who, message, words):
            author = case.person(who)
            if author is None or who not in readers(case, JOINT) or case.has_withdrawn(who):
                return None
            return Meaning(f"{type(act).__name__} {message}\n{author.name}\n{words}", readers(case, JOINT))
        case _:
            assert_never(act)


def _released(case: Case, number: ReleaseId) -> Meaning | None:
    release = case.release(number)
    author = case.person(release.author) if release and release.is_open else None
    if release is None or author is None or author.id not in readers(case, release.origin):
        return None
    if case.has_withdrawn(author.id):
        return None
    audience = audience_of(case, release)
    over = not_agreed(case, author.id, release.to, audience)
    return Meaning(f"{heading_of(release, author.name)}\n{release.words}", audience, over) if audience else None


def put(
    case: Case,
    act: Act,
    to: PersonId,
    where: Conversation,
    facts: Facts,
    *,
    lasts: timedelta = ASK_LASTS,
) -> tuple[Case, Ask, Schedule]:
    """The case with one more question. The same question put before is void. Raises LookupError if there is nothing
    to say yes to."""
    bound = meaning(case, act)
    if bound is None:
        raise LookupError("a question about nothing")
    others = tuple(a for a in case.asks if (a.act, a.asked) != (act, to))
    code, taken = facts.code, {a.code for a in case.asks}
    while code in taken:
        code = code_from(code)
    person = case.person(to)
    # Whoever wants nothing for some days has as long for an answer, afterwards.
    begins = max(facts.at, person.rests) if person and person.rests else facts.at
    expires = awake(person.quiet if person else None, begins + lasts)
    ask = Ask(code, to, where, act, bound.sha256, facts.at, expires)
    return replace(case, asks=(*others, ask)), ask, Schedule(ask.expires, due_key(Due.ASK, code))


def answered(case: Case, answer: Answer, at: datetime) -> tuple[Case, Ask] | Refused:
    """The question that this answers, and the case without it: an answer counts once."""
    ask = next((a for a in case.asks if a.code == answer.code and a.asked == answer.by and a.expires > at), None)
    if ask is None:
        return Refused(
            phrase("No question of yours with the code {code} is open", code=answer.code),
            phrase("It was answered already, is too old, or was put anew with another code"),
        )
    if ask.where != answer.where:
        return Refused(
            phrase("That question is answered where it was put, in private"), phrase("Write your answer there")
        )
    if isinstance(answer.proof, Unproven):
        return Refused(
            phrase("That answer does not count: {why}", why=stored(answer.proof.why)), stored(answer.proof.remedy)
        )
    copies = copies_of(case, ask)
    return replace(without(case, ask), asks=tuple(a for a in case.asks if a != ask and a not in copies)), ask


def copies_of(case: Case, ask: Ask) -> tuple[Ask, ...]:
    """The same question as it was put to whom it was put to over another channel: one of them is answered."""
    return tuple(
        a for a in case.asks if a != ask and case.same_voice(a.asked, ask.asked) and _is_same(case, a.act, ask.act)
    )


def answered_elsewhere(closed: Iterable[Ask]) -> tuple[Inform, ...]:
    """Over their other channel they learn that nothing is asked there any more: it was theirs, or they speak up."""
    return tuple(
        Inform(
            ask.asked,
            ask.where,
            phrase("The question with the code {code} was answered over another channel of yours.", code=ask.code),
        )
        for ask in closed
        if ask.where != DESK
    )


def _is_same(case: Case, one: Act, other: Act) -> bool:
    match one, other:
        case (Wondering(), Wondering()) | (Carrying(), Carrying()):
            return one == other
        case Withdrawing(who), Withdrawing(another):
            return case.same_voice(who, another)
        case _:
            # What a channel needs for itself, or was submitted from it, is asked and answered there.
            return False


def in_words(question: Pose, zone: str) -> Phrase:
    """A question as plain text, for channels that have no better form, by the clock of that time zone."""
    quoted = "\n".join(marked(question.words))
    answer = phrase(
        "Only you can answer, and only here: write “yes {code}” or “no {code}”, and nothing else, by {time}.",
        code=question.code,
        time=when(question.expires, zone),
    )
    asked = together([question.title, quoted, question.then], by="\n\n")
    return together([asked, together([answer, question.labels.silence])], by="\n")


def without(case: Case, ask: Ask) -> Case:
    """The case in which that question is closed."""
    return replace(case, asks=tuple(a for a in case.asks if a != ask))


def how(proof: Proof) -> str:
    """What proves an answer, for the record."""
    match proof:
        case SignedDevice():
            return "encrypted, from a verified device of their own"
        case AuthenticatedMail():
            return "by mail from the address on record, vouched for by our mail server"
        case PinnedLink():
            return "on the page behind a link sent to the address on record, with the PIN given on another channel"
        case SignedWebhook():
            return "by WhatsApp, from the account on record"
        case Unproven(why):
            return f"unproven: {why}"

"""What would follow from a command, in words for the desk: decided like every command, and then not done (M8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from policies.case import DESK, Case, Conversation, PersonId
from policies.documents.carrying import Cover, Enclose, Erase, Hand, Recall
from policies.effects import (
    Announce,
    AskWhose,
    CheckAddress,
    Confide,
    ConfirmIdentity,
    Effect,
    EndHold,
    Explain,
    Hold,
    Inform,
    Ingest,
    Introduce,
    Pose,
    Post,
    PostHeads,
    Publish,
    Reconcile,
    Redact,
    Relay,
    Resume,
    ResumeHold,
    Tell,
    Withhold,
    WriteToStranger,
)
from policies.moderation.floor import floor_text
from policies.people.membership import conversations, readers
from policies.plan import desk_label
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
from policies.words.text import marked


def would_follow(before: Case, after: Case, effects: tuple[Effect, ...]) -> str:
    """Who would read what no more, or from then on, and who would be told what; one line each."""
    rooms = _rooms(before, after)
    floor = [floor_text(after)] if floor_text(after) != floor_text(before) else []
    told = (line for effect in effects for line in _line(before, after, effect))
    return "\n".join(dict.fromkeys((*rooms, *floor, *told)))


def _rooms(before: Case, after: Case) -> Iterator[str]:
    for where in dict.fromkeys((*conversations(before), *conversations(after))):
        then, now, named = _readers(before, where), _readers(after, where), _where(before, after, where)
        yield from (f"{then[one]} would read {named} no more." for one in then if one not in now)
        yield from (f"{now[one]} would read what is written in {named} from then on." for one in now if one not in then)


def _readers(case: Case, where: Conversation) -> dict[tuple[str, str], str]:
    """The names of those who read there, by where they are reached: who comes onto another side is somebody new."""
    there = readers(case, where) if where in conversations(case) else frozenset()
    return {(p.endpoint.network, p.endpoint.address): case.channel_name(p) for p in case.people if p.id in there}


def _line(before: Case, after: Case, effect: Effect) -> Iterator[str]:  # noqa: C901, PLR0912, PLR0915 (an arm a kind)
    match effect:
        case Inform(to, where, text) | Explain(to, where, text):
            yield from _said(f"{_name(before, after, to)}, in {_where(before, after, where)}, would be told:", text)
        case Announce(where, text):
            yield from _said(f"{_where(before, after, where)} would be told:", text)
        case Pose(to, where, _, title, words):
            asked = f"{_name(before, after, to)} would be asked in {_where(before, after, where)}: {title}"
            yield from _said(asked, words)
        case Publish(number, where, heading, words):
            yield from _said(f"{number} would stand in {_where(before, after, where)}. {heading}", words)
        case Post(where, author) | Relay(_, where, author):
            who = _name(before, after, author) if author else "us"
            yield f"Something from {who} would go to {_where(before, after, where)}."
        case Introduce(to, where):
            yield f"{_name(before, after, to)} would get the first letter of {_where(before, after, where)}."
        case Redact(where):
            yield f"A message would be taken out of {_where(before, after, where)}."
        case Withhold(_, people):
            names = ", ".join(sorted(_name(before, after, person) for person in people))
            yield f"What has not left yet to {names} would not leave."
        case WriteToStranger(to, text):
            yield from _said(f"{to} would be written to:", text)
        case Recall(document):
            yield f"{document} would be taken back out of rooms where somebody reads who may not have it."
        case Hand(document, _, _, where):
            yield f"{document} would be posted in {_where(before, after, where)}."
        case Enclose(document, _, _, _, to):
            yield f"{_name(before, after, to)} would be sent a copy of {document} of their own."
        case Cover(document):
            yield f"A version of {document} would be made with these places black."
        case EndHold():
            yield "A held message would wait no longer."
        case ResumeHold() | Hold():
            yield "A message would be held."
        case CheckAddress() | AskWhose():
            yield "A code or a link would be sent, to make sure whose address it is."
        case GiveLink(person):
            yield f"{_name(before, after, person)} would be given a link to their page."
        case GiveCode(person) | Confide(person):
            yield f"{_name(before, after, person)} alone would be told a code for their page."
        case GivePin(person):
            yield f"{_name(before, after, person)} would have a new PIN; the former one would not count any more."
        case DeadLetters(act, item) if item:
            yield f"Of what could not be delivered: {act} {item}."
        case PostHeads():
            yield "The signed heads of the record would be posted here, and mailed to whom that is set up for."
        case Reconcile(codes_of=person) if person is not None:
            yield f"{_name(before, after, person)} would be invited into their room for codes, unless they are in it."
        case Reconcile():
            yield "The rooms would be brought to the plan."
        case ConfirmIdentity(person):
            yield f"{_name(before, after, person)} would be believed again, and what waits for that would go on."
        case Resume() | Tell() | Ingest() | Erase() | Schedule() | DeadLetters() | Preview():
            pass
        case ShowHeld() | ShowBoard() | ShowLog() | ShowMails() | ShowHeaders() | ShowReferrals():
            yield "It would only be shown here: nothing would change."
        case _:
            assert_never(effect)


def _said(who: str, words: str) -> Iterator[str]:
    yield "\n".join([who, *marked(words)]) if words else who


def _where(before: Case, after: Case, where: Conversation) -> str:
    return desk_label(where, after if where == DESK or where in conversations(after) else before)


def _name(before: Case, after: Case, person: PersonId) -> str:
    then = after if after.person(person) else before
    known = then.person(person)
    return then.channel_name(known) if known else then.name_of(person)

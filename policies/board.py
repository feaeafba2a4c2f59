"""The board: for each case, who is waited for, since when, what is due next, and what did not arrive (R8).

Words for mediators alone, as lines with a bold beginning: each client shows them, as HTML or as plain text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from types import MappingProxyType
from typing import assert_never

from policies.case import Case, Network, Person, Phase
from policies.commands.ways import not_carried
from policies.frozen import frozen
from policies.moderation.floor import ends
from policies.networks.whatsapp import Window
from policies.people.joining import funnel, joining_text
from policies.plan import desk_label
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
from policies.questions.asking import copies_of
from policies.releases.release import Release, Standing
from policies.words.text import moment

SHOWN = 40
"""Cases on one board; those with the nearest deadline come first."""
QUEUE_SHOWN = 10
"""Of what is to be released or returned, on the board of its case; the oldest."""


@frozen
class Backlog:
    """What of a case waits in the stores: held messages, `since` the oldest; what was not delivered or decrypted."""

    held: int = 0
    since: datetime | None = None
    undelivered: int = 0
    undecrypted: int = 0
    windows: tuple[Window, ...] = ()
    """Until when who takes part by WhatsApp may be written to."""


NOTHING = Backlog()
_BY_THE_WAY = (Sharing, TakingBack)
"""What is asked of every message, and nobody waits for."""
_NEVER = datetime.max.replace(tzinfo=UTC)


@frozen
class Waiting:
    """Who is waited for, for what, since when, and until when."""

    who: str
    what: str
    since: datetime
    until: datetime | None = None


@frozen
class Shown:
    """Words as they are posted: plain, and as HTML that says the same."""

    text: str
    html: str


def waiting(case: Case, backlog: Backlog) -> tuple[Waiting, ...]:
    """All who are waited for, the longest first."""
    asked = [
        Waiting(_asked(case, ask, person), _what(ask.act), ask.at, ask.expires)
        for number, ask in enumerate(case.asks)
        if not isinstance(ask.act, _BY_THE_WAY)
        # What was put to two channels of theirs waits for one answer.
        if not any(copy in case.asks[:number] for copy in copies_of(case, ask))
        if (person := case.person(ask.asked))
    ]
    since = [release.at for release in _queued(case)]
    mine = [Waiting("a mediator", f"{len(since)} to be released or returned (!queue)", min(since))] if since else []
    if backlog.held and backlog.since:
        mine.append(Waiting("a mediator", f"{backlog.held} held (!held)", backlog.since))
    calls = [
        Waiting("a mediator", f"telephone {person.name}", joining.telephone)
        for person in case.people
        if (joining := person.joining) and joining.telephone and not joining.came
    ]
    return tuple(sorted((*asked, *mine, *calls), key=lambda one: one.since))


def deadline(case: Case) -> tuple[datetime, str] | None:
    """What is due next, and when."""
    asks = [ask for ask in case.asks if not isinstance(ask.act, _BY_THE_WAY)]
    due = [(ask.expires, f"{person.name}'s time is up") for ask in asks if (person := case.person(ask.asked))]
    due += [(pause.until, "a pause ends") for pause in case.pauses if pause.until]
    due += [(time, "something in the joint room ends") for time in ends(case.floor)]
    return min(due, default=None)


def _unconfirmed(case: Case) -> list[Person]:
    """Who is in, and has not shown whose the mailbox is; of who is not in yet, the board says so."""
    in_already = (person for person in case.people if not (person.joining and not person.joining.came))
    return [person for person in in_already if not person.endpoint.is_confirmed and case.phase is not Phase.CLOSED]


def on_whatsapp(case: Case) -> tuple[Person, ...]:
    """Who takes part by WhatsApp."""
    return tuple(person for person in case.people if person.endpoint.network is Network.WHATSAPP)


def case_board(
    case: Case, backlog: Backlog, contacts: Mapping[str, str] = MappingProxyType({}), *, at: datetime
) -> Shown:
    """One case, for its desk. `contacts`: what our numbers on WhatsApp are for, in a word, where there are several."""
    lines = [(f"Board · {case.id}", f"{case.title} – {case.phase}")]
    lines += [("Waiting for", _line(one, case.zone)) for one in waiting(case, backlog)] or [("Waiting for", "nobody")]
    lines += [("In the queue", line) for line in _queue(case)]
    absent = [p for p in case.people if p.joining and not p.joining.came]
    lines += [("Not in yet", f"{person.name} {joining_text(case, person.id)}") for person in absent]
    lines += [("Joining", funnel(case).in_words)] if absent else []
    due = deadline(case)
    lines.append(("Next", f"{moment(due[0], case.zone)}, {due[1]}" if due else "nothing is due"))
    lines += [
        ("Address not confirmed", f"{case.channel_name(one)}: tell them a PIN (!mail pin {one.name})")
        for one in _unconfirmed(case)
    ]
    lines += [("Words not carried", line) for person in case.voices() if (line := not_carried(case, person))]
    lines += [("Quiet hours", f"{person.name}, {person.quiet}") for person in case.voices() if person.quiet]
    lines += [("Safe contact", line) for person in case.people if (line := _safe_contact(case, person, at))]
    lines += [("Digest by mail", f"{person.name}, {person.digest}") for person in case.people if person.digest]
    lines.append(("Not delivered", f"{backlog.undelivered} (!dead)" if backlog.undelivered else "nothing"))
    lines.append(("Can't be decrypted yet", str(backlog.undecrypted) if backlog.undecrypted else "nothing"))
    lines += [("By WhatsApp", _windows(person, backlog, contacts, case.zone)) for person in on_whatsapp(case)]
    return _shown(lines)


def _asked(case: Case, ask: Ask, person: Person) -> str:
    """Who was asked: by which channel, where the other was not."""
    return person.name if copies_of(case, ask) else case.channel_name(person)


def _safe_contact(case: Case, person: Person, at: datetime) -> str:
    """What somebody wants of whatever is sent to them; "" where it is nothing special."""
    notes = [
        *([f"nothing is sent until {moment(person.rests, case.zone)}"] if person.rests and person.rests > at else []),
        *(["discreet: nothing that is sent may tell anything"] if person.discreet else []),
    ]
    return ", ".join([case.channel_name(person), *notes]) if notes else ""


def cases_board(cases: Iterable[tuple[Case, Backlog]]) -> Shown:
    """Of a mediator's cases those in which somebody is waited for, or something went wrong, for the direct chat."""
    busy = [row for row in cases if _urgency(*row) != _NEVER or row[1] != NOTHING]
    busy.sort(key=lambda row: (_urgency(*row), row[0].id))
    lines: list[tuple[str, str]] = [(case.id, _summary(case, backlog)) for case, backlog in busy[:SHOWN]]
    others = "more than these wait for somebody; what is urgent comes first" if busy[SHOWN:] else "nobody is waited for"
    return _shown([*lines, ("In the others", others)])


def urgency(case: Case) -> datetime | None:
    """Since when a case waits for somebody, or what is due next, whichever is earlier; None: it waits for nobody."""
    time = _urgency(case, NOTHING)
    return None if time == _NEVER or case.phase is Phase.CLOSED else time


def _urgency(case: Case, backlog: Backlog) -> datetime:
    due = deadline(case)
    return min([*([due[0]] if due else []), *(one.since for one in waiting(case, backlog))], default=_NEVER)


def _summary(case: Case, backlog: Backlog) -> str:
    parts = [f"{case.title} – {case.phase}", *(_line(one, case.zone) for one in waiting(case, backlog)[:3])]
    if backlog.undelivered:
        parts.append(f"{backlog.undelivered} not delivered")
    if backlog.undecrypted:
        parts.append(f"{backlog.undecrypted} not decrypted")
    return "; ".join(parts)


def _queued(case: Case) -> tuple[Release, ...]:
    """What parties submitted and nobody has released or returned yet, the oldest first."""
    return tuple(sorted((r for r in case.releases if r.standing is Standing.QUEUED), key=lambda release: release.at))


def _queue(case: Case) -> list[str]:
    """Each of them, without its words."""
    lines = [
        f"{release.id} of {case.name_of(release.author)}'s, for {desk_label(release.to, case)}, since"
        f" {moment(release.at, case.zone)} (!release {release.id}, !return {release.id})"
        for release in _queued(case)
    ]
    more = len(lines) - QUEUE_SHOWN
    return [*lines[:QUEUE_SHOWN], *([f"and {more} more (!queue)"] if more > 0 else [])]


def _line(one: Waiting, zone: str) -> str:
    until = f", until {moment(one.until, zone)}" if one.until else ""
    return f"{one.who}: {one.what}, since {moment(one.since, zone)}{until}"


def _windows(person: Person, backlog: Backlog, contacts: Mapping[str, str], zone: str) -> str:
    """In times that stay true however long the board stands."""
    mine = {window.number: window.until for window in backlog.windows if window.endpoint == person.endpoint.id}
    if not contacts:
        times = [f"until {moment(until, zone)}" for until in mine.values()]
    else:
        times = [
            f"{word} until {moment(mine[number], zone)}" if number in mine else f"{word} not before they write"
            for number, word in contacts.items()
        ]
    return f"{person.name} can be written to {', '.join(times) or 'once they write'}"


def _shown(lines: list[tuple[str, str]]) -> Shown:
    return Shown(
        "\n".join(f"{head}: {text}" for head, text in lines),
        "<br>".join(f"<strong>{escape(head)}:</strong> {escape(text)}" for head, text in lines),
    )


def _what(act: Act) -> str:  # noqa: C901 (one arm a kind of act)
    match act:
        case Accepting():
            return "accept the agreement"
        case Carrying():
            return "agree to a network that carries their words"
        case Consenting():
            return "agree to a release"
        case TakingOver():
            return "take the case over"
        case Proving():
            return "say the code of an invitation"
        case Reaching():
            return "say the code that was sent to them"
        case Wondering():
            return "answer your question"
        case Withdrawing():
            return "say whether they withdraw"
        case (
            Passing()
            | Removing()
            | Mending()
            | Adopting()
            | Broadcasting()
            | Ending()
            | WritingToStranger()
            | Moving()
            | Switching()
            | Doubling()
            | Leaving()
        ):
            return "confirm an act"
        case Sharing() | TakingBack():
            return "choose who reads something"
        case _:
            assert_never(act)

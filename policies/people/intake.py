"""What follows when somebody writes who takes part in no case (R13): the triage desk sees it, and nobody else.

stranger ── writes ──▶ shown at the triage desk, as a stranger's words
   │          ├ for the first time, provably from there ──▶ one automatic answer, ever; the same for everybody
   │          ├ more than so much an hour ──▶ counted, not shown; said once an hour
   │          └ STOP ──▶ nothing is sent there until START
   ├─ a case is opened for them ──▶ they are a party of it, and their first words stand in their own caucus;
   │          nothing is sent to them from the triage desk any more
   ├─ declined ──▶ told so, courteously
   └─ blocked ──▶ nothing of theirs is shown, and nothing is sent there

The answer is decided on nothing but what the network shows of the writer: no case is looked at, so that nobody can
learn from it who takes part in one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from policies.case import DESK, Case, Network
from policies.effects import Decision, Effect, Tell, WriteToStranger
from policies.message import Content, Edit, File, Message, Reaction, Removal, Text, Unreadable
from policies.networks.delivery import Cancel, Go, Verdict
from policies.networks.way import CARRIED_BY
from policies.networks.whatsapp import START, STOP, keyword
from policies.people.stranger import TRIAGE, Stands, Stranger, StrangerId, Tally, Triage, Writer
from policies.words.language import Language
from policies.words.phrase import Phrase, phrase
from policies.words.text import marked, moment

PER_HOUR: Final = 10
"""So many messages of one stranger the desk is shown within an hour."""
WAITING_MOST: Final = 100
"""So many strangers of one network wait at once; a flood by mail leaves the way by WhatsApp open."""
KEPT: Final = 1_000
"""Of so many strangers is known who they are; of those before them who were declined, or have a case, how many there
were. What they wrote stays in the journal and on record."""
SHOWN_MOST: Final = 3_000
"""Characters of one message that the desk is shown; all of it is in the journal."""
TURNED_AWAY: Final = "stranger-turned-away"
"""The rule of whoever found no room."""
_HOUR: Final = timedelta(hours=1)

STEPS = (
    "This is the triage desk: only the organisation's mediators and I read it. Who writes to us and takes part in no"
    " case is shown here, and gets one automatic answer. To write to them, reply to what they wrote.\n"
    "!intake – who waits; !intake S1 – one of them\n"
    "!intake open S1 Bea: Smith and Jones – a case, with them as a party whom you call Bea\n"
    "!intake refer S1: Citizens' advice – who sent them; !intake report – what became of whom they sent\n"
    "!intake decline S1 – tells them so; !intake block S1 – hears no more of them"
)


def new_desk(language: Language, zone: str) -> Case:
    """The triage desk before anybody is there; strangers are answered in the organisation's language."""
    return Case(TRIAGE, "Triage desk", language=language, zone=zone, triage=Triage())


def decide_written(case: Case, writer: Writer, message: Message, greeting: str) -> Decision:
    """Somebody wrote who takes part in no case. `greeting` is the automatic answer."""
    triage, at = _triage(case), message.at
    known, word = triage.who(writer), _word(writer, message.content)
    if known is None:
        if triage.waiting(writer) >= WAITING_MOST:
            return _turned_away(case, triage, writer, at)
        made = triage.made + 1
        stranger = Stranger(StrangerId(f"S{made}"), writer, message.id, at, at, stopped=word in STOP)
        greets = writer.doubt is None and word not in STOP and not triage.was_written_to(writer)
        answer = (WriteToStranger(stranger.id, greeting),) if greets else ()
        stranger, told = _shown(case, stranger, message, is_first=True)
        grown = _bounded(replace(triage, made=made).having(stranger))
        return Decision(replace(case, triage=grown), (*told, *answer), "stranger", "somebody wrote for the first time")
    stranger = replace(known, heard=at, writer=writer)
    if known.stands is Stands.BLOCKED:
        silent = replace(known, unshown=known.unshown + 1)
        return Decision(replace(case, triage=triage.having(silent)), (), "stranger-blocked", "they are blocked")
    if writer.doubt is None and word in STOP | START:
        stranger = replace(stranger, stopped=word in STOP)
    stranger, told = _shown(case, stranger, message, is_first=False)
    return Decision(replace(case, triage=triage.having(stranger)), told, "stranger", "a stranger wrote again")


def decide_unreached(case: Case, to: StrangerId, why: str) -> Decision:
    """The network reports that words of ours did not arrive after all."""
    text = f"What was written to {to} was not delivered: {why}. It is not sent again by itself: telephone them."
    return Decision(case, (Tell(DESK, text),), "stranger-unreached", why)


def decide_reached(case: Case, to: StrangerId) -> Decision:
    """Words of ours of which nobody knew whether they had left, did."""
    text = f"What was written to {to} and may not have been sent has left."
    return Decision(case, (Tell(DESK, text),), "stranger-reached", "its network reports it")


def may_write(case: Case, to: StrangerId) -> Verdict:
    """Whether something may still be sent to a stranger: asked again when it is (I3)."""
    stranger = _triage(case).get(to)
    why = objection(stranger) if stranger else "nothing is kept of them any more"
    return Cancel(why) if why else Go()


def objection(stranger: Stranger) -> str | None:
    """Why nothing is sent to them, in words; None where it may be."""
    if stranger.writer.doubt:
        return f"nothing shows that it was they who wrote: {stranger.writer.doubt}"
    if stranger.stands is Stands.BLOCKED:
        return "they are blocked"
    if stranger.stands is Stands.OPENED:
        return f"case {stranger.case} was opened for them, and they are written to from there"
    return "they wrote STOP" if stranger.stopped else None


def greeting(organisation: str, telephone: str) -> Phrase:
    """The one automatic answer. It promises nothing, and says nothing of anybody."""
    return phrase(
        "This is {organisation}. A person will read what you wrote, and answer you here. This is an automatic answer,"
        " and you get no other: if it is urgent, telephone {telephone}. Please write nothing confidential yet: what"
        " goes this way can be read on its way by the companies that carry it, and nothing has been agreed so far."
        " Write STOP, and nothing more is sent to you.",
        organisation=organisation,
        telephone=telephone,
    )


def declining(organisation: str, telephone: str) -> Phrase:
    """What they are told who are declined, where the mediator has no words of their own."""
    return phrase(
        "Thank you for writing to {organisation}. We are sorry: we cannot take this on. That says nothing about your"
        " matter, nor about you. You can reach us by telephone at {telephone}.",
        organisation=organisation,
        telephone=telephone,
    )


def who_text(stranger: Stranger) -> str:
    """A stranger in a few words: by what way they wrote, and from where."""
    writer = stranger.writer
    unproven = f" (nothing shows that it is theirs: {writer.doubt})" if writer.doubt else ""
    return f"{CARRIED_BY[writer.network]} from {writer.name}{unproven}"


def line_of(stranger: Stranger, zone: str) -> str:
    """A stranger in one line of a list."""
    notes = [
        f"case {stranger.case}" if stranger.case else str(stranger.stands),
        *([f"sent by {stranger.referrer}"] if stranger.referrer else []),
        *(["wrote STOP"] if stranger.stopped else []),
        *([f"{stranger.unshown} messages not shown"] if stranger.unshown else []),
    ]
    return f"{stranger.id}: {who_text(stranger)}, since {moment(stranger.since, zone)}; {', '.join(notes)}"


def referrals(triage: Triage, phases: Mapping[str, str]) -> str:
    """What became of whom each referrer sent: how many, and nothing else. `phases`: where the opened cases stand."""
    found: dict[str, Counter[str]] = {}
    for stranger in triage.strangers:
        phase = phases.get(stranger.case) if stranger.case else None
        what = f"case {phase}" if phase else str(stranger.stands)
        found.setdefault(stranger.referrer or "", Counter())[what] += 1
    for tally in triage.gone:
        found.setdefault(tally.referrer or "", Counter())[str(tally.stands)] += tally.people
    lines = [
        f"{name or 'Nobody named'}: {counts.total()} ({', '.join(f'{n} {what}' for what, n in sorted(counts.items()))})"
        for name, counts in sorted(found.items(), key=lambda row: (not row[0], row[0]))
    ]
    return "\n".join(["What became of those who were sent to us:", *lines]) if lines else "Nobody has written yet."


def _shown(case: Case, stranger: Stranger, message: Message, *, is_first: bool) -> tuple[Stranger, tuple[Effect, ...]]:
    """What they wrote, at the desk; or, of too much, that it was."""
    if stranger.hour is None or message.at >= stranger.hour + _HOUR:
        stranger = replace(stranger, hour=message.at, shown=0)
    if stranger.shown >= PER_HOUR:
        is_news = stranger.shown == PER_HOUR
        after = replace(stranger, shown=PER_HOUR + 1, unshown=stranger.unshown + 1)
        text = (
            f"{stranger.id} writes more than {PER_HOUR} messages an hour. The rest of this hour is counted, not shown."
        )
        return after, (Tell(DESK, text),) if is_news else ()
    after = replace(stranger, shown=stranger.shown + 1)
    return after, (Tell(DESK, _text(stranger, message.content, is_first=is_first), about=message.id),)


def _text(stranger: Stranger, content: Content, *, is_first: bool) -> str:
    state = f" ({line_state(stranger)})" if stranger.stands is not Stands.WAITING else ""
    words, note = _words(content)
    cut = [f"({len(words) - SHOWN_MOST} characters more are kept.)"] if len(words) > SHOWN_MOST else []
    head = f"{stranger.id}{state} writes {CARRIED_BY[stranger.writer.network]}"
    if is_first or stranger.writer.doubt:
        head = f"{stranger.id}{state} writes {who_text(stranger)}"
    answer = objection(stranger)
    how = f"Nothing can be sent there: {answer}." if answer else "Reply to this to answer."
    more = f" !intake {stranger.id} shows what else can be done." if is_first else ""
    return "\n".join([f"{head}:", *note, *(marked(words[:SHOWN_MOST]) if words else []), *cut, f"{how}{more}"])


def line_state(stranger: Stranger) -> str:
    """What became of them, in a word."""
    return f"case {stranger.case}" if stranger.case else str(stranger.stands)


def _words(content: Content) -> tuple[str, list[str]]:
    """Their words, and what of ours must be said with them."""
    match content:
        case Text(body):
            return body, []
        case Unreadable(why, words):
            return words, [f"(Not all of it can be shown: {why}.)"]
        case File(words=words):
            return words, ["(A file came with it, and was not kept.)"]
        case Edit(body=body):
            return body, ["(It changes an earlier message.)"]
        case Reaction() | Removal():
            return "", ["(Nothing that can be shown.)"]
        case _:
            assert_never(content)


def _word(writer: Writer, content: Content) -> str:
    """What they wrote, where it may be a word for the service alone. By mail it is the first line: ours is quoted below
    it, and a signature, or a picture of one, may follow."""
    if writer.network is not Network.EMAIL:
        return keyword(content.body) if isinstance(content, Text) else ""
    words, _ = _words(content)
    return keyword(words.strip().partition("\n")[0])


def _turned_away(case: Case, triage: Triage, writer: Writer, at: datetime) -> Decision:
    """There is no room for more strangers: counted, and said once an hour."""
    is_news = triage.told is None or at >= triage.told + _HOUR
    after = replace(triage, turned_away=triage.turned_away + 1, told=at if is_news else triage.told)
    kept = " What they write is kept for your administrator." if writer.doubt is None else ""
    text = (
        f"{WAITING_MOST} strangers wait {CARRIED_BY[writer.network]}. Who writes for the first time now is not shown,"
        f" and gets no answer; that was so {after.turned_away} times until now.{kept} Open, decline or block some."
    )
    told = (Tell(DESK, text),) if is_news else ()
    return Decision(replace(case, triage=after), told, TURNED_AWAY, "too many strangers wait")


def _bounded(triage: Triage) -> Triage:
    """Of the oldest who were declined, or have a case, beyond so many, only how many they were. Who is blocked or wrote
    STOP stays so."""
    over = len(triage.strangers) - KEPT
    may_go = (s for s in triage.strangers if s.stands in {Stands.DECLINED, Stands.OPENED} and not s.stopped)
    gone = [*may_go][: max(0, over)]
    if not gone:
        return triage
    counts = Counter({(tally.referrer, tally.stands): tally.people for tally in triage.gone})
    counts.update((s.referrer, s.stands) for s in gone)
    tallies = tuple(Tally(referrer, stands, people) for (referrer, stands), people in counts.items())
    return replace(triage, strangers=tuple(s for s in triage.strangers if s not in gone), gone=tallies)


def _triage(case: Case) -> Triage:
    """Raises LookupError for any other case."""
    if case.triage is None:
        raise LookupError("that is no triage desk")
    return case.triage

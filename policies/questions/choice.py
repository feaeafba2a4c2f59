"""With one number for everything, each message is private until its author chooses otherwise, with a button (I2, W2).

    a text in private ─ offered ─▶ “Everyone” ─▶ half a minute to take it back ─▶ shown, under its author's name
                           └─ any other answer, silence, or a change of the readers: it stays private

It is offered where its author may speak in the joint room; elsewhere `!submit` asks the mediator. What is shown stands
among the releases, with the exact words, their readers, and how they were agreed to.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from policies.case import DESK, JOINT, Case, Kind, Network, Person
from policies.effects import Effect, Inform, Labels, Pose, Tell
from policies.following import what_follows
from policies.message import Message, Proof, SignedWebhook, Text
from policies.moderation.floor import objection, spoken
from policies.outcome import Done, Facts
from policies.people.membership import readers
from policies.plan import label
from policies.questions.ask import Ask, Sharing, TakingBack
from policies.questions.asking import how, meaning, put
from policies.releases.publishing import publications
from policies.releases.release import Agreed, Release, Standing, chosen_heading, mark_of
from policies.status import reader_names
from policies.words.phrase import Phrase, phrase
from policies.words.text import clean

CHOICE_LASTS: Final = timedelta(hours=1)
UNDO_LASTS: Final = timedelta(seconds=45)
"""People are told half a minute: what they press in time must not come too late on its way."""
_OFFERED_MOST: Final = 3
"""Questions that one person has at a time; older ones are void."""
CHOOSE: Final = Labels(phrase("Everyone"), phrase("Only private"), phrase("If you press nothing, they stay private."))
UNDO: Final = Labels(
    phrase("Take it back"), phrase("Show it now"), phrase("If you press nothing, they are shown."), in_a_moment=True
)


def offered(case: Case, message: Message, author: Person, facts: Facts) -> tuple[Case, tuple[Effect, ...]]:
    """The question who should read what somebody has just written in private; nothing where it can't be put."""
    words = clean(message.content.body).strip() if isinstance(message.content, Text) else ""
    by_number = facts.one_number and author.endpoint.network is Network.WHATSAPP
    if not by_number or message.conversation.kind is not Kind.CAUCUS or not isinstance(message.proof, SignedWebhook):
        return case, ()
    act = Sharing(author.id, message.id, words)
    if not words or mark_of(words) or objection(case, author.id, JOINT) or meaning(case, act) is None:
        return case, ()
    mine = [a for a in case.asks if isinstance(a.act, Sharing) and a.asked == author.id]
    old = mine[: max(len(mine) - _OFFERED_MOST + 1, 0)]
    case = replace(case, asks=tuple(a for a in case.asks if a not in old))
    case, ask, alarm = put(case, act, author.id, message.conversation, facts, lasts=CHOICE_LASTS)
    then = phrase(
        "“{button}” shows exactly these words in {room} to {names}.",
        button=CHOOSE.yes,
        room=label(JOINT, case),
        names=reader_names(case, JOINT),
    )
    return case, (_question(ask, phrase("Who should read this?"), words, then, CHOOSE), alarm)


def chosen(case: Case, ask: Ask, act: Sharing, proof: Proof, facts: Facts) -> Done:
    """They want everyone to read it: in a moment, unless they take it back."""
    why = objection(case, act.author, JOINT)
    if why:
        return _stays(case, ask, why)
    undoing = TakingBack(act.author, act.message, act.words, how(proof))
    case, undo, alarm = put(case, undoing, act.author, ask.where, facts, lasts=UNDO_LASTS)
    then = phrase("“{button}” keeps them private.", button=UNDO.yes)
    question = _question(undo, phrase("In half a minute everyone reads this:"), act.words, then, UNDO)
    answer = (
        f"{case.name_of(act.author)} lets everyone read something in half a minute, and may take it back until then."
    )
    return Done(case, answer, (question, alarm))


def taken_back(case: Case, ask: Ask, act: TakingBack) -> Done:
    """They took it back in time."""
    told = Inform(act.author, ask.where, phrase("Taken back: it stays private."))
    return Done(case, f"{case.name_of(act.author)} took it back; nothing is shown.", (told,))


def shown(case: Case, ask: Ask, act: TakingBack, at: datetime) -> Done:
    """They did not take it back: everyone reads it, if they may still speak there, and its readers are the same."""
    bound = meaning(case, act)
    if bound is None or bound.sha256 != ask.binds:
        return _stays(case, ask, phrase("who would read it is not who it was"))
    why = objection(case, act.author, JOINT)
    if why:
        return _stays(case, ask, why)
    release = Release(
        case.new_release_id(ask.where),
        act.author,
        act.message,
        act.words,
        reworded=False,
        origin=ask.where,
        to=JOINT,
        standing=Standing.RELEASED,
        at=ask.at,
        agreed=Agreed(ask.at, act.how, ask.binds),
        released_at=at,
        readers=readers(case, JOINT),
    )
    name = case.name_of(act.author)
    after = spoken(case.with_release(release), act.author, at)
    told = Inform(act.author, ask.where, phrase("Everyone reads it now ({number}).", number=release.id))
    posts = publications(case, release, chosen_heading(name))
    answer = f"{name} has shown something of their own to everyone ({release.id})."
    return Done(after, answer, (*posts, told, *what_follows(case, after)))


def not_taken_back(case: Case, ask: Ask, act: TakingBack, *, before_restore: bool) -> Done:
    """The time to take it back is over. What was confirmed before a restore may stand there already."""
    done = _stays(case, ask, phrase("the service was restored from a backup")) if before_restore else None
    done = done or shown(case, ask, act, ask.expires)
    return replace(done, effects=(Tell(DESK, done.answer), *done.effects))


def _stays(case: Case, ask: Ask, why: Phrase) -> Done:
    text = phrase("It is NOT shown to everyone, because {why}. It stays private.", why=why)
    told = Inform(ask.asked, ask.where, text)
    name = case.name_of(ask.asked)
    return Done(case, f"Something that {name} wanted to show to everyone stays private, because {why}.", (told,))


def _question(ask: Ask, title: Phrase, words: str, then: Phrase, labels: Labels) -> Pose:
    return Pose(ask.asked, ask.where, ask.code, title, words, then, ask.expires, of_the_case=True, labels=labels)

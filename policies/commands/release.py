"""Words cross from a private room: a party submits, a mediator previews and releases, the author agrees (M5, M6).

    !submit ─▶ submitted ── author's yes ─▶ queued ┐
                                                   ├─ !release ─▶ previewed ── mediator's yes ─▶ asked ─ yes ─▶ released
    a message in a private room ───────────────────┘

The author is not asked if they have agreed to exactly these words and readers already, or if the agreement to mediate
lets the mediator pass things on. Any other answer, silence, or a change of the words or the readers ends it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from policies.agreement import Confidentiality
from policies.ask import Ask, Consenting, Passing
from policies.asking import how, meaning, put
from policies.case import DESK, JOINT, Case, Conversation, Kind, Person, PersonId, caucus
from policies.commands.form import Form
from policies.effects import Effect, Inform, Pose, Tell
from policies.guard import echoes
from policies.membership import caucuses_of, conversations
from policies.message import Message, Proof
from policies.names import MessageId, ReleaseId
from policies.outcome import Done, Facts, Outcome, Refused
from policies.plan import desk_label, label
from policies.release import CONSENT_LASTS, Agreed, Release, Standing, heading_of, mark_of
from policies.sharing import audience_names, audience_of, posts_of, shared
from policies.text import clean, marked, one_line, skeleton

_PRIVILEGED = Refused("It is marked as privileged, and privileged words are never released", "Talk to its author")
_EXAMPLE = "!release: I would go as far as a date in June"


@dataclass(frozen=True, slots=True)
class ReleaseWords:
    """Preview words for other readers: what the command replies to, or what stands in the queue."""

    numbers: tuple[str, ...] = ()
    to: str | None = None
    words: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Shows at the desk what would be shown to whom, and asks the mediator; several at once, each with its code."""
        target = _target(case, self.to)
        if isinstance(target, Refused):
            return target
        if facts.by is None or not case.is_staff(facts.by):
            return Refused("Only a mediator releases words, at the desk or in a private room", "Use !submit")
        if self.words is not None and len(self.numbers) > 1:
            return Refused("Other words are for one release alone", _EXAMPLE)
        shown: list[str] = []
        effects: list[Effect] = []
        for number in self.numbers or (None,):
            found = self._chosen(case, facts, target, number)
            outcome = found if isinstance(found, Refused) else previewed(*found, facts)
            if isinstance(outcome, Refused):
                return outcome
            case, shown, effects = outcome.case, [*shown, outcome.answer], [*effects, *outcome.effects]
        # Not as the answer, which goes on record: these are somebody's words.
        return Done(case, "", (Tell(DESK, "\n\n".join(shown)), *effects))

    def _chosen(
        self, case: Case, facts: Facts, target: Conversation | None, number: str | None
    ) -> tuple[Case, Release] | Refused:
        if number is None:
            return self._quoted(case, facts, target or JOINT)
        release = case.release(number)
        if release is None or release.standing is not Standing.QUEUED:
            return Refused(f"Nothing waits under {one_line(number, 10)}", "!queue shows what does")
        if release.share and (target or self.words is not None):
            return Refused(f"{release.id} is a document", f"!doc grant {release.share.document} says anew to whom")
        release = replace(release, to=target or release.to)
        if self.words is None:
            return case, release
        # What the party submitted stays in the queue, whatever comes of other words.
        return numbered(case, replace(release, words=clean(self.words).strip(), reworded=True, agreed=None), facts)

    def _quoted(self, case: Case, facts: Facts, target: Conversation) -> tuple[Case, Release] | Refused:
        quoted, author = facts.quoted, case.person(facts.quoted.author) if facts.quoted else None
        if facts.where.kind is not Kind.CAUCUS or quoted is None or author is None or case.is_staff(author.id):
            return Refused("What is to be released?", "Reply !release to a party's message in a private room")
        if quoted.words is None:
            return Refused("Only words, and surely their author’s, can be released", "Write them yourself: " + _EXAMPLE)
        if mark_of(quoted.words) == "privileged":
            return _PRIVILEGED
        reworded = self.words is not None
        words = clean(quoted.words if self.words is None else self.words).strip()
        return numbered(case, _draft(author.id, quoted.message, words, facts, target, reworded=reworded), facts)


@dataclass(frozen=True, slots=True)
class SubmitWords:
    """A party asks for words of its own to be passed on: what it replies to, or what it writes."""

    words: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """The party is shown the exact words and the readers, and says yes to those first."""
        author = case.person(facts.by) if facts.by else None
        if author is None or facts.where not in caucuses_of(case, author.id):
            return Refused("A party submits its own words, in its private room", "!release is for mediators")
        quoted = facts.quoted
        if self.words is None and (quoted is None or quoted.author != author.id or quoted.words is None):
            return Refused(
                "What is to be passed on?", "Reply !submit to a message of yours, or write !submit: the words"
            )
        words = self.words if self.words is not None else (quoted.words if quoted else None) or ""
        source = quoted.message if quoted and self.words is None else None
        found = numbered(case, _draft(author.id, source, clean(words).strip(), facts, JOINT, reworded=False), facts)
        if isinstance(found, Refused):
            return found
        case, release = found
        if meaning(case.with_release(release), Consenting(release.id)) is None:
            return Refused("That can't be passed on from here", "Ask your mediator")
        case, effects = ask_author(case, release, Standing.SUBMITTED, facts)
        return Done(case, f"{author.name} submits something ({release.id}), and is asked to confirm it.", effects)


@dataclass(frozen=True, slots=True)
class ReturnWords:
    """Give a submission back, with a private note; nothing is released."""

    number: str
    note: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Its author is told, in private; open questions about it are void."""
        release = case.release(self.number)
        if release is None or not release.is_open:
            return Refused(f"Nothing waits under {one_line(self.number, 10)}", "!queue shows what does")
        note = f" The mediator writes: {clean(self.note).strip()}" if self.note else ""
        told = Inform(release.author, release.origin, f"{release.id} is not passed on.{note}")
        answer = f"{release.id} is not released, and {_name(case, release.author)} is told."
        return Done(closed(case, release.id), answer, (told,))


@dataclass(frozen=True, slots=True)
class ShowQueue:
    """What is on its way out of private rooms, and on whom it waits."""

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing."""
        lines = [
            f"{r.id}: {_name(case, r.author)}, for {desk_label(r.to, case)}, {r.at:%Y-%m-%d %H:%M} UTC: {r.standing}"
            for r in case.releases
            if r.is_open
        ]
        return Done(case, "\n".join(["Queue (!release R1, !return R1: NOTE):", *lines]) if lines else "Nothing waits.")


# --- the steps ----------------------------------------------------------------------------------------------------


def passed(case: Case, number: ReleaseId, facts: Facts) -> Outcome:
    """The mediator said yes to the preview: it is released, or its author is asked."""
    release, bound = case.release(number), meaning(case, Passing(number))
    if release is None or bound is None:
        raise LookupError("a release that isn't there was passed")
    release = replace(release, by=facts.by)
    agreed = release.agreed is not None and release.agreed.binds == bound.sha256
    if agreed or _need_not_agree(case, release):
        return _published(case, release, facts)
    case, effects = ask_author(case, release, Standing.ASKED, facts)
    return Done(case, f"{release.id}: {_name(case, release.author)} is asked. Silence is a no.", effects)


def consented(case: Case, ask: Ask, number: ReleaseId, proof: Proof, facts: Facts) -> Outcome:
    """Its author said yes to these words and readers. It is released if a mediator has passed it already."""
    release = case.release(number)
    if release is None:
        raise LookupError("a release that isn't there was agreed to")
    release = replace(release, agreed=Agreed(facts.at, how(proof), ask.binds))
    if release.standing is Standing.ASKED:
        return _published(case, release, facts)
    told = Inform(ask.asked, ask.where, f"{release.id} waits for the mediator, who decides whether it is passed on.")
    return Done(
        case.with_release(replace(release, standing=Standing.QUEUED)),
        f"{_name(case, ask.asked)} submits {release.id} for {desk_label(release.to, case)}. !release {release.id} shows"
        f" it and asks you; !return {release.id}: NOTE gives it back.",
        (told,),
    )


def offered(
    case: Case, kept: Message, words: str, introduction: str, facts: Facts
) -> tuple[Case, tuple[Effect, ...]] | None:
    """Words that were meant for all, and stand in their author's private room instead: their author is asked whether
    they submit them. None where they can't be."""
    facts = replace(facts, where=kept.conversation)
    found = numbered(case, _draft(kept.author, kept.id, clean(words).strip(), facts, JOINT, reworded=False), facts)
    if isinstance(found, Refused) or JOINT not in conversations(case):
        return None
    case, release = found
    if meaning(case.with_release(release), Consenting(release.id)) is None:
        return None
    return ask_author(case, release, Standing.SUBMITTED, facts, introduction)


def closed(case: Case, number: ReleaseId) -> Case:
    """Nothing comes of it any more."""
    release = case.release(number)
    if release is None or not release.is_open:
        return case
    asks = tuple(a for a in case.asks if a.act not in {Consenting(number), Passing(number)})
    return replace(case.with_release(replace(release, standing=Standing.CLOSED)), asks=asks)


def not_passed(case: Case, number: ReleaseId) -> Case:
    """The mediator did not say yes to the preview: what a party submitted waits again, anything else is over."""
    release = case.release(number)
    if release and release.standing is Standing.PREVIEWED and release.agreed:
        return case.with_release(replace(release, standing=Standing.QUEUED))
    return closed(case, number)


def _draft(
    author: PersonId, source: MessageId | None, words: str, facts: Facts, to: Conversation, *, reworded: bool
) -> Release:  # fmt: skip
    return Release(ReleaseId(""), author, source, words, reworded, facts.where, to, Standing.PREVIEWED, facts.at)


def numbered(case: Case, draft: Release, facts: Facts) -> tuple[Case, Release] | Refused:
    """The draft under a number of its own."""
    if mark_of(draft.words) == "privileged":
        return _PRIVILEGED
    if not draft.words:
        return Refused("There are no words to release", _EXAMPLE)
    number = ReleaseId(f"R{len(case.releases) + 1}")
    return case, replace(draft, id=number, at=facts.at, standing=Standing.PREVIEWED)


def previewed(case: Case, release: Release, facts: Facts) -> Outcome:
    """What would be shown to whom, and the mediator's question about it; the preview is the answer."""
    if release.to not in conversations(case):
        return Refused("There is no joint room yet", "!open begins the joint session")
    if release.to == release.origin:
        return Refused("That is where it was said", "Name another side, or the joint room: !release to joint")
    case = case.with_release(replace(release, standing=Standing.PREVIEWED))
    bound = meaning(case, Passing(release.id))
    if bound is None:
        return Refused("Its author takes no part any more, and can't agree", "Say it in words of your own")
    assert facts.by is not None
    case, ask, alarm = put(case, Passing(release.id), facts.by, DESK, facts)
    asked_first = not _need_not_agree(case, release) and (
        release.agreed is None or release.agreed.binds != bound.sha256
    )
    name = _name(case, release.author)
    then = f"{name} is asked to agree to exactly these words and readers" if asked_first else "it is released at once"
    lines = [
        f"{release.id}, for {desk_label(release.to, case)}. {heading_of(release, name)}",
        *marked(release.words),
        f"Who will read it: {audience_names(case, release)}.",
        *_warning(release, facts),
        f"Say “yes {ask.code}” within 15 minutes, and {then}.",
    ]
    return Done(case, "\n".join(lines), (alarm,))


def _warning(release: Release, facts: Facts) -> list[str]:
    found = echoes(release.words, facts.elsewhere, frozenset({release.origin.id, release.to.id}))
    return (
        [f"CAREFUL: this also stands in another private room: {', '.join(f'“{w}”' for w in found)}."] if found else []
    )


def ask_author(
    case: Case, release: Release, standing: Standing, facts: Facts, introduction: str = ""
) -> tuple[Case, tuple[Effect, ...]]:
    """Put it to its author. Raises LookupError where it can't be released any more."""
    case = case.with_release(replace(release, standing=standing))
    case, ask, alarm = put(case, Consenting(release.id), release.author, release.origin, facts, lasts=CONSENT_LASTS)
    name, where = _name(case, release.author), label(release.to, case)
    what = "in the mediator’s wording, shown as agreed by you" if release.reworded else "your own words"
    title = f"{name}, may these words be shown in {where}? They are {what} ({release.id}):"
    exactly = "Exactly these words"
    if release.share:
        title, exactly = f"{name}, may this document be shown in {where} ({release.id})?", "Exactly this document"
    question = Pose(
        release.author,
        ask.where,
        ask.code,
        f"{introduction} {title}".strip(),
        release.words,
        f"After a yes, these will read them: {audience_names(case, release)}. {exactly}, nothing else; what"
        " has been read can’t be unread.",
        ask.expires,
        of_the_case=True,
    )
    return case, (question, alarm)


def _published(case: Case, release: Release, facts: Facts) -> Outcome:
    audience = audience_of(case, release)
    name, where = _name(case, release.author), label(release.to, case)
    done = replace(release, standing=Standing.RELEASED, released_at=facts.at, readers=audience)
    case = case.with_release(done)
    told = Inform(release.author, release.origin, f"{release.id} was passed on, and stands in {where} now.")
    what, to = f"{name}’s words", desk_label(release.to, case)
    given: tuple[Effect, ...] = ()
    if release.share:
        what, to = release.share.document, audience_names(case, release)
        case, given = shared(case, done, release.share, facts.at)
    return Done(case, f"{release.id} is released: {what}, to {to}.", (*posts_of(case, done), *given, told))


def _need_not_agree(case: Case, release: Release) -> bool:
    """Whether the agreement to mediate, if its author has accepted one, lets the mediator pass this on as it is. A
    document needs its owner's own yes, unless that is a mediator."""
    if release.share:
        return case.is_staff(release.author)
    accepted = case.accepted(release.author) is not None
    match case.agreement.confidentiality if case.agreement else Confidentiality.STRICT:
        case Confidentiality.STRICT:
            return False
        case Confidentiality.SHARE:
            return accepted and mark_of(release.words) is None and not release.reworded
        case Confidentiality.OPEN:
            return accepted and not release.reworded


def _target(case: Case, name: str | None) -> Conversation | Refused | None:
    if name is None:
        return None
    if skeleton(name) in {skeleton("joint"), skeleton("everyone"), skeleton("all")}:
        return JOINT
    side = next((s for s in case.sides if skeleton(s.name) == skeleton(name)), None)
    sides = ", ".join(s.name for s in case.sides)
    return caucus(side.id) if side else Refused(f"There is no side {one_line(name)}", f"There are: joint, {sides}")


def _name(case: Case, person: PersonId) -> str:
    known: Person | None = case.person(person)
    return known.name if known else "Somebody who left"


ReleaseCommand = ReleaseWords | SubmitWords | ReturnWords | ShowQueue

_RELEASE = re.compile(r"(?P<numbers>(?:r\d+[\s,]*)*)(?:to\s+(?P<to>.+))?", re.IGNORECASE)


def _release(words: list[str]) -> ReleaseWords | str:
    head, colon, other = " ".join(words).partition(":")
    said = _RELEASE.fullmatch(head.strip())
    if said is None:
        return "Name what waits (R1), or reply to a message; other words stand behind a colon"
    if colon and not other.strip():
        return "The other words are missing"
    to = said["to"].strip() if said["to"] else None
    return ReleaseWords(
        tuple(n.upper() for n in re.findall(r"r\d+", said["numbers"] or "", re.IGNORECASE)),
        to,
        other.strip() if colon else None,
    )


def _submit(words: list[str]) -> SubmitWords:
    return SubmitWords(" ".join(words).removeprefix(":").strip() or None)


def _return(words: list[str]) -> ReturnWords | str:
    head, _, note = " ".join(words).partition(":")
    number = head.strip()
    if not re.fullmatch(r"[Rr]\d+", number):
        return "Name what is given back, such as R1; a note stands behind a colon"
    return ReturnWords(number.upper(), note.strip() or None)


FORMS: tuple[Form[ReleaseCommand], ...] = (
    Form(
        "release",
        "!release [R1 R2 …] [to SIDE] [: OTHER WORDS]",
        "shows what would be shown to whom, and asks you, then its author; in a private room, reply with it",
        "!release R1",
        _release,
        caucus=True,
    ),
    Form(
        "queue",
        "!queue",
        "what is on its way out of private rooms, and on whom it waits",
        "!queue",
        lambda _: ShowQueue(),
    ),
    Form(
        "return",
        "!return R1 [: NOTE]",
        "gives back what a party submitted, with a note for its author alone",
        "!return R1: let us talk about it first",
        _return,
    ),
    Form(
        "submit",
        "!submit [: WORDS]",
        "asks the mediator to show words of yours to all; reply with it to a message of yours, or write the words",
        "!submit: I can live with a date in June",
        _submit,
        desk=False,
        party=True,
    ),
)

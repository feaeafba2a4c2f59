"""Words cross from a private room: a party submits, a mediator previews and releases, the author agrees (M5, M6).

    !submit ─▶ submitted ── author's yes ─▶ queued ┐
                                                   ├─ !release ─▶ previewed ── mediator's yes ─▶ asked ─ yes ─▶ released
    a message in a private room ───────────────────┘

The author is not asked if they have agreed to exactly these words and readers already, or if the agreement to mediate
lets the mediator pass things on. Any other answer, silence, or a change of the words or the readers ends it.
"""

from __future__ import annotations

import re
from dataclasses import replace

from policies.case import DESK, JOINT, Case, Conversation, Kind, PersonId, caucus
from policies.commands.form import Form
from policies.effects import Effect, Inform, Tell
from policies.frozen import frozen
from policies.moderation.hold import NO_REASON, Reason, read_reason
from policies.names import MessageId, ReleaseId
from policies.outcome import Done, Facts, Outcome, Refused
from policies.people.membership import caucuses_of
from policies.plan import desk_label
from policies.questions.ask import Consenting
from policies.questions.asking import meaning
from policies.releases.release import Release, Standing, mark_of
from policies.releases.releasing import EXAMPLE, PRIVILEGED, ask_author, closed, numbered, previewed
from policies.words.phrase import phrase, together
from policies.words.text import clean, moment, one_line, skeleton


@frozen
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
            return Refused("Other words are for one release alone", EXAMPLE)
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
            return Refused("Only words, and surely their author’s, can be released", "Write them yourself: " + EXAMPLE)
        if mark_of(quoted.words) == "privileged":
            return PRIVILEGED
        reworded = self.words is not None
        words = clean(quoted.words if self.words is None else self.words).strip()
        return numbered(case, _draft(author.id, quoted.message, words, facts, target, reworded=reworded), facts)


@frozen
class SubmitWords:
    """A party asks for words of its own to be passed on: what it replies to, or what it writes."""

    words: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """The party is shown the exact words and the readers, and says yes to those first."""
        author = case.person(facts.by) if facts.by else None
        if author is None or facts.where not in caucuses_of(case, author.id):
            return Refused(phrase("A party submits its own words, in its private room"), "!release is for mediators")
        quoted = facts.quoted
        if self.words is None and (
            quoted is None or not case.same_voice(quoted.author, author.id) or quoted.words is None
        ):
            return Refused(
                phrase("What is to be passed on?"),
                phrase("Reply !submit to a message of yours, or write !submit: the words"),
            )
        words = self.words if self.words is not None else (quoted.words if quoted else None) or ""
        source = quoted.message if quoted and self.words is None else None
        found = numbered(case, _draft(author.id, source, clean(words).strip(), facts, JOINT, reworded=False), facts)
        if isinstance(found, Refused):
            return found
        case, release = found
        if meaning(case.with_release(release), Consenting(release.id)) is None:
            return Refused(phrase("That can't be passed on from here"), phrase("Ask your mediator"))
        case, effects = ask_author(case, release, Standing.SUBMITTED, facts)
        return Done(case, f"{author.name} submits something ({release.id}), and is asked to confirm it.", effects)


@frozen
class ReturnWords:
    """Give a submission back, with a private note; nothing is released."""

    number: str
    reason: Reason = NO_REASON

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Its author is told, in private; open questions about it are void. Its author can do so, too."""
        release = case.release(self.number)
        by_party = facts.by is not None and not case.is_staff(facts.by)
        theirs = not by_party or (
            release and case.same_voice(release.author, facts.by) and release.origin == facts.where
        )
        if release is None or not release.is_open or not theirs:
            remedy = phrase("What was released stays released") if by_party else "!queue shows what does"
            return Refused(phrase("Nothing waits under {number}", number=one_line(self.number, 10)), remedy)
        if by_party:
            told = Inform(
                release.author,
                release.origin,
                phrase("{number} is taken back: nobody will read it.", number=release.id),
            )
            answer = f"{case.name_of(release.author)} takes {release.id} back; it is not released."
            return Done(closed(case, release.id), answer, (told,))
        text = together([phrase("{number} is not passed on.", number=release.id), *self.reason.words])
        told = Inform(release.author, release.origin, text)
        answer = f"{release.id} is not released, and {case.name_of(release.author)} is told."
        return Done(closed(case, release.id), answer, (told,))


@frozen
class ShowQueue:
    """What is on its way out of private rooms, and on whom it waits."""

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing."""
        lines = [
            f"{r.id}: {case.name_of(r.author)}, for {desk_label(r.to, case)}, {moment(r.at, case.zone)}: {r.standing}"
            for r in case.releases
            if r.is_open
        ]
        return Done(case, "\n".join(["Queue (!release R1, !return R1: NOTE):", *lines]) if lines else "Nothing waits.")


def _draft(
    author: PersonId, source: MessageId | None, words: str, facts: Facts, to: Conversation, *, reworded: bool
) -> Release:  # fmt: skip
    return Release(ReleaseId(""), author, source, words, reworded, facts.where, to, Standing.PREVIEWED, facts.at)


def _target(case: Case, name: str | None) -> Conversation | Refused | None:
    if name is None:
        return None
    if skeleton(name) in {skeleton("joint"), skeleton("everyone"), skeleton("all")}:
        return JOINT
    side = next((s for s in case.sides if skeleton(s.name) == skeleton(name)), None)
    sides = ", ".join(s.name for s in case.sides)
    return caucus(side.id) if side else Refused(f"There is no side {one_line(name)}", f"There are: joint, {sides}")


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
    said = re.fullmatch(r"(?P<number>[Rr]\d+)(?P<reason>[\s:].*)?", " ".join(words), re.DOTALL)
    if said is None:
        return phrase("Name what is given back, such as R1; a note stands behind a colon")
    reason = read_reason(said["reason"] or "")
    return reason if isinstance(reason, str) else ReturnWords(said["number"].upper(), reason)


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
        "!return R1 [REASON] [: NOTE]",
        phrase("gives back what a party submitted, with a reason for its author alone; who submitted it takes it back"),
        "!return R1 later: let us talk about it first",
        _return,
        party=True,
    ),
    Form(
        "submit",
        "!submit [: WORDS]",
        phrase(
            "asks the mediator to show words of yours to all; reply with it to a message of yours, or write the words"
        ),
        "!submit: I can live with a date in June",
        _submit,
        desk=False,
        party=True,
    ),
)

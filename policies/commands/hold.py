"""What a mediator does with what is held: look at it, post it, give it back, put it aside, keep it after all (M6).

To post something is a release (`commands.release`), with its preview and its yes: what its author surely meant for
those who would read it, needs no further yes of theirs; anything else does.
"""

from __future__ import annotations

from dataclasses import replace

from policies import showing
from policies.case import DESK, Case, Person
from policies.commands.form import Form
from policies.documents.carrying import Erase
from policies.documents.filing import NO_DOCUMENT
from policies.effects import EndHold, Inform, ResumeHold, Tell
from policies.frozen import frozen
from policies.message import File, Unproven
from policies.moderation.course import resting
from policies.moderation.hold import (
    NO_REASON,
    REASONS,
    AtHand,
    HoldEnd,
    Reason,
    doubtful,
    read_reason,
    told_at,
    words_in,
)
from policies.moderation.mode import Mode
from policies.names import JOINT, ReleaseId
from policies.outcome import Done, Facts, Outcome, Refused
from policies.people.membership import bridged_readers, conversations, readers
from policies.plan import desk_label, label
from policies.questions.ask import Meaning
from policies.questions.asking import how
from policies.releases.release import Agreed, OfHold, Release, Standing, heading_of
from policies.releases.releasing import begun, closed_all
from policies.words.phrase import phrase, stored, together, when
from policies.words.text import clean, one_line


@frozen
class ShowHeld:
    """List what is held, or show one held message."""

    item: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing."""
        return Done(case, "", (showing.ShowHeld(self.item),))


@frozen
class PostHeld:
    """Post a held message where its author meant it, perhaps in other words."""

    item: str
    words: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Shows at the desk what would be shown to whom, and asks the mediator."""
        held = _waiting(facts, self.item)
        if isinstance(held, Refused):
            return held
        found = _fit(case, held)
        if isinstance(found, Refused):
            return found
        if facts.by is None:
            return Refused("Nobody is there to be asked", "Say it at the desk")
        draft = _draft(case, held, *found)
        if self.words:
            draft = replace(draft, words=clean(self.words).strip(), reworded=True, agreed=None)
        outcome = begun(case, draft, facts)
        if isinstance(outcome, Refused):
            return outcome
        files = len(held.message.files) + isinstance(held.message.content, File)
        note = f"\nIts {files} file(s) are not shown." if files else ""
        # Not as the answer, which goes on record: these are somebody's words.
        shown = Tell(DESK, f"Held message {held.number}: {outcome.answer}{note}")
        return Done(outcome.case, "", (shown, *outcome.effects))


@frozen
class ReturnHeld:
    """Give a held message back to its author."""

    item: str
    reason: Reason = NO_REASON

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """They learn in private why it was held, and that they may send it again; a post that is under way is off. A
        file that can be no document is of no use to anybody then."""
        held = _waiting(facts, self.item)
        if isinstance(held, Refused):
            return held
        author, own = case.person(held.message.author), told_at(case, held.message)
        if author is None or own is None:
            remedy = f"Talk to them, then !held {held.number} discard"
            return Refused("Its author has no private room of their own to be told in", remedy)
        room, time = label(held.message.conversation, case), when(held.message.at, case.zone_of(author.id))
        what = phrase("What you wrote for {room} on {time} is not passed on.", room=room, time=time)
        if isinstance(held.message.proof, Unproven):
            what = phrase("What came in your name for {room} on {time} is not passed on.", room=room, time=time)
        why = phrase("It was held, because {why}.", why=stored(held.why))
        text = together([what, why, *self.reason.words, phrase("You can say it again, in your own words.")])
        end = EndHold(held.message.id, HoldEnd.RETURNED)
        answer = f"Held message {held.number} is given back, and {author.name} is told why."
        erased = (Erase(held.message.id),) if facts.documents and held.why == NO_DOCUMENT else ()
        return Done(closed_all(case, held.message.id), answer, (end, Inform(author.id, own, text), *erased))


@frozen
class DiscardHeld:
    """Put a held message aside. Nobody is told."""

    item: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """It is kept, and can be taken up again; a post that is under way is off."""
        held = _waiting(facts, self.item)
        if isinstance(held, Refused):
            return held
        answer = f"Held message {held.number} is put aside; nobody is told. !held {held.number} keep takes that back."
        return Done(closed_all(case, held.message.id), answer, (EndHold(held.message.id, HoldEnd.DISCARDED),))


@frozen
class KeepHeld:
    """What was put aside waits again."""

    item: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Only what was put aside: what was posted, returned or claimed is over."""
        held = _chosen(facts, self.item)
        if isinstance(held, Refused):
            return held
        if held.end is not HoldEnd.DISCARDED:
            state = f"was {held.end}" if held.end else "waits"
            return Refused(f"Held message {held.number} {state}", "!held lists what waits")
        answer = f"Held message {held.number} waits again."
        return Done(case, answer, (ResumeHold(held.message.id),))


def _chosen(facts: Facts, item: str) -> AtHand | Refused:
    return facts.held or Refused(f"There is no held message {one_line(item)}", "!held lists them")


def _waiting(facts: Facts, item: str) -> AtHand | Refused:
    held = _chosen(facts, item)
    if isinstance(held, AtHand) and held.end:
        return Refused(f"Held message {held.number} was {held.end} already", "!held lists what waits")
    return held


def _fit(case: Case, held: AtHand) -> tuple[Person, str] | Refused:
    """Its author and its words, if it can be posted at all: by the same rules as if it came now, but for who has the
    word in the joint room, which is the mediator's to say."""
    said = held.message
    author, where = case.person(said.author), said.conversation
    if author is None or case.is_staff(author.id) or where not in conversations(case) or where == DESK:
        return Refused("Only what a party wrote, who still takes part, can be posted", "Say it in words of your own")
    if author.id not in readers(case, where):
        return Refused(f"{author.name} does not read {desk_label(where, case)} now", "Say it in words of your own")
    rest = resting(case, where) or ("it is closed" if where == JOINT and case.floor.mode is Mode.CLOSED else None)
    if rest:
        return Refused(f"Nothing is posted there now: {rest}", "Do it when that is over")
    words = words_in(said)
    if words is None:
        return Refused("There are no words in it that could be posted", f"!held {held.number} return again tells why")
    if said.native and doubtful(held) is None and not any(_outside(case, held)):
        return Refused("Whoever reads there has it in Matrix already", f"!held {held.number} discard puts it aside")
    if any(release.is_open and release.source == said.id for release in case.releases):
        return Refused("It is on its way already", "!queue shows on whom it waits")
    return author, words


def _outside(case: Case, held: AtHand) -> list[Person]:
    """Who reads there by another network, besides its author."""
    return [
        p for p in bridged_readers(case, held.message.conversation) if not case.same_voice(p.id, held.message.author)
    ]


def _draft(case: Case, held: AtHand, author: Person, words: str) -> Release:
    """What its author said with certainty, for all who read there then, they have agreed to by saying it."""
    said, doubt = held.message, doubtful(held)
    draft = Release(
        ReleaseId(""),
        author.id,
        said.id,
        words,
        False,
        told_at(case, said) or said.conversation,
        said.conversation,
        Standing.PREVIEWED,
        said.at,
        of_hold=OfHold(doubt, stands=said.native and doubt is None),
    )
    if doubt:
        return draft
    meant = Meaning(f"{heading_of(draft, author.name)}\n{draft.words}", held.audience)
    return replace(draft, agreed=Agreed(said.at, how(said.proof), meant.sha256))


HoldCommand = ShowHeld | PostHeld | ReturnHeld | DiscardHeld | KeepHeld


def _read(words: list[str]) -> HoldCommand | str:
    if len(words) < 2:
        return ShowHeld(words[0] if words else None)
    item, act, rest = words[0], words[1].lower(), " ".join(words[2:])
    if act.endswith(":"):
        act, rest = act[:-1], f": {rest}"
    match act:
        case "post":
            head, colon, other = rest.partition(":")
            if head.strip() or (colon and not other.strip()):
                return "Other words stand behind a colon"
            return PostHeld(item, other.strip() or None)
        case "return":
            reason = read_reason(rest)
            return reason if isinstance(reason, str) else ReturnHeld(item, reason)
        case "discard" if not rest:
            return DiscardHeld(item)
        case "keep" if not rest:
            return KeepHeld(item)
        case _:
            return "Say post, return, discard or keep after the number"


FORMS: tuple[Form[HoldCommand], ...] = (
    Form(
        "held",
        f"!held [N [post [: OTHER WORDS] | return [{'|'.join(REASONS)}] [: NOTE] | discard | keep]]",
        "what is held, or one held message; posts it where it was meant (asks first), gives it back with a reason, or"
        " puts it aside",
        "!held 1 return later: let us talk about it first",
        _read,
        triage=True,
        mediators=True,
    ),
)

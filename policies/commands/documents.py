"""Documents by command: what there is, who may see it, to whom it goes, and what was taken back (D2, D6, D7).

From the desk, mediators act on any document that they may see; from its private room, a party on its own. Whatever goes
beyond a document's side is a release (`commands.release`): two yeses, both about the very hash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta

from policies import cards
from policies.case import DESK, JOINT, Case, Conversation, PersonId, caucus
from policies.commands.durations import HOW_LONG, duration
from policies.commands.form import Form
from policies.document import Action, Document, Label, Version, is_stricter
from policies.documents import Allowed, Wish, at_home, may, relabelled, revoked
from policies.effects import Due, Effect, Inform, Recall, Schedule, Tell, due_key
from policies.membership import caucuses_of, readers
from policies.names import ReleaseId
from policies.outcome import Done, Facts, Outcome, Refused, no_such_person
from policies.release import Release, Share, Standing
from policies.releasing import ask_author, numbered, previewed
from policies.sharing import no_way_out, posted, terms
from policies.text import moment, one_line, skeleton

_NOT_THEIRS = "Only its owner can do that, or a mediator"


@dataclass(frozen=True, slots=True)
class ListDocuments:
    """What the asking person may see."""

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing."""
        lines = [
            f"{cards.title(d, d.newest, named=_may_name(case, d, d.newest, facts))}, {d.newest.label}, from"
            f" {cards.people(case, frozenset({d.owner}))}"
            for d in case.documents
            if _sees(case, d, d.newest, facts)
        ]
        return _answered(case, "\n".join(["Documents (!doc show D1):", *lines]) if lines else "No documents.", facts)


@dataclass(frozen=True, slots=True)
class ShowDocument:
    """A document's card with everything the asking person may know, and the file itself if that is wanted."""

    number: str
    file: bool = False

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """The file is posted where it was asked for, if everybody who reads there may download it; on record first."""
        found = _found(case, self.number, facts)
        if isinstance(found, Refused):
            return found
        document, version = found
        insider = facts.by is None or facts.by in at_home(case, document, version.label)
        named = _may_name(case, document, version, facts)
        text = (cards.details if insider else cards.card)(case, document, version, facts.at, named=named)
        if not self.file:
            return _answered(case, text, facts)
        where = _where(case, facts)
        share = Share(document.id, version.number, version.served.sha256, Action.DOWNLOAD)
        case, handed = posted(case, share, where, facts.at)
        if not handed:
            return Refused("Not everybody who reads there may download it", "Ask the mediator")
        return _answered(case, text, facts, *handed)


@dataclass(frozen=True, slots=True)
class ShowHistory:
    """What was granted, agreed to and served."""

    number: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """For those whose it is, and for mediators."""
        found = _managed(case, self.number, facts)
        return found if isinstance(found, Refused) else _answered(case, cards.history(case, found[0]), facts)


@dataclass(frozen=True, slots=True)
class LabelDocument:
    """Who may see it at all, and how far it can go."""

    number: str
    label: Label

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Its owner sets any but `joint`, which only a release does; a mediator makes it stricter, never privileged."""
        found = _managed(case, self.number, facts)
        if isinstance(found, Refused):
            return found
        document, version = found
        wider = is_stricter(version.label, self.label)
        if self.label is Label.JOINT:
            return Refused("To all it goes by a release", f"!doc grant {document.id} view to all")
        if facts.by != document.owner and (wider or self.label is Label.PRIVILEGED):
            return Refused("Only its owner can do that", "A mediator can make it stricter, and not privileged")
        if self.label is Label.PRIVILEGED and document.home == DESK:
            return Refused("It belongs to no side, so nobody but its owner would see it", "Choose mediator-only")
        after = relabelled(document, version.number, self.label, facts.at)
        case, version = case.with_document(after), replace(version, label=self.label)
        named = _may_name(case, after, version, facts)
        text = cards.card(case, after, version, facts.at, named=named)
        note = f"{cards.number_of(document, version)} is {self.label} now."
        return _done(case, note, facts, Recall(document.id), shown=text)


@dataclass(frozen=True, slots=True)
class GrantDocument:
    """Let somebody, a side or all view or download a version."""

    number: str
    to: str
    action: Action = Action.VIEW
    lasts: timedelta | None = None
    most: int | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """A release: a mediator's preview and yes, its owner's yes; whoever asks says theirs first."""
        found = _managed(case, self.number, facts)
        if isinstance(found, Refused):
            return found
        target = _target(case, self.to)
        if isinstance(target, Refused):
            return target
        document, version = found
        where, person = target
        if person and person in at_home(case, document, version.label):
            return Refused("They may see it already", f"!doc show {document.id}")
        why = no_way_out(case, document, version)
        if why:
            return Refused(f"It can't be given to anybody else: {why}", "Its owner can change its label: !doc label")
        expires = facts.at + self.lasts if self.lasts else None
        share = Share(document.id, version.number, version.served.sha256, self.action, person, expires, self.most)
        draft = Release(
            ReleaseId(""),
            document.owner,
            None,
            f"{cards.title(document, version)}\n{terms(share)}",
            reworded=False,
            origin=document.home,
            to=where,
            standing=Standing.PREVIEWED,
            at=facts.at,
            share=share,
        )
        return _offered(case, draft, facts)


@dataclass(frozen=True, slots=True)
class RequestDocument:
    """A party asks that a document of its own be shown to all, or to download one of somebody else's."""

    number: str
    action: Action = Action.VIEW

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Its owner's yes to the readers comes first, then the mediator's; anybody else's wish goes to the desk."""
        found = _found(case, self.number, facts)
        if isinstance(found, Refused):
            return found
        document, version = found
        if facts.by == document.owner:
            return GrantDocument(self.number, "all", self.action).perform(case, facts)
        person = case.person(facts.by) if facts.by else None
        if person is None or case.is_staff(person.id):
            return Refused("A party asks for that, in its private room", f"!doc grant {document.id} download to NAME")
        grant = f"!doc grant {cards.number_of(document, version)} {self.action} to {person.name}"
        told = Inform(person.id, facts.where, "The mediator was told of your wish.")
        return Done(
            case,
            f"{person.name} asks to {self.action} {cards.number_of(document, version)}. {grant} offers it.",
            (told,),
        )


@dataclass(frozen=True, slots=True)
class RevokeDocument:
    """Take back what was granted, from one person or from everybody."""

    number: str
    name: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """At once; what was posted in rooms is taken out of them, and off the server where we may."""
        found = _managed(case, self.number, facts)
        if isinstance(found, Refused):
            return found
        document, version = found
        person = case.named(self.name) if self.name else None
        if self.name and person is None:
            return no_such_person(case, self.name)
        after = revoked(document, version.number, frozenset({person.id}) if person else None, facts.at)
        if after.grants == document.grants:
            return Refused("Nothing that was granted is left to take back", f"!doc history {document.id}")
        note = f"{cards.number_of(document, version)} is taken back from {person.name if person else 'everybody'}."
        kept = "Who has downloaded or copied it still has that."
        return _done(case.with_document(after), note, facts, Recall(document.id), shown=f"{note} {kept}")


@dataclass(frozen=True, slots=True)
class ExpireDocument:
    """Let what was granted end by itself."""

    number: str
    lasts: timedelta

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Never later than it would have ended."""
        found = _managed(case, self.number, facts)
        if isinstance(found, Refused):
            return found
        document, version = found
        until = facts.at + self.lasts
        ending = tuple(
            replace(g, expires=min(g.expires or until, until))
            if g.version == version.number and g.counts(facts.at)
            else g
            for g in document.grants
        )
        if ending == document.grants:
            return Refused("Nothing was granted that would last longer", f"!doc history {document.id}")
        alarm = Schedule(until, due_key(Due.DOCUMENT, document.id))
        note = f"What was granted of {cards.number_of(document, version)} ends {moment(until)}."
        return _done(case.with_document(replace(document, grants=ending)), note, facts, alarm, shown=note)


# --- what they share ----------------------------------------------------------------------------------------------


def _offered(case: Case, draft: Release, facts: Facts) -> Outcome:
    """On its way: a mediator is shown the preview; anybody else says yes to the readers first."""
    found = numbered(case, draft, facts)
    if isinstance(found, Refused):
        return found
    case, release = found
    if facts.by and case.is_staff(facts.by):
        shown = previewed(case, release, facts)
        if isinstance(shown, Refused):
            return shown
        # Not as the answer, which goes on record: a document's name is its owner's words.
        return replace(shown, answer="", effects=(Tell(DESK, shown.answer), *shown.effects))
    try:
        case, effects = ask_author(case, release, Standing.SUBMITTED, facts)
    except LookupError:
        return Refused("That can't be passed on from here", "Ask your mediator")
    return Done(case, f"A document is submitted ({release.id}), and its owner is asked to confirm it.", effects)


def _found(case: Case, number: str, facts: Facts) -> tuple[Document, Version] | Refused:
    """The document and version of that number, for somebody who may see it: to all others there is none."""
    name, _, version = number.partition(".")
    document = case.document(name)
    chosen = (document.version(int(version)) if version else document.newest) if document else None
    if document is None or chosen is None or not _sees(case, document, chosen, facts):
        return Refused(f"There is no document {one_line(number, 12).upper()}", "!doc list shows what there is")
    return document, chosen


def _managed(case: Case, number: str, facts: Facts) -> tuple[Document, Version] | Refused:
    """The same for its owner and the mediators."""
    found = _found(case, number, facts)
    if isinstance(found, Refused) or facts.by is None or case.is_staff(facts.by) or found[0].owner == facts.by:
        return found
    return Refused(_NOT_THEIRS, f"!doc request {found[0].id} asks for it")


def _sees(case: Case, document: Document, version: Version, facts: Facts) -> bool:
    """Through the API and the command line a document is as far away as its owner's words (A4)."""
    if facts.by is None:
        return False
    return isinstance(may(case, document, Wish(facts.by, Action.VIEW, version.number, facts.at)), Allowed)


def _may_name(case: Case, document: Document, version: Version, facts: Facts) -> bool:
    """Whether everybody who reads the answer may see the document."""
    where, asking = _where(case, facts), case.person(facts.by) if facts.by else None
    away = asking is not None and asking.endpoint.is_bridged
    audience = frozenset({asking.id}) if asking and away else readers(case, where)
    wishes = (Wish(person, Action.VIEW, version.number, facts.at) for person in audience)
    return all(isinstance(may(case, document, wish), Allowed) for wish in wishes)


def _target(case: Case, name: str) -> tuple[Conversation, PersonId | None] | Refused:
    """The conversation, and the one person in it if it is not for all of them."""
    if skeleton(name) in {skeleton("all"), skeleton("joint"), skeleton("everyone")}:
        return JOINT, None
    side = next((s for s in case.sides if skeleton(s.name) == skeleton(name)), None)
    if side:
        return caucus(side.id), None
    person = case.named(name)
    if person is None:
        return no_such_person(case, one_line(name))
    own = caucuses_of(case, person.id)
    if len(own) != 1:
        return Refused(f"{person.name} has no private room, or several", "Name a side, or all")
    return own[0], person.id


def _where(case: Case, facts: Facts) -> Conversation:
    """Where the asking person is answered: a mediator at the desk, so that no party reads it."""
    return DESK if facts.by is None or case.is_staff(facts.by) else facts.where


def _answered(case: Case, text: str, facts: Facts, *more: Effect) -> Done:
    """An answer that is not put on record: it holds names of documents."""
    where = _where(case, facts)
    told = Tell(DESK, text) if where == DESK or facts.by is None else Inform(facts.by, where, text)
    return Done(case, "", (told, *more))


def _done(case: Case, note: str, facts: Facts, *more: Effect, shown: str) -> Done:
    """Something was changed: the desk is told, on record; a party is answered where it spoke."""
    where = _where(case, facts)
    told: Effect = Tell(DESK, shown) if where == DESK or facts.by is None else Inform(facts.by, where, shown)
    return Done(case, note, (*(() if shown == note and where == DESK else (told,)), *more))


DocumentCommand = (
    ListDocuments
    | ShowDocument
    | ShowHistory
    | LabelDocument
    | GrantDocument
    | RequestDocument
    | RevokeDocument
    | ExpireDocument
)

_NUMBER = re.compile(r"D\d{1,6}(\.\d{1,4})?", re.IGNORECASE)
_GRANT = re.compile(
    r"(?P<number>\S+)(?:\s+(?P<action>view|download))?\s+to\s+(?P<to>.+?)"
    r"(?:\s+for\s+(?P<lasts>\S+))?(?:\s+opens\s+(?P<most>\d{1,4}))?",
    re.IGNORECASE,
)
_WHICH = "Name a document, such as D1"


def _show(words: list[str]) -> ShowDocument | str:
    if not words or not _NUMBER.fullmatch(words[0]) or words[1:] not in ([], ["file"]):
        return _WHICH
    return ShowDocument(words[0], file=bool(words[1:]))


def _history(words: list[str]) -> ShowHistory | str:
    return ShowHistory(words[0]) if len(words) == 1 and _NUMBER.fullmatch(words[0]) else _WHICH


def _label(words: list[str]) -> LabelDocument | str:
    labels = {label.value: label for label in Label}
    if len(words) != 2 or not _NUMBER.fullmatch(words[0]) or words[1].lower() not in labels:
        return f"Name a document and a label: {', '.join(labels)}"
    return LabelDocument(words[0], labels[words[1].lower()])


def _grant(words: list[str]) -> GrantDocument | str:
    said = _GRANT.fullmatch(" ".join(words))
    if said is None or not _NUMBER.fullmatch(said["number"]):
        return "Name a document, what may be done with it, and who"
    lasts = duration(said["lasts"]) if said["lasts"] else None
    if said["lasts"] and lasts is None:
        return HOW_LONG
    most = int(said["most"]) if said["most"] else None
    if most == 0:
        return "It is opened once at least"
    return GrantDocument(said["number"], said["to"], Action((said["action"] or "view").lower()), lasts, most)


def _request(words: list[str]) -> RequestDocument | str:
    if not words or not _NUMBER.fullmatch(words[0]) or words[1:] not in ([], ["view"], ["download"]):
        return _WHICH
    return RequestDocument(words[0], Action(words[1]) if words[1:] else Action.VIEW)


def _revoke(words: list[str]) -> RevokeDocument | str:
    if not words or not _NUMBER.fullmatch(words[0]):
        return _WHICH
    name = " ".join(words[1:]).removeprefix("from ").strip()
    return RevokeDocument(words[0], name or None)


def _expire(words: list[str]) -> ExpireDocument | str:
    if len(words) != 3 or not _NUMBER.fullmatch(words[0]) or words[1].lower() != "in":
        return _WHICH
    lasts = duration(words[2])
    return ExpireDocument(words[0], lasts) if lasts else HOW_LONG


FORMS: tuple[Form[DocumentCommand], ...] = (
    Form(
        "doc list",
        "!doc list",
        "the documents that you may see",
        "!doc list",
        lambda _: ListDocuments(),
        caucus=True,
        party=True,
    ),
    Form(
        "doc show",
        "!doc show D1 [file]",
        "who may see a document; with “file”, the file itself is posted here, if everybody here may have it",
        "!doc show D1",
        _show,
        caucus=True,
        party=True,
    ),
    Form(
        "doc label",
        "!doc label D1 LABEL",
        "how far a document can go: privileged, mediator-only, caucus, consent-required",
        "!doc label D1 privileged",
        _label,
        caucus=True,
        party=True,
    ),
    Form(
        "doc grant",
        "!doc grant D1 [view|download] to NAME|SIDE|all [for 3d] [opens 5]",
        "lets others see a document, once its owner and a mediator have agreed",
        "!doc grant D1 view to all for 7d",
        _grant,
        caucus=True,
        party=True,
    ),
    Form(
        "doc request",
        "!doc request D1 [view|download]",
        "asks the mediator to show a document of yours to all, or to let you have another's",
        "!doc request D1",
        _request,
        desk=False,
        party=True,
    ),
    Form(
        "doc revoke",
        "!doc revoke D1 [NAME]",
        "takes back what was granted, from one person or from everybody",
        "!doc revoke D1 Bob",
        _revoke,
        caucus=True,
        party=True,
    ),
    Form(
        "doc expire",
        "!doc expire D1 in 3d",
        "lets what was granted end by itself",
        "!doc expire D1 in 3d",
        _expire,
        caucus=True,
        party=True,
    ),
    Form(
        "doc history",
        "!doc history D1",
        "what was granted, agreed to and served",
        "!doc history D1",
        _history,
        caucus=True,
        party=True,
    ),
)

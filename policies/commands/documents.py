"""Documents by command: what there is, how far each can go, and what became of it (D2, D7).

From the desk, mediators act on any document that they may see; from its private room, a party on its own. To whom
they go is `commands.granting`'s.
"""

from __future__ import annotations

from dataclasses import replace

from policies.case import DESK, Case
from policies.commands.form import Form
from policies.commands.naming import (
    NUMBER,
    WHICH,
    answered,
    done,
    find,
    find_managed,
    may_be_named,
    place_of_answer,
    sees,
)
from policies.documents import cards
from policies.documents.carrying import Recall
from policies.documents.document import Action, Label, is_stricter
from policies.documents.rights import at_home, relabelled
from policies.documents.sharing import posted
from policies.frozen import frozen
from policies.outcome import Facts, Outcome, Refused
from policies.releases.release import Share
from policies.words.phrase import phrase, together


@frozen
class ListDocuments:
    """What the asking person may see."""

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing."""
        lines = [
            phrase(
                "{title}, {label}, from {owner}",
                title=cards.title(d, d.newest, named=may_be_named(case, d, d.newest, facts)),
                label=d.newest.label,
                owner=cards.people(case, frozenset({d.owner})),
            )
            for d in case.documents
            if sees(case, d, d.newest, facts)
        ]
        if facts.by and case.is_staff(facts.by):
            lines += [
                together(
                    [
                        f"{d.id}, locked, from ",
                        cards.people(case, frozenset({d.owner})),
                        f": {d.quarantined} (!doc keep {d.id}: REASON)",
                    ],
                    by="",
                )
                for d in case.documents
                if d.quarantined and facts.by in at_home(case, d, d.newest.label)
            ]
        listed = together([phrase("Documents (!doc show D1):"), *lines], by="\n") if lines else phrase("No documents.")
        return answered(case, listed, facts)


@frozen
class ShowDocument:
    """A document's card with everything the asking person may know, and the file itself if that is wanted."""

    number: str
    file: bool = False

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """The file is posted where it was asked for, if everybody who reads there may download it; on record first."""
        found = find(case, self.number, facts)
        if isinstance(found, Refused):
            return found
        document, version = found
        insider = facts.by is None or facts.by in at_home(case, document, version.label)
        named = may_be_named(case, document, version, facts)
        text = (cards.details if insider else cards.card)(case, document, version, facts.at, named=named)
        if not self.file:
            return answered(case, text, facts)
        where = place_of_answer(case, facts)
        share = Share(document.id, version.number, version.served.sha256, Action.DOWNLOAD)
        case, handed = posted(case, share, where, facts.at)
        if not handed:
            return Refused(phrase("Not everybody who reads there may download it"), phrase("Ask the mediator"))
        return answered(case, text, facts, *handed)


@frozen
class ShowHistory:
    """What was granted, agreed to and served."""

    number: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """For those whose it is, and for mediators."""
        found = find_managed(case, self.number, facts)
        return found if isinstance(found, Refused) else answered(case, cards.history(case, found[0]), facts)


@frozen
class LabelDocument:
    """Who may see it at all, and how far it can go."""

    number: str
    label: Label

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Its owner sets any but `joint`, which only a release does; a mediator makes it stricter, never privileged."""
        found = find_managed(case, self.number, facts)
        if isinstance(found, Refused):
            return found
        document, version = found
        wider = is_stricter(version.label, self.label)
        if self.label is Label.JOINT:
            return Refused(phrase("To all it goes by a release"), f"!doc grant {document.id} view to all")
        if not case.same_voice(facts.by, document.owner) and (wider or self.label is Label.PRIVILEGED):
            return Refused(phrase("Only its owner can do that"), "A mediator can make it stricter, and not privileged")
        if self.label is Label.PRIVILEGED and document.home == DESK:
            return Refused("It belongs to no side, so nobody but its owner would see it", "Choose mediator-only")
        after = relabelled(document, version.number, self.label, facts.at)
        case, version = case.with_document(after), replace(version, label=self.label)
        named = may_be_named(case, after, version, facts)
        text = cards.card(case, after, version, facts.at, named=named)
        note = f"{cards.number_of(document, version)} is {self.label} now."
        return done(case, note, facts, Recall(document.id), shown=text)


DocumentCommand = ListDocuments | ShowDocument | ShowHistory | LabelDocument


def _show(words: list[str]) -> ShowDocument | str:
    if not words or not NUMBER.fullmatch(words[0]) or words[1:] not in ([], ["file"]):
        return WHICH
    return ShowDocument(words[0], file=bool(words[1:]))


def _history(words: list[str]) -> ShowHistory | str:
    return ShowHistory(words[0]) if len(words) == 1 and NUMBER.fullmatch(words[0]) else WHICH


def _label(words: list[str]) -> LabelDocument | str:
    labels = {label.value: label for label in Label}
    if len(words) != 2 or not NUMBER.fullmatch(words[0]) or words[1].lower() not in labels:
        return phrase("Name a document and a label: {labels}", labels=", ".join(labels))
    return LabelDocument(words[0], labels[words[1].lower()])


FORMS: tuple[Form[DocumentCommand], ...] = (
    Form(
        "doc list",
        "!doc list",
        phrase("the documents that you may see"),
        "!doc list",
        lambda _: ListDocuments(),
        caucus=True,
        party=True,
        mediators=True,
    ),
    Form(
        "doc show",
        "!doc show D1 [file]",
        phrase("who may see a document; with “file”, the file itself is posted here, if everybody here may have it"),
        "!doc show D1",
        _show,
        caucus=True,
        party=True,
        mediators=True,
    ),
    Form(
        "doc label",
        "!doc label D1 LABEL",
        phrase("how far a document can go: privileged, mediator-only, caucus, consent-required"),
        "!doc label D1 privileged",
        _label,
        caucus=True,
        party=True,
    ),
    Form(
        "doc history",
        "!doc history D1",
        phrase("what was granted, agreed to and served"),
        "!doc history D1",
        _history,
        caucus=True,
        party=True,
        mediators=True,
    ),
)

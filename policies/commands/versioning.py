"""A document becomes a new version of another one, because its owner says so: a name alone says nothing."""

from __future__ import annotations

from policies.case import Case
from policies.commands.form import Form
from policies.commands.naming import NUMBER, done, find, may_be_named
from policies.documents import cards
from policies.documents.carrying import Recall
from policies.documents.versions import joined, why_not
from policies.frozen import frozen
from policies.outcome import Facts, Outcome, Refused
from policies.words.phrase import phrase, together

_HOW = phrase("Name two documents, the newer one first")
_EXAMPLE = "!doc version D3 of D1"


@frozen
class JoinVersions:
    """One document is a new version of another one of the same owner."""

    newer: str
    former: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """The owner's alone. What was posted of it under its own number is taken out of rooms: that number ends."""
        newer, former = find(case, self.newer, facts), find(case, self.former, facts)
        if isinstance(newer, Refused):
            return newer
        if isinstance(former, Refused):
            return former
        document, into = newer[0], former[0]
        if not case.same_voice(facts.by, document.owner):
            return Refused(phrase("Only its owner can say that"), f"!doc show {document.id}")
        why = why_not(case, document, into)
        if why:
            return Refused(why, f"!doc history {document.id}")
        case = joined(case, document, into)
        after = case.document(into.id) or into
        named = may_be_named(case, after, after.newest, facts)
        shown = cards.card(case, after, after.newest, facts.at, named=named)
        note = phrase("{former} is {number} now.", former=document.id, number=cards.number_of(after, after.newest))
        return done(case, note, facts, Recall(document.id), shown=together([note, shown], by="\n"))


def _version(words: list[str]) -> JoinVersions | str:
    match words:
        case [newer, of, former] if of.lower() == "of" and NUMBER.fullmatch(newer) and NUMBER.fullmatch(former):
            return JoinVersions(newer.partition(".")[0], former.partition(".")[0])
    return _HOW


FORMS: tuple[Form[JoinVersions], ...] = (
    Form(
        "doc version",
        "!doc version D3 of D1",
        phrase("says that a document of yours is a new version of another one of yours"),
        _EXAMPLE,
        _version,
        caucus=True,
        party=True,
    ),
)

"""A party reports something to the mediators, and to nobody else (M10)."""

from __future__ import annotations

from policies.case import DESK, Case, Kind
from policies.commands.form import Form
from policies.effects import Inform, Tell
from policies.frozen import frozen
from policies.outcome import Done, Facts, Outcome, Refused
from policies.plan import desk_label
from policies.words.phrase import phrase
from policies.words.text import marked


@frozen
class Report:
    """What a party replies to, or what it writes, is brought before the mediators."""

    words: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """The desk sees it at once; its author is told that it did."""
        author = case.person(facts.by) if facts.by else None
        if author is None or facts.where.kind is not Kind.CAUCUS:
            return Refused("A party reports in its private room, or by mail", "You are at the desk already")
        if self.words is None and facts.quoted is None:
            return Refused(
                phrase("What is it about?"), phrase("Reply !report to a message, or write !report: what happened")
            )
        lines = [f"REPORT from {author.name}, in {desk_label(facts.where, case)}:"]
        if facts.quoted:
            whose = case.person(facts.quoted.author)
            lines.append(f"about this, by {whose.name if whose else 'somebody who left'}:")
            lines += marked(facts.quoted.words or "(not words)")
        lines += ["They write:", *marked(self.words)] if self.words else []
        told = Inform(author.id, facts.where, phrase("The mediators have your report. Nobody else was told."))
        return Done(case, "", (Tell(DESK, "\n".join(lines)), told))


FORMS: tuple[Form[Report], ...] = (
    Form(
        "report",
        "!report [: WHAT HAPPENED]",
        phrase("tells the mediators, and nobody else; reply with it to a message, or write what happened"),
        "!report: I feel threatened by this",
        lambda words: Report(" ".join(words).removeprefix(":").strip() or None),
        desk=False,
        party=True,
    ),
)

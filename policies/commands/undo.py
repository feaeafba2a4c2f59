"""Taking back the latest act of a mediator in one step, or saying why that can't be (M8)."""

from __future__ import annotations

from datetime import timedelta

from policies.case import DESK, Case
from policies.commands.form import Form
from policies.frozen import frozen
from policies.outcome import Facts, Outcome, Refused
from policies.undoing.recalling import recalled
from policies.undoing.undo import described, taken_back

AT_ONCE = timedelta(hours=1)
"""So long one's own act needs no number: later, or if it was somebody else's, one may mean another."""


@frozen
class Undo:
    """Take back what was done last; `entry` names it by its number on record."""

    entry: int | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """A new act, which can itself be taken back."""
        if facts.where != DESK:
            return _post_taken_back(case, facts)
        deed = case.deed
        if deed is None:
            return Refused("Nothing was done that could be taken back", "!log shows what is on record")
        latest = f"What was done last is {described(case, deed)}"
        if self.entry is not None and self.entry != deed.entry:
            return Refused(f"Only what was done last can be taken back. {latest}", f"!undo {deed.entry} is that")
        own = deed.by == facts.by and facts.at - deed.at <= AT_ONCE
        if self.entry is None and not own:
            return Refused(latest, f"If you mean that: !undo {deed.entry}")
        return taken_back(case, deed, facts)


@frozen
class TakeBackPost:
    """Take back what one wrote last where parties read."""

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Out of its room, and from whomever it has not left for."""
        if facts.where != DESK:
            return Refused("“!undo post” is said at the desk", "Here, reply !undo to the post")
        posted = case.posted
        if posted is None or posted.by != facts.by:
            whose = f"What a mediator wrote last is {case.name_of(posted.by)}'s" if posted else "Nothing stands there"
            return Refused(whose, "Go to the room, reply to the post, and say !undo there")
        return recalled(case, posted.message, posted.where, facts)


def _post_taken_back(case: Case, facts: Facts) -> Outcome:
    """The post that the command answers, in the room in which both stand."""
    quoted = facts.quoted
    if quoted is None:
        return Refused("It is not clear what to take back", "Reply to the post with !undo; at the desk, !undo post")
    if not case.is_staff(quoted.author):
        name = case.name_of(quoted.author)
        return Refused(f"That is {name}'s own post", f"In a private room {name} can remove it; !mute keeps them quiet")
    return recalled(case, quoted.message, facts.where, facts)


def _read(words: list[str]) -> Undo | TakeBackPost | str:
    match words:
        case []:
            return Undo()
        case [word] if word.lower() == "post":
            return TakeBackPost()
        case [number] if number.isdecimal():
            return Undo(int(number))
        case _:
            return "Say which entry of !log, by its number, or “post”, or nothing"


FORMS: tuple[Form[Undo | TakeBackPost], ...] = (
    Form(
        "undo",
        "!undo [ENTRY | post]",
        "takes back what was done last, if that is possible, or says why not and what to do; “post”, or as a reply to a"
        " post in its room: what you wrote there",
        "!undo",
        _read,
        caucus=True,
        mediators=True,
    ),
)

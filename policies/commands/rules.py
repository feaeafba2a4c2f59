"""The rules of the joint room: tried out before they count, and how long words may be changed there (M7, M8)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from policies.case import Case
from policies.commands.durations import duration, in_words
from policies.commands.form import Form
from policies.frozen import frozen
from policies.moderation.rulebook import EDIT_MINUTES_MOST, Trial
from policies.moderation.rules import FIXED, TRIALS
from policies.outcome import Done, Facts, Outcome, Refused


@frozen
class ShowRules:
    """Which rules there are, and which are tried out."""

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing."""
        tried = [f"{rule}: {TRIALS[rule]}; {_state(case, rule, facts)}" for rule in Trial]
        window = f"Words in the joint room can be changed for {in_words(case.rules.edit_window)} (!rules edits 30m)."
        return Done(case, "\n".join(["Rules (!rules late-edit dry, !rules late-edit on):", *tried, window, *FIXED]))


@frozen
class TryRule:
    """A rule only tells the desk what it would do; or it counts again."""

    rule: Trial
    dry: bool

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """From the next post on."""
        if self.rule is Trial.JOINT_FILE and facts.documents:
            return Refused(
                "Here a file that is sent to all becomes a document, which keeps it from whom it was not granted to;"
                " that is never tried out",
                "!doc grant D1 view to all lets all see one",
            )
        others = tuple(rule for rule in case.rules.dry if rule is not self.rule)
        rules = replace(case.rules, dry=(*others, self.rule) if self.dry else others)
        after = replace(case, rules=rules)
        return Done(after, f"{self.rule}: {_state(after, self.rule, facts)}.")


@frozen
class SetEditWindow:
    """How long words in the joint room may be changed."""

    window: timedelta

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """From the next change on."""
        minutes = self.window // timedelta(minutes=1)
        if minutes > EDIT_MINUTES_MOST:
            return Refused("At most a day, for others answer what they have read", "!rules edits 1h")
        after = replace(case, rules=replace(case.rules, edit_minutes=minutes))
        return Done(after, f"Words in the joint room can be changed for {in_words(self.window)}.")


def _state(case: Case, rule: Trial, facts: Facts) -> str:
    if rule is Trial.JOINT_FILE and facts.documents:
        return "it becomes a document instead"
    return "tried out: the desk is told, nothing is taken away" if rule in case.rules.dry else "in force"


RulesCommand = ShowRules | TryRule | SetEditWindow

_WORDS = "Say !rules late-edit dry, !rules late-edit on, or !rules edits 30m"


def _read(words: list[str]) -> RulesCommand | str:
    match [word.lower() for word in words]:
        case []:
            return ShowRules()
        case [rule, "dry" | "on" as how] if rule in set(Trial):
            return TryRule(Trial(rule), how == "dry")
        case ["edits", how_long] if window := duration(how_long):
            return SetEditWindow(window)
        case [_, "dry"]:
            return f"Only {' and '.join(Trial)} can be tried out: what keeps words private always counts"
        case _:
            return _WORDS


FORMS: tuple[Form[RulesCommand], ...] = (
    Form(
        "rules",
        "!rules [RULE dry|on], !rules edits TIME",
        "the rules of the joint room; has one only tell you what it would take away; how long words can be changed",
        "!rules late-edit dry",
        _read,
    ),
)

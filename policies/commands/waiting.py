"""What waits for a mediator, and what was done: the board, what could not be delivered, what is on record."""

from __future__ import annotations

from dataclasses import replace

from policies import effects, showing
from policies.case import Case
from policies.commands.form import Form
from policies.frozen import frozen
from policies.outcome import Done, Facts, Outcome

LOG_MOST = 50


@frozen
class ShowDead:
    """List what could not be delivered; `retry` or `discard` one of them."""

    act: str = "list"
    item: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """The outbox does it."""
        return Done(case, "", (showing.DeadLetters(self.act, self.item),))


@frozen
class ShowBoard:
    """Who is waited for, since when, what is due, and what did not arrive."""

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """A new board, which is kept up to date from now on."""
        return Done(replace(case, boards=case.boards + 1), "", (showing.ShowBoard(),))


@frozen
class ShowLog:
    """The latest entries of the case's record."""

    most: int = 10

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing."""
        return Done(case, "", (showing.ShowLog(self.most),))


@frozen
class ShowHeads:
    """The heads of the record, signed."""

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing."""
        return Done(case, "", (effects.PostHeads(facts.heads_to),))


def _log(words: list[str]) -> ShowLog | ShowHeads | str:
    match words:
        case []:
            return ShowLog()
        case ["heads"]:
            return ShowHeads()
        case [number] if number.isdecimal() and 0 < int(number) <= LOG_MOST:
            return ShowLog(int(number))
        case _:
            return f"How many entries: 1 to {LOG_MOST}"


def _dead(words: list[str]) -> ShowDead | str:
    match [word.lower() for word in words]:
        case []:
            return ShowDead()
        case ["retry" | "discard" as act, item]:
            return ShowDead(act, item)
        case _:
            return "Say retry or discard, and the number from the list"


def _resend(words: list[str]) -> ShowDead | str:
    return ShowDead("retry", words[0]) if len(words) == 1 else "Say the number from the list that !dead shows"


WaitingCommand = ShowBoard | ShowDead | ShowLog | ShowHeads

FORMS: tuple[Form[WaitingCommand], ...] = (
    Form(
        "board",
        "!board",
        "who is waited for, since when, what is due next, and what did not arrive; kept up to date",
        "!board",
        lambda _: ShowBoard(),
        lobby=True,
    ),
    Form(
        "log",
        "!log [NUMBER] or !log heads",
        "what is on record; its heads, signed, to keep",
        "!log 20",
        _log,
        triage=True,
        mediators=True,
    ),
    Form(
        "dead",
        "!dead [retry|discard NUMBER]",
        "what could not be delivered",
        "!dead retry 1",
        _dead,
        triage=True,
        mediators=True,
    ),
    Form(
        "resend",
        "!resend NUMBER",
        "what may not have arrived is sent again, as !dead retry does",
        "!resend 1",
        _resend,
        triage=True,
        mediators=True,
    ),
)

"""Questions that bind: asked before an act that can't be taken back, answered once, in time, with their code."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from policies.case import Ask, Case
from policies.due import Due, due_key
from policies.effects import Effect, Schedule
from policies.outcome import Done, Facts, Outcome, Refused

ASK_LASTS = timedelta(minutes=15)


class Confirmable(Protocol):
    """An act that is asked about first."""

    @property
    def line(self) -> str:
        """The act in the words of a command: the asked person sees it, and it is read again on a yes."""

    def confirmed(self, case: Case, facts: Facts) -> Outcome:
        """What a yes does."""


def ask(case: Case, act: Confirmable, facts: Facts, *first: Effect) -> Outcome:
    """Ask whoever gave the command; `first` shows what would happen. The organisation isn't asked."""
    if facts.by is None:
        return act.confirmed(case, facts)
    question = Ask(facts.code, facts.by, act.line, facts.at + ASK_LASTS)
    others = tuple(a for a in case.asks if a.command != question.command and a.expires > facts.at)
    return Done(
        replace(case, asks=(*others, question)),
        f"{question.command}: say “yes {question.code}” within 15 minutes and it is done.",
        (*first, Schedule(question.expires, due_key(Due.ASK, question.code))),
    )


def answered(case: Case, code: str, facts: Facts) -> tuple[Case, Ask] | Refused:
    """The question that this answers, and the case without it: a yes counts once."""
    ask = next((a for a in case.asks if a.code == code and a.asked == facts.by and a.expires > facts.at), None)
    if ask is None:
        return Refused(
            f"No question of yours with the code {code} is open",
            "Give the command again; the answer then shows its code",
        )
    return replace(case, asks=tuple(a for a in case.asks if a != ask)), ask

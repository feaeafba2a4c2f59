"""A stranger, as a command at the triage desk names them."""

from __future__ import annotations

import re
from dataclasses import replace

from policies.case import Case
from policies.outcome import Refused
from policies.people.stranger import Stranger
from policies.words.text import one_line

TRIAGE_ONLY = Refused("That is said at the triage desk", "!help lists what is said here")
NUMBER = re.compile(r"[sS][0-9]{1,9}")


def found_in(case: Case, number: str) -> Stranger | Refused:
    """The stranger of that number, at the triage desk."""
    found = case.triage.get(number) if case.triage else None
    return found or Refused(f"Nobody here is {one_line(number, 12)}", "!intake lists who waits")


def having(case: Case, stranger: Stranger) -> Case:
    """The triage desk with that stranger's new values."""
    return replace(case, triage=case.triage.having(stranger)) if case.triage else case


def split(words: list[str]) -> tuple[str, str, str | None] | str:
    """`S1 HEAD: TAIL`: the number, what stands before a colon, and what stands behind it, if there is one."""
    line = " ".join(words)
    number, _, rest = line.partition(" ")
    if number.endswith(":"):
        number, rest = number[:-1], f": {rest}"
    if not NUMBER.fullmatch(number):
        return "Whom is it about? Say their number"
    head, colon, tail = rest.partition(":")
    return number.upper(), head.strip(), tail.strip() if colon else None

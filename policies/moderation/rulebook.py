"""The rules of a case that a mediator may try out, or set: values; `rules` says what breaks one (M7)."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Final

from policies.frozen import frozen


class Trial(StrEnum):
    """The rules that may be tried out: they keep order in a room whose readers have seen the post anyway.

    What keeps words from anybody is never among them.
    """

    LATE_EDIT = "late-edit"
    JOINT_FILE = "joint-file"


EDIT_MINUTES: Final = 15
EDIT_MINUTES_MOST: Final = 24 * 60


@frozen
class Rulebook:
    """For how long words in the joint room may be changed, and which rules only tell the desk what they would do."""

    edit_minutes: int = EDIT_MINUTES
    dry: tuple[Trial, ...] = ()

    @property
    def edit_window(self) -> timedelta:
        """So long words in the joint room may be changed: later, others have answered them."""
        return timedelta(minutes=self.edit_minutes)


IN_FORCE: Final = Rulebook()
"""Every rule counts."""

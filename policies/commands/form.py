"""The shape of a command: how it is said, and how words become it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from policies.frozen import frozen
from policies.words.phrase import Phrase, phrase, stored, together

C_co = TypeVar("C_co", covariant=True)


@frozen
class Misunderstood:
    """What is wrong with a line, and one that would work."""

    problem: str
    example: str

    def __str__(self) -> str:
        return f"{self.problem}. For example: {self.example}"


@frozen
class Form(Generic[C_co]):
    """One command as it is said and as `!help` shows it.

    `name` is what it begins with, without the `!`: one word or two. `read` makes the command of the words after that,
    or tells what is wrong with them.
    """

    name: str
    usage: str
    does: str
    """In the words of a party, a phrase, where `party` is set."""
    example: str
    read: Callable[[list[str]], C_co | str]
    lobby: bool = False
    """Whether it is said in the direct chat with the bot."""
    desk: bool = True
    """Whether it is said at a case's desk."""
    triage: bool = False
    """Whether it is said at the triage desk."""
    mediators: bool = False
    """Whether it is said at the desk of the mediators' room."""
    caucus: bool = False
    """Whether mediators say it in a private room, too; it is answered at the desk."""
    party: bool = False
    """Whether a party says it, in its own private room."""
    alone: str | None = None
    """A shorter name, when nothing else is said."""

    def understand(self, words: list[str]) -> C_co | Misunderstood:
        """The command that these words after its name make."""
        read = self.read(words)
        if not isinstance(read, str):
            return read
        return Misunderstood(
            phrase("{problem}. It goes: {usage}", problem=stored(read), usage=self.usage), self.example
        )

    @property
    def line(self) -> Phrase:
        """The command and what it does, in one line."""
        return together([self.usage, self.does], by=" – ")

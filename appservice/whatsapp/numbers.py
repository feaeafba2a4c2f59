"""Our own numbers, and the one conversation that each is for, given the person who writes (I2)."""

from __future__ import annotations

from collections.abc import Mapping

from policies.case import Case, Conversation, Kind, PersonId
from policies.frozen import frozen
from policies.networks.lines import Ours, conversation_of


@frozen
class Numbers:
    """The ids of our numbers. With two, each person knows two contacts: one is private, the other read by everyone.

    With one, everything from it is private.
    """

    private: str
    joint: str | None = None
    intake: str | None = None
    """One at which everybody is a stranger, whoever they are elsewhere."""

    def takes_strangers(self, number: str) -> bool:
        """Whether it is ours, so that whoever takes part in no case may be answered from it."""
        return number in {self.private, self.joint, self.intake} - {None}

    @property
    def by_setting(self) -> Mapping[str, str]:
        """Each of them, by what it is called in the configuration."""
        numbers = {"private_number": self.private, "joint_number": self.joint, "intake_number": self.intake}
        return {setting: number for setting, number in numbers.items() if number}

    @property
    def contacts(self) -> Mapping[str, str]:
        """What each of several is for, in a word; nothing where there is one."""
        return {self.private: "in private", self.joint: "in the joint room"} if self.joint else {}

    def of(self, conversation: Conversation) -> str:
        """From which number a conversation is sent."""
        return self.joint if self.joint and conversation.kind is Kind.JOINT else self.private

    def conversation(self, number: str, case: Case, person: PersonId) -> Conversation | None:
        """For which conversation something is that a person wrote to that number; None if that isn't certain."""
        if self.joint and number == self.joint:
            return conversation_of(case, person, Ours.JOINT)
        return conversation_of(case, person, Ours.PRIVATE) if number == self.private else None

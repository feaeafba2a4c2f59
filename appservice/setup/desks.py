"""The settings of what the organisation's mediators have by themselves: the triage desk and their own room."""

from pydantic import Field

from appservice.casefile import MatrixUser
from appservice.setup.values import Section


class Intake(Section):
    """The triage desk: who sees what strangers write (R13)."""

    enabled: bool = Field(default=True, description="whether there is a triage desk")
    mediators: tuple[MatrixUser, ...] = Field(
        default=(), description="Matrix user ids of who reads and answers there; without any, all mediators"
    )


class MediatorsRoom(Section):
    """The room of the organisation's mediators, which mediators who are not in Matrix may join (R13)."""

    enabled: bool = Field(default=True, description="whether there is a mediators' room")
    mediators: tuple[MatrixUser, ...] = Field(
        default=(), description="Matrix user ids of who is in it and looks after it; without any, all mediators"
    )

"""The JSON of the provisioning API, both ways."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class _Schema(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class CaseStatus(_Schema):
    """Where one case stands."""

    id: str = Field(description="the case's number")
    title: str = Field(description="what the mediators call it")
    phase: str = Field(description="intake, convened, in session, closed …")
    status: str = Field(description="what `!status` says in the desk")


class CaseList(_Schema):
    """All cases, oldest first."""

    cases: tuple[CaseStatus, ...]


class Command(_Schema):
    """One command, as a mediator would write it in the desk."""

    command: str = Field(min_length=2, max_length=4000, pattern="^!", description="like !status")


class CommandAnswer(_Schema):
    """What the desk answered."""

    answer: str


class WaitingVerification(_Schema):
    """A verification by emoji that waits to be compared with the person, side by side or by telephone."""

    code: str = Field(description="names it in the judgement")
    user: str
    emoji: tuple[str, ...] = Field(description="what the person's client must show, in this order")
    numbers: tuple[int, ...] = Field(description="the same, for clients without emoji")
    since: datetime


class Trust(_Schema):
    """Who the bot is to encryption, and what waits to be compared."""

    device_id: str
    device_key: str
    master_key: str
    waiting: tuple[WaitingVerification, ...]


class Judgement(_Schema):
    """What came of a comparison, over another channel than Matrix."""

    code: str = Field(min_length=1, max_length=64)
    same: bool = Field(description="whether the person's client shows the very same")


class FindingEntry(_Schema):
    """One setting, or part of the service, and what was seen of it."""

    setting: str
    verdict: str = Field(description="fine, advice, broken or unseen")
    seen: str
    remedy: str = Field(description="what to do; empty where nothing is wrong")


class FindingList(_Schema):
    """What is wrong, and what is not."""

    findings: tuple[FindingEntry, ...]


class MistakeEntry(_Schema):
    """One thing wrong with a request."""

    where: str = Field(description="its path in the request")
    what: str
    remedy: str


class ErrorBody(_Schema):
    """Why a request was not carried out."""

    errcode: str
    error: str
    mistakes: tuple[MistakeEntry, ...] = ()

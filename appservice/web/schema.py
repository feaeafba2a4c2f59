"""The JSON of the provisioning API, both ways."""

from pydantic import BaseModel, ConfigDict, Field


class _Schema(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


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


class FindingEntry(_Schema):
    """One setting, and what was seen of it."""

    setting: str
    verdict: str = Field(description="fine, advice, broken or unseen")
    seen: str
    remedy: str = Field(description="what to write where; empty where nothing is wrong")


class FindingList(_Schema):
    """What the homeserver lacks, and what it does not."""

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

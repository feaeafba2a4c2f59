"""A case as one file: what `mediatrix case create FILE.yaml` reads and `POST /v1/cases` takes as JSON (R7)."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from appservice.matrix.ids import UserId, is_user_id
from appservice.setup import yamlfile
from appservice.setup.mistakes import ConfigError, explain, mistaken
from policies.case import STAFF, Network, Role
from policies.commands.second import TWO_CHANNELS
from policies.moderation.mode import Mode
from policies.people.telephone import normalised

_EMAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{2,63}")
_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that no name needs: controls, bidi and other format characters, what is not assigned (I10)."""


def plain_line(text: str) -> str:
    """One line of text that looks like what it is. For validators."""
    trimmed = text.strip()
    if not trimmed:
        raise mistaken("empty", "write a few words")
    if any(unicodedata.category(character) in _UNSAFE for character in trimmed):
        raise mistaken("has invisible or control characters", "type it anew, on one line")
    return trimmed


def matrix_user(text: str) -> UserId:
    """A Matrix user id. For validators."""
    if not is_user_id(text):
        raise mistaken("not a Matrix user id", 'write it like "@alice:example.org"')
    return UserId(text)


def email_address(text: str) -> str:
    """A bare email address. For validators."""
    if len(text) > 254 or _EMAIL.fullmatch(text) is None:
        raise mistaken("not an email address", "write it bare, like carl@example.org")
    return text


def telephone(text: str) -> str:
    """A telephone number with its country. For validators."""
    number = normalised(text)
    if number is None:
        raise mistaken("not a telephone number with its country", 'write it in quotes, like "+34600123456"')
    return number


def _side_role(role: Role) -> Role:
    if role in STAFF:
        raise mistaken("mediators are on no side", "list them under `mediators`")
    if role is Role.COLLEAGUE:
        raise mistaken("colleagues are in the mediators' room, and in no case", "add them at the desk of that room")
    return role


PlainLine = Annotated[str, AfterValidator(plain_line)]
MatrixUser = Annotated[UserId, AfterValidator(matrix_user)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class ConsentEntry(_Strict):
    """A recorded consent, as the mediator has it on paper (B2)."""

    content_by_mail: bool | None = Field(default=None, description="whether the words themselves may be sent by mail")
    content_by_whatsapp: bool | None = Field(
        default=None, description="whether they may be sent by WhatsApp, where Meta can read them"
    )
    recorded_by: PlainLine = Field(max_length=200, description="who took the consent down")
    on: date = Field(description="the day it was given, like 2026-11-22")
    wording: str = Field(min_length=1, max_length=4000, description="the words that were agreed to")


class AcceptanceEntry(_Strict):
    """That the agreement to mediate was accepted, as the mediator has it on paper (M2)."""

    recorded_by: PlainLine = Field(max_length=200, description="who took it down")
    on: date = Field(description="the day it was accepted, like 2026-11-22")
    wording: str = Field(min_length=1, max_length=4000, description="how it was accepted, and which text")


class ChannelEntry(_Strict):
    """One channel of somebody, with what was agreed to on paper for that channel."""

    matrix: MatrixUser | None = Field(default=None, description='a Matrix user id, like "@alice:example.org"')
    email: Annotated[str, AfterValidator(email_address)] | None = Field(
        default=None, description="an email address, like carl@example.org"
    )
    whatsapp: Annotated[str, AfterValidator(telephone)] | None = Field(
        default=None, description='a number on WhatsApp with its country, like "+34600123456"'
    )
    consent: ConsentEntry | None = Field(default=None, description="the consent to have content sent by that channel")
    accepted: AcceptanceEntry | None = Field(
        default=None, description="that the agreement to mediate was accepted on paper; else they are asked"
    )

    @model_validator(mode="after")
    def _one_channel(self) -> Self:
        if sum(channel is not None for channel in (self.matrix, self.email, self.whatsapp)) != 1:
            raise mistaken("needs one channel", "give one of `matrix`, `email` and `whatsapp`")
        return self

    @model_validator(mode="after")
    def _of_that_channel(self) -> Self:
        """Who agreed to mail has not agreed to WhatsApp, and to Matrix nobody need agree."""
        if self.consent and self.matrix:
            remedy = "leave it out: it is for mail and WhatsApp, and in Matrix words are encrypted from end to end"
            raise mistaken("has nothing to be about", remedy, at="consent")
        for channel, setting in (("email", "content_by_mail"), ("whatsapp", "content_by_whatsapp")):
            said = self.consent and getattr(self.consent, setting)
            if self.consent and getattr(self, channel) and said is None:
                raise mistaken("does not say to what", f"write `{setting}: true`, or false", at="consent")
        return self

    @property
    def network(self) -> Network:
        """Over which it goes."""
        return Network.MATRIX if self.matrix else Network.EMAIL if self.email else Network.WHATSAPP

    @property
    def address(self) -> str:
        """The channel's address, whichever it is."""
        return self.matrix or self.email or self.whatsapp or ""

    @property
    def agreed(self) -> ConsentEntry | None:
        """The consent to have content sent by that channel, if it was given."""
        given = self.consent and (self.consent.content_by_mail if self.email else self.consent.content_by_whatsapp)
        return self.consent if given else None


class PersonEntry(ChannelEntry):
    """Somebody on a side, with one channel, or with two of different networks."""

    name: PlainLine = Field(max_length=80, description="the name that others in the case will see")
    role: Annotated[Role, AfterValidator(_side_role)] = Field(
        default=Role.PARTY, description="party, counsel, supporter, interpreter, expert or observer"
    )
    discreet: bool = Field(
        default=False, description="whether nothing that is sent to them may tell anything, from the first letter on"
    )
    also: ChannelEntry | None = Field(
        default=None, description="a second channel of theirs, over another network; what it needs, it needs by itself"
    )

    @model_validator(mode="after")
    def _not_in_matrix(self) -> Self:
        if self.discreet and self.matrix:
            remedy = "leave it out: what a locked screen shows is set in the Matrix app"
            raise mistaken("is for mail and WhatsApp", remedy, at="discreet")
        return self

    @model_validator(mode="after")
    def _over_another_network(self) -> Self:
        if self.also and self.also.network is self.network:
            raise mistaken("goes over the same network", "give one over another, or leave it out", at="also")
        if self.also and self.role not in TWO_CHANNELS:
            remedy = f"leave it out: it is for {', '.join(sorted(TWO_CHANNELS))}"
            raise mistaken(f"is nothing for {self.role}", remedy, at="also")
        return self

    @property
    def addresses(self) -> tuple[str, ...]:
        """Of all channels."""
        return (self.address, *([self.also.address] if self.also else []))


class SideEntry(_Strict):
    """One side of the dispute."""

    name: PlainLine = Field(max_length=80, description="what the mediators call this side")
    people: tuple[PersonEntry, ...] = Field(min_length=1, max_length=50, description="the people on this side")


class CaseFile(_Strict):
    """Everything that opens a case in one step."""

    title: PlainLine = Field(max_length=200, description="what the mediators call the case; parties never see it")
    mediators: tuple[MatrixUser, ...] = Field(min_length=1, max_length=20, description="Matrix user ids")
    open: bool = Field(default=False, description="whether the joint session begins at once")
    mode: Mode = Field(default=Mode.RELEASED, description="who writes in the joint room: " + ", ".join(Mode))
    sides: tuple[SideEntry, ...] = Field(default=(), max_length=20, description="the sides and their people")

    @model_validator(mode="after")
    def _nobody_twice(self) -> Self:
        people = [person for side in self.sides for person in side.people]
        _refuse_repeats("two people have the same name", "tell them apart", (p.name for p in people))
        _refuse_repeats("two sides have the same name", "tell them apart", (s.name for s in self.sides))
        # One person or counsel on two sides would be one reader of both caucuses (R11).
        addresses = [*self.mediators, *(address for person in people for address in person.addresses)]
        _refuse_repeats("an address is given twice", "each person needs an address that nobody else reads", addresses)
        return self


def load(file: Path) -> CaseFile:
    """Read a case file. Raises ConfigError with every mistake."""
    return parse(yamlfile.read(file), file.name)


def parse(raw: Mapping[str, Any], source: str) -> CaseFile:
    """Check a case that was read already. Raises ConfigError with every mistake."""
    try:
        return CaseFile.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(source, explain(error, CaseFile)) from None


def _refuse_repeats(what: str, remedy: str, values: Iterable[str]) -> None:
    if any(count > 1 for count in Counter(value.casefold() for value in values).values()):
        raise mistaken(what, remedy)

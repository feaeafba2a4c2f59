"""The settings of the networks outside Matrix: email and WhatsApp."""

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from appservice.setup.mistakes import mistaken
from appservice.setup.values import Domain, MailAddress, Network, Port, PublicUrl, Secret, Section, Token, is_loopback

DEFAULT_LMTP_PORT: Final = 29341
_NUMBER_ID: Final = r"^[0-9]{5,20}$"


class Tls(StrEnum):
    """How a connection to a mail server is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


class Lmtp(Section):
    """Where our mail server hands us mail."""

    host: str = Field(default="127.0.0.1", min_length=1, description="the address to listen on")
    port: Port = Field(default=DEFAULT_LMTP_PORT, description="the port to listen on, 1 to 65535")
    servers: tuple[Network, ...] = Field(
        default=(), description="who may hand us mail, besides this machine: addresses or networks"
    )

    @model_validator(mode="after")
    def _strangers_hand_us_nothing(self) -> Self:
        if not is_loopback(self.host) and not self.servers:
            raise mistaken(
                "whoever hands us mail is believed, and no mail server elsewhere is named",
                "name yours in servers, like [192.0.2.25], or listen on 127.0.0.1",
            )
        return self


class Imap(Section):
    """The mailbox that mail is fetched from, where our mail server can't hand it to us."""

    host: str = Field(min_length=1, description="the IMAP server")
    port: Port = Field(default=993, description="its port, 1 to 65535")
    tls: Tls = Field(default=Tls.IMPLICIT, description="none, starttls or implicit")
    username: str = Field(min_length=1, description="the user name of the mailbox")
    password: Secret = Field(description="its password, as {file: PATH} or {env: NAME}")
    folder: str = Field(default="INBOX", min_length=1, description="the folder; it must be ours alone")
    recipient_field: str = Field(
        default="Delivered-To",
        pattern=r"^[A-Za-z][A-Za-z0-9-]*$",
        description="the field in which the server that delivers writes down for whom a mail is",
    )
    every_seconds: int = Field(default=60, ge=5, le=3600, description="seconds between two looks")

    @model_validator(mode="after")
    def _no_password_in_clear(self) -> Self:
        if self.tls is Tls.NONE and not is_loopback(self.host):
            raise mistaken("the password would travel in clear", "set tls to implicit or starttls")
        return self


class Smtp(Section):
    """The mail server that sends for us."""

    host: str = Field(default="127.0.0.1", min_length=1, description="the mail server")
    port: Port = Field(default=25, description="its port, 1 to 65535")
    tls: Tls = Field(default=Tls.NONE, description="none, starttls or implicit")
    username: str | None = Field(default=None, description="a user name, where the server wants one")
    password: Secret | None = Field(default=None, description="its password, as {file: PATH} or {env: NAME}")

    @model_validator(mode="after")
    def _nothing_leaves_in_clear(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise mistaken("username and password go together", "give both or neither")
        if self.tls is Tls.NONE and not is_loopback(self.host):
            what = "mail" if self.password is None else "the password"
            raise mistaken(f"{what} would travel in clear", "set tls to starttls or implicit")
        return self


class AfterClosing(Section):
    """How long mail is dealt with after a case was closed."""

    addresses_days: int = Field(
        default=14, ge=0, le=3650, description="days until the reply addresses of a closed case are refused, 0 to 3650"
    )
    mails_days: int = Field(
        default=90, ge=0, le=3650, description="days until its mails are destroyed, as they came, 0 to 3650"
    )


class Email(Section):
    """The email bridge."""

    enabled: bool = Field(default=True, description="whether there is an email bridge")
    reply_domain: Domain = Field(description="the domain of reply addresses")
    authserv_id: str = Field(
        min_length=1, pattern=r"^[A-Za-z0-9.-]+$", description="the name our mail server signs its checks with"
    )
    accept_spf: bool = Field(default=False, description="whether SPF is proof where a domain signs nothing")
    arc_sealers: tuple[Domain, ...] = Field(
        default=(), description="domains of forwarders whose word on what they verified counts (ARC)"
    )
    joint_delay_seconds: int = Field(
        default=15, ge=0, le=120, description="seconds a mail to all waits, should it come to another address, too"
    )
    intake_address: MailAddress | None = Field(
        default=None, description="where anybody may write; what comes goes to the triage desk"
    )
    lmtp: Lmtp = Field(default=Lmtp(), description="where mail comes in")
    imap: Imap | None = Field(default=None, description="the mailbox it is fetched from, instead of lmtp")
    smtp: Smtp = Field(default=Smtp(), description="where mail goes out")
    after_closing: AfterClosing = Field(
        default=AfterClosing(), description="how long mail is dealt with after a case was closed"
    )

    @model_validator(mode="after")
    def _mail_comes_one_way(self) -> Self:
        if self.imap and "lmtp" in self.model_fields_set:
            raise mistaken("lmtp and imap are both given", "keep one: lmtp where your mail server can hand us mail")
        if self.imap and self.intake_address:
            remedy = "use lmtp, or leave intake_address out"
            raise mistaken("mail of strangers comes by lmtp alone", remedy, at="intake_address")
        return self


class WhatsAppTemplate(Section):
    """The approved message that asks somebody to write, so that they can be written to."""

    name: str = Field(pattern=r"^[a-z0-9_]{1,512}$", description="its name at Meta")
    language: str = Field(
        default="en", pattern=r"^[a-z]{2,3}(_[A-Z]{2})?$", description="its language, like en or en_GB"
    )
    also: tuple[Annotated[str, Field(pattern=r"^[a-z]{2,3}(_[A-Z]{2})?$")], ...] = Field(
        default=(), description="other languages in which it is approved, for those who are written to in them"
    )


class WhatsAppNotices(Section):
    """The approved messages by which mediators are told that something waits at a desk."""

    notice: WhatsAppTemplate = Field(description="that something waits; without variables")
    code: WhatsAppTemplate = Field(description="the code that shows whose number it is; category authentication")


class WhatsApp(Section):
    """The WhatsApp bridge, on the Cloud API."""

    enabled: bool = Field(default=True, description="whether there is a WhatsApp bridge")
    private_number: Annotated[str, Field(pattern=_NUMBER_ID)] = Field(
        description="Meta's id of our number for private rooms (phone number id), in quotes"
    )
    joint_number: Annotated[str, Field(pattern=_NUMBER_ID)] | None = Field(
        default=None,
        description="Meta's id of our number for joint rooms; without it, what parties write is private",
    )
    intake_number: Annotated[str, Field(pattern=_NUMBER_ID)] | None = Field(
        default=None,
        description="Meta's id of a number at which whoever writes is a stranger, even a party; it belongs to no case",
    )
    template: WhatsAppTemplate = Field(description="the message that asks somebody to write")
    discreet_template: WhatsAppTemplate | None = Field(
        default=None, description="the same for those to whom nothing may be sent that tells anything"
    )
    notices: WhatsAppNotices | None = Field(
        default=None, description="by which mediators are told of their desks; without it, they are not by WhatsApp"
    )
    app_secret: Secret = Field(description="the app's secret, which signs webhooks, as {file: PATH} or {env: NAME}")
    verify_token: Token = Field(description="the token of the webhook's subscription")
    access_token: Secret = Field(description="the system user's token, which opens the Cloud API")
    graph_base_url: PublicUrl = Field(default="https://graph.facebook.com", description="the URL of the Cloud API")
    graph_version: str = Field(default="v26.0", pattern=r"^v[0-9]{1,3}\.[0-9]$", description="its version")

    @model_validator(mode="after")
    def _two_numbers(self) -> Self:
        if self.private_number == self.joint_number:
            remedy = "give the id of another number, or leave joint_number out"
            raise mistaken("the same number for private and joint rooms", remedy, at="joint_number")
        if self.intake_number in {self.private_number, self.joint_number} - {None}:
            remedy = "give the id of another number, or leave intake_number out: strangers may write to the others, too"
            raise mistaken("the same number for strangers and for cases", remedy, at="intake_number")
        return self

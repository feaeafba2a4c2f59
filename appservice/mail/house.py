"""All that mail needs, where there is any: made from the configuration."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from appservice.codec import JsonCodec
from appservice.documents.handout import Enclosures
from appservice.mail.courier import Discreetly, MailCourier, Sender
from appservice.mail.heads import HeadsMail
from appservice.mail.notices import NoticeMail
from appservice.mail.plain import PlainMails
from appservice.mail.reader import MailReader
from appservice.mail.strangers import StrangerMailReader, StrangersMail
from appservice.setup.channels import Email, Imap, Tls
from appservice.setup.config import Config
from appservice.storage.database import SqlDatabase
from appservice.storage.mail_inbox import MailInbox
from bridges.email.api import MailServer, Security
from bridges.email.proof import Trust
from bridges.email.rate import RateCap
from bridges.email.reception import Reception
from bridges.email.server import LmtpServer
from policies.frozen import frozen
from rooms.house import House

if TYPE_CHECKING:
    from bridges.email.mailbox import Fetcher

_SECURITY = {Tls.NONE: Security.NONE, Tls.STARTTLS: Security.STARTTLS, Tls.IMPLICIT: Security.IMPLICIT}


@frozen
class MailHouse:
    """The ways of mail in and out."""

    server: MailServer
    """The one that takes our mails."""
    arrival: LmtpServer | Fetcher
    """Where mails come from: a server of ours, or a mailbox."""
    reader: MailReader
    courier: MailCourier
    heads: HeadsMail
    notices: NoticeMail
    strangers: StrangersMail | None
    """Who writes to strangers, where they have an address."""
    strangers_in: StrangerMailReader | None


def mail_house(
    config: Config, database: SqlDatabase, codec: JsonCodec, house: House, enclosures: Enclosures | None = None
) -> MailHouse | None:
    """As configured; None where nobody takes part by mail. Touches neither disk nor network."""
    email = config.email
    if email is None:
        return None
    organisation, server = config.organisation, _server(email)
    base, shown = config.appservice.public_base_url, organisation.discreet
    discreet = Discreetly(shown.name, shown.subject, shown.address, shown.base_url)
    sender = Sender(organisation.name, organisation.telephone, email.reply_domain, base, discreet)
    trust = Trust(email.authserv_id, email.reply_domain, email.accept_spf, frozenset(email.arc_sealers))
    plain = PlainMails(database, server, sender)
    arrival = _arrival(email, database, trust)
    return MailHouse(
        server=server,
        arrival=arrival,
        reader=MailReader(
            database,
            codec,
            house,
            trust,
            settle=_settle(email),
            fetched_every=timedelta(seconds=email.imap.every_seconds) if email.imap else None,
        ),
        courier=MailCourier(database, server, sender, enclosures),
        heads=HeadsMail(plain, config.record.heads_to),
        notices=NoticeMail(plain),
        strangers=_strangers(email, PlainMails(database, server, sender, email.intake_address), organisation.name),
        strangers_in=_strangers_in(email, database, codec, house, trust),
    )


def _strangers(email: Email, mails: PlainMails, organisation: str) -> StrangersMail | None:
    return StrangersMail(mails, organisation) if email.intake_address else None


def _strangers_in(
    email: Email, database: SqlDatabase, codec: JsonCodec, house: House, trust: Trust
) -> StrangerMailReader | None:
    address = email.intake_address
    return StrangerMailReader(database, codec, house, trust, address) if address else None


def _server(email: Email) -> MailServer:
    smtp = email.smtp
    password = smtp.password.get_secret_value() if smtp.password else None
    return MailServer(smtp.host, smtp.port, _SECURITY[smtp.tls], smtp.username, password)


def _settle(email: Email) -> timedelta:
    """How long a mail to all waits. What is fetched may come a round apart, though it was sent at once."""
    return timedelta(seconds=email.joint_delay_seconds + (email.imap.every_seconds if email.imap else 0))


def _arrival(email: Email, database: SqlDatabase, trust: Trust) -> LmtpServer | Fetcher:
    takes_strangers = email.intake_address is not None
    inbox = MailInbox(database, trust, takes_strangers=takes_strangers, shares=database.is_shared)
    reception = Reception(inbox, RateCap(time.monotonic))
    if email.imap is None:
        lmtp = email.lmtp
        return LmtpServer(
            reception,
            email.reply_domain,
            host=lmtp.host,
            port=lmtp.port,
            servers=lmtp.servers,
            intake=email.intake_address,
        )
    return _fetcher(email.imap, email.reply_domain, database, reception)


def _fetcher(imap: Imap, reply_domain: str, database: SqlDatabase, reception: Reception) -> Fetcher:
    # Loaded where it is wanted only: 1 MB.
    from bridges.email.mailbox import Account, Fetcher, ImapMailbox

    account = Account(
        imap.host,
        imap.port,
        _SECURITY[imap.tls],
        imap.username,
        imap.password.get_secret_value(),
        imap.folder,
        imap.recipient_field,
    )
    return Fetcher(
        reception,
        reply_domain,
        lambda: ImapMailbox(account),
        every=timedelta(seconds=imap.every_seconds),
        on_duty=lambda: database.duty.is_ours,
        looked=_looked(database),
    )


def _looked(database: SqlDatabase) -> Callable[[datetime], Awaitable[None]]:
    """Writes down when the mailbox was looked at, for all processes."""

    async def note(at: datetime) -> None:
        async with database.begin() as work:
            await work.mails.note_look(at)

    return note

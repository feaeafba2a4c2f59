"""The wiring: what the service is made of meets here, and nowhere else."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta

from aiohttp import web

from appservice.backups.aftermath import Aftermath
from appservice.backups.settling import Settling
from appservice.building import Builder, Namespace
from appservice.clock import TimeReader
from appservice.codec import JsonCodec
from appservice.crypto.outbound import Rotation
from appservice.crypto.sealing import Sealer
from appservice.documents.house import DocumentHouse, document_house
from appservice.documents.pipeline.pages import Pages
from appservice.documents.reader import FilingReader
from appservice.e2ee.encryption import Encryption, Us
from appservice.e2ee.replaced import ReplacedReader
from appservice.e2ee.seeking import Seeker
from appservice.e2ee.sweeping import Sweeper
from appservice.e2ee.trust import Verifications
from appservice.e2ee.unsigned import UnsignedReader
from appservice.inbox import InboxWork, Readers
from appservice.mail.courier import MailCourier, Sender
from appservice.mail.heads import HeadsMail
from appservice.mail.reader import MailReader
from appservice.mail.reports import ReportReader
from appservice.matrix.homeserver import Homeserver
from appservice.metrics import ServiceMetrics
from appservice.portal.page import ServicePortal
from appservice.portal.papers import ServicePapers
from appservice.portal.reader import PortalReader
from appservice.provisioning import CommandReader, InboxProvisioning, InboxTrust, mediator_name
from appservice.reading import EventReader
from appservice.sending import OutboxWork
from appservice.service import Condition, Gate, Parts, Service
from appservice.setup import probe
from appservice.setup.channels import Email, Tls, WhatsApp
from appservice.setup.config import Config
from appservice.setup.probe import ProbeEcho, probe_user
from appservice.storage.database import SqlDatabase
from appservice.storage.mail_inbox import MailInbox
from appservice.storage.receiving import TransactionInbox
from appservice.upkeep.housekeeping import Housekeeping
from appservice.upkeep.reach import Reach
from appservice.upkeep.rounds import Rounds
from appservice.upkeep.status import Status
from appservice.web.proxies import TrustedProxies
from appservice.web.server import WebPorts, WebServer, WebSettings, application
from appservice.web.whatsapp import WebhookSecrets, WhatsAppApi
from appservice.whatsapp.courier import Template, WhatsAppCourier
from appservice.whatsapp.numbers import Numbers
from appservice.whatsapp.reader import WebhookReader
from appservice.whatsapp.rendering import Voice
from appservice.whatsapp.statuses import StatusReader
from appservice.whatsapp.webhooks import WebhookInbox, WebhookWork
from appservice.worker import SENDING_MOST, Worker
from bridges.email.api import MailServer, Security
from bridges.email.mailbox import Account, Fetcher, ImapMailbox
from bridges.email.proof import Trust
from bridges.email.rate import RateCap
from bridges.email.reception import Reception
from bridges.email.server import LmtpServer
from bridges.portal import views as portal
from bridges.portal.document_pages import SHOWN_MOST, SHOWN_WINDOW, DocumentPages
from bridges.portal.server import PAGE_TRIES, PAGE_WINDOW, PortalPages
from bridges.whatsapp.api import CloudApi, Graph
from bridges.whatsapp.pace import Pace
from policies.case import Network
from rooms.carriers import Courier
from rooms.deliver import Deliverer
from rooms.documents import DocumentWork
from rooms.house import House

_SECURITY = {Tls.NONE: Security.NONE, Tls.STARTTLS: Security.STARTTLS, Tls.IMPLICIT: Security.IMPLICIT}


def wire(config: Config) -> Service:
    """The service of that configuration. Touches neither disk nor network."""
    bot, codec = config.bot_user, JsonCodec()
    sealer = Sealer(config.secrets.masters)
    database = SqlDatabase(config.database.url.get_secret_value(), sealer)
    matrix = Homeserver(config.homeserver.url, config.appservice.registration.as_token.get_secret_value())
    house = _house(config)
    ours = Namespace(config.appservice.user_prefix, config.homeserver.server_name)
    rotation = Rotation(config.rooms.rotation_hours * 3_600_000, config.rooms.rotation_messages)
    verifications = Verifications(sealer, codec, bot, config.mediators)
    encryption = Encryption(database, matrix, sealer, Us(bot, ours.has, rotation, verifications))
    builder = Builder(database, matrix, bot, ours, rotation=rotation, make_ghost=encryption.ensure_identity)
    arrivals = TransactionInbox(database, on_device_lists=encryption.devices_wanted.set)
    sweeper = Sweeper(database, matrix, arrivals, bot)
    readers = Readers(
        events=EventReader(encryption, verifications, codec, house, bot, is_ours=ours.has),
        encryption=encryption,
        verifications=verifications,
        commands=CommandReader(codec, house),
        clock=TimeReader(codec, house, verifications),
        unsigned=UnsignedReader(codec, house),
        replaced=ReplacedReader(codec, house),
        mails=_mails(config.email, database, codec, house),
        reports=ReportReader(database, codec, house),
        portal=PortalReader(codec, house),
        webhooks=_webhooks(config.whatsapp, codec, house),
        filings=FilingReader(codec, house),
    )
    inbox = InboxWork(database, readers, Seeker(encryption, sweeper, bot), codec, house)
    cloud = _cloud(config.whatsapp) if config.whatsapp else None
    couriers = _couriers(config, database, codec, house, cloud)
    documents = document_house(config, database, matrix)
    files = DocumentWork(database, builder, documents.intake) if documents else None
    contacts = _numbers(config.whatsapp).contacts if config.whatsapp else {}
    heads = _heads(config, database)
    deliverer = Deliverer(database, builder, encryption, couriers, files, heads=heads, contacts=contacts)
    aftermath = Aftermath(deliverer, database, matrix, files, bot=bot, is_ours=ours.has)
    outbox = OutboxWork(database, aftermath, codec, house)
    gate, condition, mail_in = Gate(arrivals), Condition(database), _mail_in(config.email, database)
    mail_server = _mail_server(config.email) if config.email else None
    reach = Reach(
        database,
        matrix,
        bot,
        config.appservice.registration.id,
        mail_server=mail_server,
        mail_in=mail_in,
        scanner=documents.scanner if documents else None,
    )
    metrics = ServiceMetrics(database, reach)
    database.on_decisions(metrics.decided)
    echo = ProbeEcho(gate, probe_user(config), database)
    ports = WebPorts(
        transactions=echo,
        check=lambda: probe.check(config, echo),
        status=Status(database, condition, reach),
        readiness=condition,
        metrics=metrics,
        provisioning=InboxProvisioning(database),
        trust=InboxTrust(database, verifications),
        pages=[*_pages(config, database, documents), *_hooks(config.whatsapp, database, gate)],
    )
    parts = Parts(
        database=database,
        matrix=matrix,
        encryption=encryption,
        arrivals=arrivals,
        gate=gate,
        unsent=inbox.unsent,
        inbox=Worker(
            "inbox",
            database,
            lambda work: work.inbox,
            inbox.one,
            inbox.after,
            quick=inbox.quick,
            is_repeatable=True,
        ),
        outbox=Worker(
            "outbox",
            database,
            lambda work: work.outbox,
            outbox.one,
            outbox.after,
            quick=outbox.quick,
            tasks=8,
            at_most=SENDING_MOST,
        ),
        rounds=Rounds(database, codec, house),
        sweeper=sweeper,
        housekeeping=Housekeeping(database, database.duty, sweeper, documents.vault if documents else None),
        aftermath=aftermath,
        settling=Settling(database, matrix, encryption, bot),
        codec=codec,
        house=house,
        condition=condition,
        reach=reach,
        web=_web(config, ports),
        mail_in=mail_in,
        cloud=cloud,
        documents=documents,
    )
    return Service(config, parts)


def _house(config: Config) -> House:
    return House(
        server_name=config.homeserver.server_name,
        own_prefix=config.appservice.user_prefix,
        reply_domain=config.email.reply_domain if config.email else None,
        mediators={user: mediator_name(user) for user in config.mediators},
        agreement=config.agreement.first_version if config.agreement else None,
        whatsapp=config.whatsapp is not None,
        one_number=config.whatsapp is not None and config.whatsapp.joint_number is None,
        documents=config.documents is not None,
        heads_to=config.record.heads_to,
        zone=config.organisation.time_zone,
        rules=config.rules.rulebook,
        deletes_media=config.documents is not None and config.documents.media_admin_token is not None,
    )


def _web(config: Config, ports: WebPorts) -> WebServer:
    settings = WebSettings(
        hs_token=config.appservice.registration.hs_token.get_secret_value(),
        provisioning_token=config.secrets.provisioning_token.get_secret_value(),
        public_base_url=config.appservice.public_base_url,
        proxies=TrustedProxies(config.appservice.trusted_proxies),
    )
    listen = config.appservice.listen
    return WebServer(application(settings, ports), listen.host, listen.port)


def _pages(config: Config, database: SqlDatabase, documents: DocumentHouse | None) -> list[web.RouteDef]:
    """The page behind the links, where anybody takes part by mail."""
    if config.email is None:
        return []
    house = portal.House(config.organisation.name, config.organisation.telephone)
    tries = RateCap(time.monotonic, limit=PAGE_TRIES, window=PAGE_WINDOW)
    secure = config.appservice.public_base_url.startswith("https:")
    page = ServicePortal(database, JsonCodec(), documents=documents is not None)
    caller = TrustedProxies(config.appservice.trusted_proxies).caller
    pages = PortalPages(page, house, caller, tries, is_secure=secure).routes()
    if documents is None:
        return pages
    papers = ServicePapers(
        database,
        JsonCodec(),
        _house(config),
        documents.vault,
        intake=documents.intake,
        renderer=Pages(documents.workshop),
    )
    shown = RateCap(time.monotonic, limit=SHOWN_MOST, window=SHOWN_WINDOW)
    return [*DocumentPages(papers, house, shown, most_bytes=documents.most_bytes).routes(), *pages]


def _mails(email: Email | None, database: SqlDatabase, codec: JsonCodec, house: House) -> MailReader | None:
    if email is None:
        return None
    # What is fetched may come a round apart, though it was sent at once.
    apart = email.imap.every_seconds if email.imap else 0
    settle = timedelta(seconds=email.joint_delay_seconds + apart)
    return MailReader(database, codec, house, _trust(email), settle=settle)


def _mail_in(email: Email | None, database: SqlDatabase) -> LmtpServer | Fetcher | None:
    if email is None:
        return None
    reception = Reception(MailInbox(database, _trust(email)), RateCap(time.monotonic))
    if email.imap is None:
        lmtp = email.lmtp
        return LmtpServer(reception, email.reply_domain, host=lmtp.host, port=lmtp.port, servers=lmtp.servers)
    imap = email.imap
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
        email.reply_domain,
        lambda: ImapMailbox(account),
        every=timedelta(seconds=imap.every_seconds),
        on_duty=lambda: database.duty.is_ours,
    )


def _sender(config: Config, email: Email) -> Sender:
    organisation = config.organisation
    return Sender(organisation.name, organisation.telephone, email.reply_domain, config.appservice.public_base_url)


def _heads(config: Config, database: SqlDatabase) -> HeadsMail | None:
    if config.email is None:
        return None
    sender = _sender(config, config.email)
    return HeadsMail(database, _mail_server(config.email), sender, config.record.heads_to)


def _trust(email: Email) -> Trust:
    return Trust(email.authserv_id, email.reply_domain, email.accept_spf, frozenset(email.arc_sealers))


def _couriers(
    config: Config, database: SqlDatabase, codec: JsonCodec, house: House, cloud: CloudApi | None
) -> Mapping[Network, Courier]:
    couriers: dict[Network, Courier] = {}
    if config.email:
        couriers[Network.EMAIL] = MailCourier(database, _mail_server(config.email), _sender(config, config.email))
    if config.whatsapp and cloud:
        template, organisation = config.whatsapp.template, config.organisation
        voice = Voice(organisation.name, organisation.telephone, one_number=config.whatsapp.joint_number is None)
        couriers[Network.WHATSAPP] = WhatsAppCourier(
            database,
            cloud,
            _numbers(config.whatsapp),
            codec,
            house,
            template=Template(template.name, template.language),
            voice=voice,
            pace=Pace(time.monotonic),
        )
    return couriers


def _cloud(whatsapp: WhatsApp) -> CloudApi:
    token = whatsapp.access_token.get_secret_value()
    return CloudApi(Graph(whatsapp.graph_base_url, token, whatsapp.graph_version))


def _webhooks(whatsapp: WhatsApp | None, codec: JsonCodec, house: House) -> WebhookWork | None:
    if whatsapp is None:
        return None
    return WebhookWork(WebhookReader(codec, house, _numbers(whatsapp)), StatusReader(codec, house))


def _numbers(whatsapp: WhatsApp) -> Numbers:
    return Numbers(whatsapp.private_number, whatsapp.joint_number)


def _hooks(whatsapp: WhatsApp | None, database: SqlDatabase, gate: Gate) -> list[web.RouteDef]:
    if whatsapp is None:
        return []
    secrets = WebhookSecrets(
        app_secret=whatsapp.app_secret.get_secret_value(), verify_token=whatsapp.verify_token.get_secret_value()
    )
    return WhatsAppApi(secrets, WebhookInbox(database, gate.passed)).routes()


def _mail_server(email: Email) -> MailServer:
    smtp = email.smtp
    password = smtp.password.get_secret_value() if smtp.password else None
    return MailServer(smtp.host, smtp.port, _SECURITY[smtp.tls], smtp.username, password)

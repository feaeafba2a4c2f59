"""The wiring: what the service is made of meets here, and nowhere else."""

from __future__ import annotations

from datetime import timedelta

from appservice.backups.aftermath import Aftermath
from appservice.backups.settling import Settling
from appservice.building import Builder, Namespace
from appservice.clock import TimeReader
from appservice.codec import JsonCodec
from appservice.crypto.outbound import Rotation
from appservice.crypto.sealing import Sealer
from appservice.documents.handout import Enclosures
from appservice.documents.house import document_house
from appservice.documents.reader import FilingReader
from appservice.e2ee.encryption import Encryption, Us
from appservice.e2ee.replaced import ReplacedReader
from appservice.e2ee.seeking import Seeker
from appservice.e2ee.sweeping import Sweeper
from appservice.e2ee.trust import Verifications
from appservice.e2ee.unsigned import UnsignedReader
from appservice.inbox import InboxWork, Readers
from appservice.mail.house import mail_house
from appservice.mail.reports import ReportReader
from appservice.matrix.homeserver import Homeserver
from appservice.metrics import ServiceMetrics
from appservice.portal.house import discreet_page_of, page_of, portal_routes
from appservice.portal.reader import PortalReader
from appservice.provisioning import CommandReader, InboxProvisioning, InboxTrust, mediator_name
from appservice.reading import EventReader
from appservice.reported import EventReportReader, ReportsIn
from appservice.sending import OutboxWork
from appservice.service import Condition, Gate, Parts, Service
from appservice.setup import probe
from appservice.setup.channels import AfterClosing
from appservice.setup.config import Config
from appservice.setup.probe import ProbeEcho, probe_user
from appservice.storage.database import SqlDatabase
from appservice.storage.receiving import TransactionInbox
from appservice.upkeep.housekeeping import Housekeeping
from appservice.upkeep.reach import Reach
from appservice.upkeep.rounds import Rounds
from appservice.upkeep.status import Status
from appservice.web.proxies import TrustedProxies
from appservice.web.server import WebPorts, WebServer, WebSettings, application
from appservice.whatsapp.house import webhook_routes, whatsapp_courier, whatsapp_house
from appservice.worker import SENDING_MOST, Worker
from policies.case import Network
from policies.moderation.closing import Terms
from rooms.carriers import Courier, NoticeCourier, StrangerCourier
from rooms.deliver import Deliverer
from rooms.documents import DocumentWork
from rooms.house import House
from rooms.reports import Reports
from rooms.triage import StrangerWork


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
    whatsapp = whatsapp_house(config, database, codec, house)
    documents = document_house(config, database, matrix, whatsapp.files if whatsapp else None)
    enclosures = Enclosures(documents.handouts, codec, house) if documents else None
    mail = mail_house(config, database, codec, house, enclosures)
    readers = Readers(
        events=EventReader(encryption, verifications, codec, house, bot, is_ours=ours.has),
        encryption=encryption,
        verifications=verifications,
        commands=CommandReader(codec, house),
        clock=TimeReader(codec, house, verifications),
        unsigned=UnsignedReader(codec, house),
        replaced=ReplacedReader(codec, house),
        mails=mail.reader if mail else None,
        strangers=mail.strangers_in if mail else None,
        reports=ReportReader(database, codec, house),
        portal=PortalReader(codec, house),
        webhooks=whatsapp.webhooks if whatsapp else None,
        filings=FilingReader(codec, house),
        event_reports=EventReportReader(codec, house),
    )
    inbox = InboxWork(database, readers, Seeker(encryption, sweeper, bot), codec, house)
    couriers: dict[Network, Courier] = {}
    strangers: dict[Network, StrangerCourier] = {}
    notices: dict[Network, NoticeCourier] = {}
    if mail:
        couriers[Network.EMAIL] = mail.courier
        notices[Network.EMAIL] = mail.notices
    if mail and mail.strangers:
        strangers[Network.EMAIL] = mail.strangers
    if whatsapp:
        courier = whatsapp_courier(config, database, codec, house, there=whatsapp, enclosures=enclosures)
        couriers |= {Network.WHATSAPP: courier} if courier else {}
        strangers[Network.WHATSAPP] = whatsapp.strangers
    if whatsapp and whatsapp.notices:
        notices[Network.WHATSAPP] = whatsapp.notices
    files = DocumentWork(database, builder, documents.intake) if documents else None
    deliverer = Deliverer(
        database,
        builder,
        encryption,
        couriers,
        files,
        codec=codec,
        heads=mail.heads if mail else None,
        strangers=StrangerWork(database, strangers),
        notices=notices,
        contacts=whatsapp.numbers.contacts if whatsapp else {},
        reports=Reports(codec, house),
    )
    aftermath = Aftermath(deliverer, database, matrix, files, bot=bot, is_ours=ours.has)
    outbox = OutboxWork(database, aftermath, codec, house)
    token = config.homeserver.reports_token
    admin = Homeserver(config.homeserver.url, token.get_secret_value()) if token else None
    reports = ReportsIn(database, admin.reports) if admin else None
    gate, condition = Gate(arrivals), Condition(database)
    reach = Reach(
        database,
        matrix,
        bot,
        config.appservice.registration.id,
        mail_server=mail.server if mail else None,
        mail_in=mail.arrival if mail else None,
        whatsapp=whatsapp.access if whatsapp else None,
        scanner=documents.scanner if documents else None,
        shelf=documents.shelf if documents else None,
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
        pages=[
            *portal_routes(config, database, codec, house, documents),
            *webhook_routes(config, database, gate.passed),
        ],
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
            named=outbox.named,
            quick=outbox.quick,
            tasks=8,
            at_most=SENDING_MOST,
        ),
        rounds=Rounds(database, codec, house),
        sweeper=sweeper,
        housekeeping=Housekeeping(database, database.duty, sweeper, documents.vault if documents else None, reports),
        admin=admin,
        aftermath=aftermath,
        settling=Settling(database, matrix, encryption, bot),
        codec=codec,
        house=house,
        condition=condition,
        reach=reach,
        web=_web(config, ports),
        mail_in=mail.arrival if mail else None,
        cloud=whatsapp.cloud if whatsapp else None,
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
        notices_by_whatsapp=config.whatsapp is not None and config.whatsapp.notices is not None,
        one_number=config.whatsapp is not None and config.whatsapp.joint_number is None,
        documents=config.documents is not None,
        page=page_of(config),
        discreet_page=discreet_page_of(config),
        heads_to=config.record.heads_to,
        zone=config.organisation.time_zone,
        language=config.organisation.language,
        rules=config.rules.rulebook,
        organisation=config.organisation.name,
        telephone=config.organisation.telephone,
        triage={user: mediator_name(user) for user in config.at_triage},
        mediators_room={user: mediator_name(user) for user in config.in_mediators_room},
        undo=timedelta(seconds=config.rooms.undo_seconds),
        terms=_terms(config),
        successor=(mediator_name(successor), successor) if (successor := config.organisation.successor) else None,
        deletes_media=config.documents is not None and config.documents.media_admin_token is not None,
    )


def _terms(config: Config) -> Terms:
    kept = config.email.after_closing if config.email else AfterClosing()
    return Terms(timedelta(days=kept.addresses_days), timedelta(days=kept.mails_days))


def _web(config: Config, ports: WebPorts) -> WebServer:
    settings = WebSettings(
        hs_token=config.appservice.registration.hs_token.get_secret_value(),
        provisioning_token=config.secrets.provisioning_token.get_secret_value(),
        public_base_url=config.appservice.public_base_url,
        proxies=TrustedProxies(config.appservice.trusted_proxies),
    )
    listen = config.appservice.listen
    return WebServer(application(settings, ports), listen.host, listen.port)

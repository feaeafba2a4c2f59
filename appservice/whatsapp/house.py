"""All that WhatsApp needs, where there is a number: made from the configuration."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from appservice.codec import JsonCodec
from appservice.documents.handout import Enclosures
from appservice.setup.channels import WhatsApp, WhatsAppTemplate
from appservice.setup.config import Config
from appservice.storage.database import SqlDatabase
from appservice.web.whatsapp import WebhookSecrets, WhatsAppApi
from appservice.whatsapp.access import Access
from appservice.whatsapp.courier import Template, WhatsAppCourier
from appservice.whatsapp.door import DroppedReader
from appservice.whatsapp.enclosing import WhatsAppEnclosures
from appservice.whatsapp.media import WhatsAppFiles
from appservice.whatsapp.notices import NoticeTemplates, NoticeWhatsApp
from appservice.whatsapp.numbers import Numbers
from appservice.whatsapp.reader import WebhookReader
from appservice.whatsapp.rendering import Voice
from appservice.whatsapp.single import SingleMessages
from appservice.whatsapp.statuses import StatusReader
from appservice.whatsapp.strangers import StrangersWhatsApp
from appservice.whatsapp.webhooks import WebhookInbox, WebhookWork
from bridges.whatsapp.api import CloudApi, Graph
from bridges.whatsapp.pace import Pace
from policies.frozen import frozen
from rooms.house import House


@frozen
class WhatsAppHouse:
    """The ways of WhatsApp in and out."""

    numbers: Numbers
    cloud: CloudApi
    access: Access
    webhooks: WebhookWork
    pace: Pace
    strangers: StrangersWhatsApp
    notices: NoticeWhatsApp | None

    def files(self, most_bytes: int) -> WhatsAppFiles:
        """Fetches files of at most so many bytes."""
        return WhatsAppFiles(self.cloud, most_bytes)


def whatsapp_house(config: Config, database: SqlDatabase, codec: JsonCodec, house: House) -> WhatsAppHouse | None:
    """As configured; None where nobody takes part by WhatsApp. Touches neither disk nor network."""
    whatsapp = config.whatsapp
    if whatsapp is None:
        return None
    numbers, cloud = Numbers(whatsapp.private_number, whatsapp.joint_number, whatsapp.intake_number), _cloud(whatsapp)
    pace = Pace(time.monotonic)
    webhooks = WebhookWork(
        WebhookReader(codec, house, numbers), StatusReader(codec, house), DroppedReader(codec, house)
    )
    messages = SingleMessages(database, cloud, pace)
    wanted = whatsapp.notices
    templates = NoticeTemplates(_named(wanted.notice), _named(wanted.code)) if wanted else None
    sender = whatsapp.intake_number or whatsapp.private_number
    notices = NoticeWhatsApp(database, messages, templates, sender) if templates else None
    access = Access(cloud, numbers.by_setting)
    return WhatsAppHouse(numbers, cloud, access, webhooks, pace, StrangersWhatsApp(messages), notices)


def whatsapp_courier(
    config: Config,
    database: SqlDatabase,
    codec: JsonCodec,
    house: House,
    *,
    there: WhatsAppHouse,
    enclosures: Enclosures | None,
) -> WhatsAppCourier | None:
    """Carries letters and, where there is a vault, copies of documents; None where nobody takes part by WhatsApp."""
    whatsapp, organisation = config.whatsapp, config.organisation
    if whatsapp is None:
        return None
    return WhatsAppCourier(
        database,
        there.cloud,
        there.numbers,
        codec,
        house,
        template=_named(whatsapp.template),
        discreet=_named(whatsapp.discreet_template) if whatsapp.discreet_template else None,
        voice=Voice(organisation.name, organisation.telephone, one_number=house.one_number),
        pace=there.pace,
        enclosures=WhatsAppEnclosures(database, there.cloud, enclosures) if enclosures else None,
    )


def _named(template: WhatsAppTemplate) -> Template:
    return Template(template.name, template.language, template.also)


def webhook_routes(config: Config, database: SqlDatabase, passed: Callable[[], Awaitable[None]]) -> list[web.RouteDef]:
    """Where Meta's webhooks come in; none without WhatsApp. `passed` refuses them while the service isn't ready."""
    if config.whatsapp is None:
        return []
    secrets = WebhookSecrets(
        app_secret=config.whatsapp.app_secret.get_secret_value(),
        verify_token=config.whatsapp.verify_token.get_secret_value(),
    )
    return WhatsAppApi(secrets, WebhookInbox(database, passed)).routes()


def _cloud(whatsapp: WhatsApp) -> CloudApi:
    token = whatsapp.access_token.get_secret_value()
    return CloudApi(Graph(whatsapp.graph_base_url, token, whatsapp.graph_version))

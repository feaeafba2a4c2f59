"""The page behind the links, where anybody takes part by mail: made from the configuration."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from aiohttp import web

from appservice.codec import JsonCodec
from appservice.documents.house import DocumentHouse
from appservice.documents.pipeline.pages import Pages
from appservice.matrix.openid import OpenId
from appservice.portal.openid import ACCOUNT_MOST, ACCOUNT_WINDOW, ServiceAccounts
from appservice.portal.page import ServicePortal
from appservice.portal.papers import ServicePapers
from appservice.setup.config import Config
from appservice.storage.database import SqlDatabase
from appservice.web.proxies import TrustedProxies
from bridges.email.rate import RateCap
from bridges.portal import views
from bridges.portal.document_pages import SHOWN_MOST, SHOWN_WINDOW, DocumentPages
from bridges.portal.marking import MarkingPages
from bridges.portal.openid import OpenIdDoor
from bridges.portal.server import PAGE_TRIES, PAGE_WINDOW, PortalPages
from rooms.house import House


def page_of(config: Config) -> str | None:
    """What links to the page begin with; None without mail or documents, for then there is nothing on it."""
    return f"{config.appservice.public_base_url}/p" if config.email or config.documents else None


def discreet_page_of(config: Config) -> str | None:
    """The same for those who asked for discreet contact; None where that has no name of its own."""
    hidden = config.organisation.discreet.base_url
    return f"{hidden}/p" if hidden else None


def portal_routes(
    config: Config, database: SqlDatabase, codec: JsonCodec, house: House, documents: DocumentHouse | None
) -> list[web.RouteDef]:
    """Its routes; none without mail or documents. Touches neither disk nor network."""
    base = page_of(config)
    if base is None:
        return []
    ours = config.organisation
    hidden = urlsplit(ours.discreet.base_url or "").hostname
    shown_as = views.House(ours.name, ours.telephone, ours.language, ours.discreet.leave_to, hidden)
    tries = RateCap(time.monotonic, limit=PAGE_TRIES, window=PAGE_WINDOW)
    secure = config.appservice.public_base_url.startswith("https:")
    page = ServicePortal(database, codec, documents=documents is not None)
    caller = TrustedProxies(config.appservice.trusted_proxies).caller
    verifier = OpenId(config.homeserver.url, config.homeserver.server_name)
    # Who has an account speaks there, and finds nothing but documents on the page.
    given = RateCap(time.monotonic, limit=ACCOUNT_MOST, window=ACCOUNT_WINDOW)
    accounts = ServiceAccounts(database, verifier, codec, house, base=base, asked=given) if documents else None
    asked = RateCap(time.monotonic, limit=PAGE_TRIES, window=PAGE_WINDOW)
    openid = OpenIdDoor(accounts, caller, asked)
    pages = [*openid.routes(), *PortalPages(page, shown_as, caller, tries, is_secure=secure).routes()]
    if documents is None:
        return pages
    renderer = Pages(documents.workshop)
    papers = ServicePapers(
        database, codec, house, documents.vault, intake=documents.intake, renderer=renderer, handouts=documents.handouts
    )
    shown = RateCap(time.monotonic, limit=SHOWN_MOST, window=SHOWN_WINDOW)
    shelf = DocumentPages(papers, shown_as, shown, most_bytes=documents.most_bytes)
    return [*MarkingPages(papers, shown_as).routes(), *shelf.routes(), *pages]

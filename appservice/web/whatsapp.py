"""What Meta calls (WhatsApp Business Platform, webhooks): believed only if it is signed, stored before it is answered.

POST /whatsapp/webhook → signature over the raw bytes → store every part, commit → 200
                         wrong signature → 401            database down → 503, and Meta comes again
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from aiohttp import web

from appservice.storage.errors import DatabaseUnavailable
from appservice.web.errors import RequestRefused
from appservice.web.ports import WebhookStore
from bridges.whatsapp.signature import challenge, is_signed

log = logging.getLogger(__name__)

PATH: Final = "/whatsapp/webhook"
MAX_WEBHOOK: Final = 4 * 1024 * 1024
"""Bytes. Meta sends at most 3 MB."""
READ_TIMEOUT: Final = 20.0
"""Seconds to send a body in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSecrets:
    """By which Meta is known: the secret of our app, and the token of the subscription."""

    app_secret: str = field(repr=False)
    verify_token: str = field(repr=False)


class WhatsAppApi:
    """The routes that Meta calls."""

    def __init__(self, secrets: WebhookSecrets, store: WebhookStore) -> None:
        self._secrets, self._store = secrets, store

    def routes(self) -> list[web.RouteDef]:
        """What is served."""
        return [web.get(PATH, self._handshake, allow_head=False), web.post(PATH, self._webhook)]

    async def _handshake(self, request: web.Request) -> web.Response:
        answer = challenge(request.query, self._secrets.verify_token)
        if answer is None:
            raise RequestRefused(HTTPStatus.FORBIDDEN, "M_FORBIDDEN", "that is not the token of our subscription")
        return web.Response(text=answer)

    async def _webhook(self, request: web.Request) -> web.Response:
        async with asyncio.timeout(READ_TIMEOUT):
            # The raw bytes: what is read and written again has another signature.
            body = await request.clone(client_max_size=MAX_WEBHOOK).read()
        if not is_signed(request.headers.get("X-Hub-Signature-256"), body, self._secrets.app_secret):
            log.warning("a webhook was refused: its signature is missing, or not Meta's")
            raise RequestRefused(HTTPStatus.UNAUTHORIZED, "M_UNAUTHORIZED", "the signature is not that of our app")
        try:
            await self._store.accept(body)
        except DatabaseUnavailable:
            raise RequestRefused(
                HTTPStatus.SERVICE_UNAVAILABLE, "M_UNKNOWN", "nothing can be stored now; come again"
            ) from None
        return web.json_response({})

"""The provisioning API: cases opened and commanded by another program, with a token (R7)."""

import re
import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, TypeVar, assert_never

from aiohttp import web
from pydantic import BaseModel, ValidationError

from appservice.casefile import CaseFile
from appservice.matrix.ids import is_identifier
from appservice.setup.mistakes import Mistake, explain
from appservice.setup.probe import Finding
from appservice.web.bearer import TokenGate
from appservice.web.bodies import json_object
from appservice.web.errors import RequestRefused
from appservice.web.openapi import Endpoint, document
from appservice.web.ports import Missing, Provisioning, Refused, SelfCheck, Trusting
from appservice.web.schema import (
    CaseList,
    CaseStatus,
    Command,
    CommandAnswer,
    FindingEntry,
    FindingList,
    Judgement,
    Trust,
)

MAX_BODY: Final = 1024 * 1024
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

Body = TypeVar("Body", bound=BaseModel)


class ProvisioningApi:
    """The routes under `/v1`."""

    def __init__(
        self,
        gate: TokenGate,
        provisioning: Provisioning,
        trust: Trusting,
        *,
        check: SelfCheck,
        status: SelfCheck,
        public_base_url: str,
    ) -> None:
        self._gate = gate
        self._provisioning = provisioning
        self._trust = trust
        self._check, self._status = check, status
        self._document = document(ENDPOINTS, public_base_url)

    def routes(self) -> list[web.RouteDef]:
        """What is served: what the OpenAPI document says, and the document."""
        handlers = {
            "createCase": self._create_case,
            "listCases": self._list_cases,
            "getCase": self._get_case,
            "runCommand": self._run_command,
            "showTrust": self._show_trust,
            "judgeVerification": self._judge_verification,
            "checkHomeserver": self._check_homeserver,
            "showStatus": self._show_status,
        }
        served = [web.route(each.method, each.path, handlers[each.operation]) for each in ENDPOINTS]
        return [*served, web.get("/v1/openapi.json", self._openapi)]

    async def _openapi(self, _: web.Request) -> web.Response:
        return web.json_response(self._document)

    async def _create_case(self, request: web.Request) -> web.Response:
        self._gate.check(request)
        key = _idempotency_key(request)
        case = await _read(request, CaseFile)
        outcome = await self._provisioning.create_case(case, key)
        match outcome:
            case CaseStatus():
                return _json(outcome, HTTPStatus.CREATED)
            case Refused():
                raise _refusal(outcome)
            case _:
                assert_never(outcome)

    async def _list_cases(self, request: web.Request) -> web.Response:
        self._gate.check(request)
        return _json(CaseList(cases=await self._provisioning.cases()))

    async def _get_case(self, request: web.Request) -> web.Response:
        self._gate.check(request)
        outcome = await self._provisioning.case(_case(request))
        match outcome:
            case CaseStatus():
                return _json(outcome)
            case Missing():
                raise _no_such_case()
            case _:
                assert_never(outcome)

    async def _run_command(self, request: web.Request) -> web.Response:
        self._gate.check(request)
        key = _idempotency_key(request)
        wanted = await _read(request, Command)
        outcome = await self._provisioning.command(_case(request), wanted.command, key)
        match outcome:
            case CommandAnswer():
                return _json(outcome)
            case Refused():
                raise _refusal(outcome)
            case Missing():
                raise _no_such_case()
            case _:
                assert_never(outcome)

    async def _show_trust(self, request: web.Request) -> web.Response:
        self._gate.check(request)
        outcome = await self._trust.shown()
        match outcome:
            case Trust():
                return _json(outcome)
            case Missing():
                raise RequestRefused(HTTPStatus.NOT_FOUND, "M_NOT_FOUND", "the bot has no identity yet")
            case _:
                assert_never(outcome)

    async def _judge_verification(self, request: web.Request) -> web.Response:
        self._gate.check(request)
        key = _idempotency_key(request)
        outcome = await self._trust.judge(await _read(request, Judgement), key)
        match outcome:
            case CommandAnswer():
                return _json(outcome)
            case Refused():
                raise _refusal(outcome)
            case _:
                assert_never(outcome)

    async def _check_homeserver(self, request: web.Request) -> web.Response:
        self._gate.check(request)
        return _findings(await self._check())

    async def _show_status(self, request: web.Request) -> web.Response:
        self._gate.check(request)
        return _findings(await self._status())


ENDPOINTS: Final = (
    Endpoint(
        "POST", "/v1/cases", "createCase", "Open a case", HTTPStatus.CREATED, CaseStatus, CaseFile, idempotent=True
    ),
    Endpoint("GET", "/v1/cases", "listCases", "All cases", HTTPStatus.OK, CaseList),
    Endpoint("GET", "/v1/cases/{case}", "getCase", "Where one case stands", HTTPStatus.OK, CaseStatus),
    Endpoint(
        "POST",
        "/v1/cases/{case}/commands",
        "runCommand",
        "Run a desk command",
        HTTPStatus.OK,
        CommandAnswer,
        Command,
        idempotent=True,
    ),
    Endpoint("GET", "/v1/trust", "showTrust", "Who the bot is, and emoji to compare", HTTPStatus.OK, Trust),
    Endpoint(
        "POST",
        "/v1/trust",
        "judgeVerification",
        "Say whether emoji were the same",
        HTTPStatus.OK,
        CommandAnswer,
        Judgement,
        idempotent=True,
    ),
    Endpoint(
        "GET", "/v1/check", "checkHomeserver", "Try what the homeserver lacks; some seconds", HTTPStatus.OK, FindingList
    ),
    Endpoint("GET", "/v1/status", "showStatus", "What is wrong, and what to do", HTTPStatus.OK, FindingList),
)


def _findings(found: Sequence[Finding]) -> web.Response:
    entries = (FindingEntry(setting=f.setting, verdict=f.verdict, seen=f.seen, remedy=f.remedy) for f in found)
    return _json(FindingList(findings=tuple(entries)))


async def _read(request: web.Request, model: type[Body]) -> Body:
    raw = await json_object(request, MAX_BODY)
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise _bad_request(explain(error, model)) from None


def _no_such_case() -> RequestRefused:
    return RequestRefused(HTTPStatus.NOT_FOUND, "M_NOT_FOUND", "there is no such case")


def _refusal(refused: Refused) -> RequestRefused:
    return _bad_request((Mistake(refused.where, refused.why),), HTTPStatus.CONFLICT)


def _bad_request(mistakes: tuple[Mistake, ...], status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> RequestRefused:
    listed = [{"where": m.where, "what": m.what, "remedy": m.remedy} for m in mistakes]
    return RequestRefused(
        status, "M_INVALID_PARAM", "; ".join(str(mistake) for mistake in mistakes), {"mistakes": listed}
    )


def _case(request: web.Request) -> str:
    case: str = request.match_info["case"]
    if not is_identifier(case):
        raise _no_such_case()
    return case


def _idempotency_key(request: web.Request) -> str:
    given: str | None = request.headers.get("Idempotency-Key")
    if given is None:
        return secrets.token_urlsafe(24)
    if _KEY.fullmatch(given) is None:
        why = "Idempotency-Key takes 1 to 64 of A-Z, a-z, 0-9, - and _"
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "M_INVALID_PARAM", why)
    return given


def _json(body: BaseModel, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    content: Mapping[str, Any] = body.model_dump(mode="json")
    return web.json_response(content, status=status)

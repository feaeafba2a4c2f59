"""The provisioning API does what its OpenAPI document says."""

from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from yarl import URL

from appservice.web.ports import Refused
from appservice.web.schema import Judgement, Trust, WaitingVerification
from tests.appservice.web.conftest import HS_TOKEN, PROVISIONING_TOKEN, Client, Service

pytestmark = pytest.mark.enable_socket

TOKEN = {"Authorization": f"Bearer {PROVISIONING_TOKEN}"}
CASE: dict[str, Any] = {
    "title": "Smith and Jones",
    "mediators": ["@mira:example.org"],
    "open": True,
    "sides": [
        {"name": "Smith", "people": [{"name": "Alice", "matrix": "@alice:example.org"}]},
        {
            "name": "Jones",
            "people": [
                {
                    "name": "Carl",
                    "role": "party",
                    "email": "carl@example.org",
                    "consent": {
                        "content_by_mail": True,
                        "recorded_by": "Mira",
                        "on": "2026-11-20",
                        "wording": "I know that mail can be read by others.",
                    },
                }
            ],
        },
    ],
}


async def call(client: Client, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
    async with client.request(method, path, json=body, headers={**TOKEN, **headers}) as response:
        return response.status, await response.json()


async def test_a_case_is_opened_listed_and_commanded(client: Client) -> None:
    status, case = await call(client, "POST", "/v1/cases", CASE)
    assert (status, case["title"]) == (201, "Smith and Jones")
    assert await call(client, "GET", f"/v1/cases/{case['id']}") == (200, case)
    assert await call(client, "GET", "/v1/cases") == (200, {"cases": [case]})
    answer = await call(client, "POST", f"/v1/cases/{case['id']}/commands", {"command": "!status"})
    assert answer == (200, {"answer": "did !status"})


async def test_the_same_key_opens_one_case_and_no_key_opens_another(client: Client, service: Service) -> None:
    for _ in range(2):
        await call(client, "POST", "/v1/cases", CASE, **{"Idempotency-Key": "k-1"})
    assert len(service.provisioning.opened) == 1
    for _ in range(2):
        await call(client, "POST", "/v1/cases", CASE)
    assert len(service.provisioning.opened) == 3


@pytest.mark.parametrize("key", ["", "a b", "x" * 65, "é"])
async def test_a_key_that_could_be_anything_is_refused(client: Client, key: str) -> None:
    status, answer = await call(client, "POST", "/v1/cases", CASE, **{"Idempotency-Key": key})
    assert (status, answer["errcode"]) == (400, "M_INVALID_PARAM")


async def test_a_mistake_is_named_by_its_path_and_its_value_is_not_repeated(client: Client) -> None:
    case = {**CASE, "sides": [{"name": "Jones", "people": [{"name": "Carl", "email": "carl at example"}]}]}
    status, answer = await call(client, "POST", "/v1/cases", case)
    assert (status, answer["errcode"]) == (400, "M_INVALID_PARAM")
    [mistake] = answer["mistakes"]
    assert (mistake["where"], mistake["what"]) == ("sides[0].people[0].email", "not an email address")
    assert "carl at example" not in str(answer)


async def test_what_the_service_refuses_is_a_conflict_with_its_reason(client: Client, service: Service) -> None:
    service.provisioning.refusal = Refused("a federated id", "mediators[0]")
    status, answer = await call(client, "POST", "/v1/cases", CASE)
    assert (status, answer["mistakes"][0]["where"]) == (409, "mediators[0]")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_homeservers_token_opens_no_case(client: Client, service: Service, method: str) -> None:
    async with client.request(
        method, "/v1/cases", json=CASE, headers={"Authorization": f"Bearer {HS_TOKEN}"}
    ) as response:
        assert response.status == 403
    async with client.request(method, f"/v1/cases?access_token={PROVISIONING_TOKEN}", json=CASE) as response:
        assert response.status == 401
    assert service.provisioning.opened == {}


async def test_the_homeserver_is_checked_by_who_hears_it(client: Client) -> None:
    status, found = await call(client, "GET", "/v1/check")
    assert (status, found["findings"][0]["verdict"]) == (200, "broken")
    async with client.get("/v1/check") as response:
        assert response.status == 401


async def test_the_status_is_told_to_whoever_has_the_token(client: Client) -> None:
    status, found = await call(client, "GET", "/v1/status")
    assert (status, found["findings"][0]["seen"]) == (200, "no connection")
    async with client.get("/v1/status") as response:
        assert response.status == 401


@pytest.mark.parametrize("case", ["9999", "%00", "%ED%A0%80", "x" * 300])
async def test_no_case_and_no_such_case_look_alike(client: Client, case: str) -> None:
    async with client.get(URL(f"/v1/cases/{case}", encoded=True), headers=TOKEN) as response:
        assert response.status == 404
    assert (await call(client, "POST", "/v1/cases/9999/commands", {"command": "!status"}))[0] == 404


async def test_emoji_are_shown_and_judged(client: Client, service: Service) -> None:
    assert (await call(client, "GET", "/v1/trust"))[0] == 404
    since = datetime(2026, 11, 22, tzinfo=UTC)
    waiting = WaitingVerification(code="ABCD", user="@mia:x", emoji=("🐶 Dog",) * 7, numbers=(1, 2, 3), since=since)
    service.trust.trust = Trust(device_id="D", device_key="key", master_key="master", waiting=(waiting,))
    _, shown = await call(client, "GET", "/v1/trust")
    assert Trust.model_validate(shown) == service.trust.trust
    judged = await call(client, "POST", "/v1/trust", {"code": "ABCD", "same": True})
    assert judged == (200, {"answer": "noted"})
    assert service.trust.judged == [Judgement(code="ABCD", same=True)]
    assert (await call(client, "POST", "/v1/trust", {"code": "ABCE", "same": True}))[0] == 409
    assert (await call(client, "POST", "/v1/trust", {"code": "ABCD"}))[0] == 400


async def test_nobody_without_the_token_sees_or_judges_emoji(client: Client, service: Service) -> None:
    for method in ("GET", "POST"):
        async with client.request(method, "/v1/trust", json={"code": "ABCD", "same": True}) as response:
            assert response.status in {401, 403}
    assert service.trust.judged == []


async def test_the_document_is_what_is_served(client: Client) -> None:
    async with client.get("/v1/openapi.json") as response:
        document = await response.json()
    assert document["openapi"] == "3.1.0"
    assert client.app is not None
    served = {
        (route.method.lower(), route.resource.canonical)
        for route in client.app.router.routes()
        if route.resource is not None and route.resource.canonical.startswith("/v1/") and route.method != "HEAD"
    }
    described = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert described | {("get", "/v1/openapi.json")} == served


async def test_requests_and_answers_fit_the_documents_schemas(client: Client) -> None:
    async with client.get("/v1/openapi.json") as response:
        document = await response.json()

    def check(instance: Any, name: str) -> None:
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(instance)

    check(CASE, "CaseFile")
    _, case = await call(client, "POST", "/v1/cases", CASE)
    check(case, "CaseStatus")
    _, listed = await call(client, "GET", "/v1/cases")
    check(listed, "CaseList")
    check((await call(client, "GET", "/v1/check"))[1], "FindingList")
    check((await call(client, "GET", "/v1/status"))[1], "FindingList")
    _, refused = await call(client, "POST", "/v1/cases", {})
    check(refused, "ErrorBody")
    with pytest.raises(jsonschema.ValidationError):
        check({**CASE, "surprise": 1}, "CaseFile")

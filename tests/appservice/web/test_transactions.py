"""The homeserver's side of the server: stored before it is acknowledged, and never a traceback."""

import gzip
import json
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from appservice.web import transactions
from tests.appservice.matrix.test_transaction import EVENT, TO_DEVICE
from tests.appservice.web.conftest import HS_TOKEN, PROVISIONING_TOKEN, Client, Service

pytestmark = pytest.mark.enable_socket

PATH = "/_matrix/app/v1/transactions/42"
TOKEN = {"Authorization": f"Bearer {HS_TOKEN}"}


async def put(client: Client, body: bytes, path: str = PATH, **headers: str) -> tuple[int, dict[str, Any]]:
    async with client.put(path, data=body, headers={**TOKEN, **headers}) as response:
        return response.status, await response.json()


@pytest.mark.parametrize("path", [PATH, "/transactions/42"])
async def test_a_transaction_is_stored_then_acknowledged(client: Client, service: Service, path: str) -> None:
    body = json.dumps({"events": [EVENT], "de.sorunome.msc2409.to_device": [TO_DEVICE]}).encode()
    assert await put(client, body, path) == (200, {})
    [stored] = service.transactions.accepted
    assert (stored.txn_id, len(stored.events), len(stored.to_device)) == ("42", 1, 1)


@pytest.mark.parametrize("txn", ["%00", "x" * 300, "%0a"])
async def test_a_transaction_id_that_no_table_could_hold_is_refused(client: Client, service: Service, txn: str) -> None:
    path = URL(f"/_matrix/app/v1/transactions/{txn}", encoded=True)
    async with client.put(path, data=b"{}", headers=TOKEN) as response:
        assert (response.status, (await response.json())["errcode"]) == (400, "M_INVALID_PARAM")
    assert service.transactions.accepted == []


async def test_what_cannot_be_stored_is_not_acknowledged(client: Client, service: Service) -> None:
    service.transactions.broken = RuntimeError("the disk is full")
    status, answer = await put(client, b"{}")
    assert (status, answer["errcode"]) == (500, "M_UNKNOWN")
    assert "disk" not in json.dumps(answer)


async def test_a_homeserver_that_has_much_to_say_is_answered_a_moment_after_it_is_stored(
    client: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    several, enough = transactions.SEVERAL, transactions.ENOUGH
    waited: list[tuple[float, int]] = []

    async def sleep(seconds: float) -> None:
        waited.append((seconds, len(service.transactions.accepted)))

    monkeypatch.setattr(transactions, "sleep", sleep)
    for size in (1, several, several - 1, several, several, enough - 1, enough, several, 0, enough, enough):
        events = [{**EVENT, "event_id": f"${number}"} for number in range(size)]
        assert await put(client, json.dumps({"events": events}).encode()) == (200, {})
    fifth_and_sixth = [(transactions.GATHERING, stored) for stored in (5, 6)]
    assert waited == fifth_and_sixth


async def test_a_hostile_item_does_not_keep_its_neighbours_out(client: Client, service: Service) -> None:
    body = json.dumps({"events": [None, {"type": 3}, EVENT], "to_device": "no list"}).encode()
    assert await put(client, body) == (200, {})
    [stored] = service.transactions.accepted
    assert (len(stored.events), stored.dropped) == (1, 2)
    sample = service.metrics.registry.get_sample_value("mediatrix_transaction_items_dropped_total")
    assert sample == 2


@pytest.mark.parametrize(
    ("headers", "status", "errcode"),
    [
        ({}, 401, "M_UNAUTHORIZED"),
        ({"Authorization": "Bearer"}, 403, "M_FORBIDDEN"),
        ({"Authorization": "Basic " + HS_TOKEN}, 401, "M_UNAUTHORIZED"),
        ({"Authorization": "Bearer " + HS_TOKEN + "x"}, 403, "M_FORBIDDEN"),
        ({"Authorization": "Bearer " + PROVISIONING_TOKEN}, 403, "M_FORBIDDEN"),
        ({"Authorization": "Bearer caf\u00e9"}, 403, "M_FORBIDDEN"),
    ],
)
async def test_without_the_homeservers_token_nothing_is_read(
    client: Client, service: Service, headers: dict[str, str], status: int, errcode: str
) -> None:
    async with client.put(PATH, data=b"{}", headers=headers) as response:
        assert (response.status, (await response.json())["errcode"]) == (status, errcode)
    assert service.transactions.accepted == []


async def test_the_token_is_taken_from_the_query_of_an_old_homeserver(client: Client) -> None:
    async with client.put(f"{PATH}?access_token={HS_TOKEN}", data=b"{}") as response:
        assert response.status == 200
    async with client.put(f"{PATH}?access_token=wrong", data=b"{}") as response:
        assert response.status == 403


async def test_a_wrong_token_is_reported_with_its_real_caller_and_without_the_token(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Authorization": "Bearer guessed", "X-Forwarded-For": "203.0.113.9"}
    with caplog.at_level(logging.WARNING):
        await client.put(PATH, data=b"{}", headers=headers)
    assert "203.0.113.9" in caplog.text
    assert "guessed" not in caplog.text


@pytest.mark.parametrize(
    ("body", "status", "errcode"),
    [
        (b"", 400, "M_NOT_JSON"),
        (b"{", 400, "M_NOT_JSON"),
        (b"\xff\xfe", 400, "M_NOT_JSON"),
        (b"[" * 300_000, 400, "M_NOT_JSON"),
        (b'{"events": NaN}', 400, "M_NOT_JSON"),
        (b"[]", 400, "M_BAD_JSON"),
        (b'"text"', 400, "M_BAD_JSON"),
        (b"null", 400, "M_BAD_JSON"),
    ],
)
async def test_a_body_of_any_shape_gets_the_right_error(client: Client, body: bytes, status: int, errcode: str) -> None:
    got, answer = await put(client, body)
    assert (got, answer["errcode"]) == (status, errcode)


async def test_a_body_too_large_is_refused_packed_or_not(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "MAX_TRANSACTION", 100_000)
    body = json.dumps({"events": ["x" * 200_000]}).encode()
    status, answer = await put(client, body)
    assert (status, answer["errcode"]) == (413, "M_TOO_LARGE")
    status, answer = await put(client, gzip.compress(body), **{"Content-Encoding": "gzip"})
    assert (status, answer["errcode"]) == (413, "M_TOO_LARGE")


async def test_a_body_that_is_not_packed_as_it_says_is_refused(client: Client) -> None:
    status, answer = await put(client, b"{}", **{"Content-Encoding": "gzip"})
    assert status == 400
    assert answer["errcode"].startswith("M_")


@pytest.mark.parametrize(
    ("method", "path", "status", "errcode"),
    [
        ("GET", "/", 404, "M_UNRECOGNIZED"),
        ("GET", "/_matrix/app/v1/thirdparty/user", 404, "M_UNRECOGNIZED"),
        ("POST", PATH, 405, "M_UNRECOGNIZED"),
        ("GET", "/_matrix/app/v1/users/@ghost:example.org", 404, "M_NOT_FOUND"),
        ("GET", "/_matrix/app/v1/rooms/%23case:example.org", 404, "M_NOT_FOUND"),
        ("GET", "/users/@ghost:example.org", 404, "M_NOT_FOUND"),
    ],
)
async def test_what_is_not_served_says_so_as_matrix_does(
    client: Client, method: str, path: str, status: int, errcode: str
) -> None:
    async with client.request(method, path, headers=TOKEN) as response:
        assert (response.status, (await response.json())["errcode"]) == (status, errcode)


async def test_nobody_without_the_token_learns_who_is_ours(client: Client) -> None:
    async with client.get("/_matrix/app/v1/users/@ghost:example.org") as response:
        assert response.status == 401


async def test_a_ping_is_answered(client: Client) -> None:
    async with client.post("/_matrix/app/v1/ping", json={"transaction_id": "1"}, headers=TOKEN) as response:
        assert (response.status, await response.json()) == (200, {})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200) | st.text(max_size=60).map(str.encode))
async def test_no_body_brings_out_a_fault_of_ours(client: Client, body: bytes) -> None:
    status, answer = await put(client, body)
    assert status in {200, 400}
    assert (status == 200) == (answer == {})

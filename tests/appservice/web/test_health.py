"""Health and numbers."""

import pytest

from tests.appservice.web.conftest import Client, Service

pytestmark = pytest.mark.enable_socket


async def test_a_process_that_answers_is_alive(client: Client) -> None:
    async with client.get("/live") as response:
        assert response.status == 200


async def test_it_is_ready_only_while_nothing_is_wrong(client: Client, service: Service) -> None:
    async with client.get("/ready") as response:
        assert (response.status, await response.json()) == (200, {"ready": True, "problems": []})
    service.readiness.found = ("the database does not answer",)
    async with client.get("/ready") as response:
        assert response.status == 503
        assert await response.json() == {"ready": False, "problems": ["the database does not answer"]}


async def test_numbers_are_refreshed_and_given_in_prometheus_form(client: Client, service: Service) -> None:
    async with client.get("/metrics") as response:
        assert response.status == 200
        assert "mediatrix_transactions_total 0.0" in await response.text()
    assert service.metrics.refreshed == 1


async def test_every_answer_names_its_request(client: Client) -> None:
    async with client.get("/live") as first, client.get("/nowhere") as second:
        assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]

"""Where there is a vault and mail, the service that is wired shows documents on the page; its scanner is looked at."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp.test_utils import TestClient, TestServer

from appservice.documents.pipeline.scanner import Clamd
from appservice.main import wire
from appservice.service import Service
from appservice.setup import config
from appservice.setup.init import create
from appservice.setup.mistakes import ConfigError
from tests.appservice.setup.config.test_config import EMAIL, OPTIONS


def wired(folder: Path, **sections: Any) -> Service:
    """The service of that configuration."""
    create(folder, OPTIONS)
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | sections))
    return wire(config.load(file, {}))


def paths(service: Service) -> list[str]:
    """What its web server serves, in the order in which it looks."""
    return [resource.canonical for resource in service.parts.web._runner.app.router.resources()]


async def test_documents_are_shown_on_the_page_and_not_taken_for_a_link(tmp_path: Path) -> None:
    service = wired(tmp_path, documents={"clamd": {"socket": "clamd.ctl"}}, email=EMAIL)
    found = paths(service)
    assert found.index("/p/documents") < found.index("/p/{link}")
    assert service.parts.documents
    assert service.parts.documents.scanner == Clamd(tmp_path / "clamd.ctl", port=3310)


async def test_without_a_vault_there_are_none(tmp_path: Path) -> None:
    service = wired(tmp_path, documents={"enabled": False}, email=EMAIL)
    assert "/p/documents" not in paths(service)
    assert service.parts.documents is None


@pytest.mark.enable_socket
@pytest.mark.parametrize("documents", [True, False])
async def test_accounts_are_given_links_only_where_there_are_documents(tmp_path: Path, documents: bool) -> None:
    service = wired(tmp_path, documents={"enabled": documents, "clamd": {"socket": "clamd.ctl"}}, email=EMAIL)
    async with TestClient(TestServer(service.parts.web._runner.app)) as http:
        answer = await http.post("/p/openid", json={})
        assert answer.status == (400 if documents else 404)


@pytest.mark.enable_socket
async def test_under_its_discreet_name_the_server_asks_for_the_pin_without_saying_who_asks(tmp_path: Path) -> None:
    discreet = {"base_url": "https://letters.example.net"}
    organisation = {"name": "Town Mediation", "telephone": "+1 555 0100", "contact": "Mia", "discreet": discreet}
    service = wired(tmp_path, documents={"enabled": False}, email=EMAIL, organisation=organisation)
    async with TestClient(TestServer(service.parts.web._runner.app)) as http:
        hidden = await http.get("/p/x", headers={"Host": "letters.example.net"})
        usual = await http.get("/p/x", headers={"Host": "mediation.example.org"})
        assert "Town Mediation" not in await hidden.text()
        assert "Town Mediation" in await usual.text()


@pytest.mark.parametrize("clamd", [{}, {"socket": "clamd.ctl", "host": "127.0.0.1"}])
def test_a_scanner_is_at_one_place(tmp_path: Path, clamd: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        wired(tmp_path, documents={"clamd": clamd})
    assert "give either a socket or a host" in str(caught.value)

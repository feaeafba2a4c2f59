"""Commands that need no running service, or must say that there is one already."""

import asyncio
from pathlib import Path

import pytest

from appservice import cli
from appservice.crypto.sealing import Sealer
from appservice.setup import config
from appservice.setup.init import InitOptions, create
from appservice.storage.database import SqlDatabase
from sandbox.ports import free_port

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """What `mediatrix init` writes."""
    options = InitOptions(
        server_name="example.org",
        homeserver_url="http://127.0.0.1:8008",
        mediators=("@mia:example.org",),
        public_base_url="https://mediation.example.org",
        organisation="Town Mediation",
        contact="Mia Moss",
        telephone="+1 555 0100",
        listen_port=free_port(),
    )
    create(tmp_path / "service", options)
    return tmp_path / "service" / "config.yaml"


def database_of(file: Path) -> SqlDatabase:
    loaded = config.load(file)
    return SqlDatabase(loaded.database.url.get_secret_value(), Sealer(loaded.secrets.masters))


def test_a_second_service_on_a_sqlite_database_is_refused_in_words(
    configured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served = database_of(configured)
    served.duty.begin()
    assert cli.main(["run", "-c", str(configured)]) == cli.FAILED
    asyncio.run(served.close())
    said = capsys.readouterr().err
    assert "another mediatrix process serves this SQLite database" in said
    assert "PostgreSQL" in said


def test_the_status_of_a_service_that_does_not_run_comes_from_its_database(
    configured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def make() -> None:
        database = database_of(configured)
        await database.open()
        await database.close()

    asyncio.run(make())
    assert cli.main(["status", "-c", str(configured)]) == cli.FAILED
    said = capsys.readouterr().out
    assert "broken  service: the service does not answer" in said
    assert "start it: mediatrix run" in said
    assert "what is sent: everything was sent" in said


def test_the_status_makes_no_database(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = set(configured.parent.iterdir())
    assert cli.main(["status", "-c", str(configured)]) == cli.FAILED
    assert "there is no database yet" in capsys.readouterr().out
    assert set(configured.parent.iterdir()) == before

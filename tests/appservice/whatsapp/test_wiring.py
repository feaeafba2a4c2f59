"""Where WhatsApp is set up, the service that is wired has it; where it is not, nothing of it is served."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from appservice.main import wire
from appservice.setup import config
from appservice.setup.init import create
from appservice.web.whatsapp import PATH
from tests.appservice.setup.config.test_config import OPTIONS, WHATSAPP, WHATSAPP_SECRETS


def paths(folder: Path, whatsapp: dict[str, Any]) -> set[str]:
    """What the web server of that configuration serves."""
    create(folder, OPTIONS)
    file = folder / "config.yaml"
    raw = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(raw | {"whatsapp": whatsapp}))
    service = wire(config.load(file, WHATSAPP_SECRETS))
    resources = service.parts.web._runner.app.router.resources()
    assert (service.parts.cloud is not None) is (PATH in {resource.canonical for resource in resources})
    return {resource.canonical for resource in resources}


@pytest.mark.parametrize("more", [{}, {"joint_number": "222222222"}])
async def test_with_its_section_the_service_takes_webhooks(tmp_path: Path, more: dict[str, str]) -> None:
    assert PATH in paths(tmp_path, WHATSAPP | more)


async def test_without_it_nothing_of_it_is_served(tmp_path: Path) -> None:
    assert PATH not in paths(tmp_path, {"enabled": False})

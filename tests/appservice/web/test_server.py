"""The listening socket."""

import pytest
from aiohttp import web

from appservice.web.server import CannotListenError, WebServer

pytestmark = pytest.mark.enable_socket


async def test_a_taken_port_is_named() -> None:
    first = WebServer(web.Application(), "127.0.0.1", 0)
    port = await first.start()
    second = WebServer(web.Application(), "127.0.0.1", port)
    with pytest.raises(CannotListenError, match=rf"^the port 127\.0\.0\.1:{port} is taken$"):
        await second.start()
    await second.stop()
    await first.stop()


async def test_an_address_of_another_machine_is_named() -> None:
    server = WebServer(web.Application(), "192.0.2.1", 29340)
    with pytest.raises(CannotListenError, match=r"^the port 192\.0\.2\.1:29340 can't be used$"):
        await server.start()
    await server.stop()

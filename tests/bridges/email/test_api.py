"""Sending: what is known afterwards, with a real SMTP server that misbehaves."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bridges.email.api import Accepted, MailServer, Refused, Security, greet, send
from bridges.email.convert_out import OutgoingMail, Post, render
from bridges.unsent import NotSent, Unknown
from sandbox.mail import Behaviour, MailSandbox
from tests.bridges.email.builders import AUTHSERV_ID, CARL, letter

pytestmark = pytest.mark.enable_socket

MAIL = render(letter(Post("Mediator M", "Dear Carl,\n.\n..dots\nend")))


@pytest.fixture
async def world() -> AsyncIterator[MailSandbox]:
    """A mail server on loopback."""
    sandbox = MailSandbox(authserv_id=AUTHSERV_ID)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


def server(port: int, *, timeout: float = 60.0) -> MailServer:
    """The sandbox as the service's mail server."""
    return MailServer("127.0.0.1", port, Security.NONE, timeout=timeout)


@asynccontextmanager
async def scripted(script: list[bytes], *, hang: bool = False) -> AsyncIterator[int]:
    """A server that says these lines, one after each command, and hangs up, or else says nothing more; its port."""
    finished = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for i, line in enumerate(script):
            if i and script[i - 1].startswith(b"354"):
                await reader.readuntil(b"\r\n.\r\n")
            elif i:
                await reader.readline()
            writer.write(line)
        if hang:
            await reader.read()
        writer.close()
        finished.set()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield listener.sockets[0].getsockname()[1]
        await finished.wait()


async def test_an_accepted_mail_arrives_byte_for_byte_with_its_envelope(world: MailSandbox) -> None:
    assert isinstance(await send(MAIL, server(world.port)), Accepted)
    item = await world.wait_for(CARL.spelled)
    assert item.raw == MAIL.raw
    assert item.envelope_from == MAIL.envelope_from


async def test_lines_that_begin_with_a_dot_survive(world: MailSandbox) -> None:
    mail = OutgoingMail("b@x.example", "carl@example.net", b"Subject: x\r\n\r\n.\r\n..a\r\n.b\r\n")
    await send(mail, server(world.port))
    assert (await world.wait_for("carl@example.net")).raw == mail.raw


@pytest.mark.parametrize(
    ("behaviour", "code", "permanent"),
    [
        (Behaviour.REFUSE_RECIPIENT, 550, True),
        (Behaviour.REFUSE, 554, True),
        (Behaviour.DEFER, 451, False),
    ],
)
async def test_a_refusal_is_for_now_or_for_good(
    world: MailSandbox, behaviour: Behaviour, code: int, permanent: bool
) -> None:
    world.behaviour = behaviour
    result = await send(MAIL, server(world.port))
    assert isinstance(result, Refused)
    assert (result.code, result.permanent) == (code, permanent)
    assert CARL.spelled not in result.why
    assert world.mailbox(CARL.spelled) == ()


@pytest.mark.parametrize("behaviour", [Behaviour.HANG_UP, Behaviour.DELIVER_AND_HANG_UP])
async def test_a_lost_answer_is_unknown_and_not_a_failure(world: MailSandbox, behaviour: Behaviour) -> None:
    world.behaviour = behaviour
    assert isinstance(await send(MAIL, server(world.port)), Unknown)


async def test_whether_mail_could_be_sent_is_known_without_sending_any(world: MailSandbox) -> None:
    assert await greet(server(world.port)) is None
    assert world.mailbox(CARL.spelled) == ()
    port = world.port
    await world.stop()
    trouble = await greet(server(port))
    assert trouble == NotSent("no connection to the mail server (SMTPConnectError)")
    async with scripted([b"554 go away\r\n"]) as refusing:
        assert isinstance(await greet(server(refusing)), NotSent)


async def test_no_mail_server_is_safe_to_repeat() -> None:
    with socket.create_server(("127.0.0.1", 0)) as placeholder:
        port = placeholder.getsockname()[1]
    assert isinstance(await send(MAIL, server(port)), NotSent)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ([b""], NotSent),
        ([b"garbage\r\n"], NotSent),
        ([b"421 busy\r\n"], NotSent),
        ([b"554 no\r\n"], NotSent),
        ([b"220 hi\r\n", b""], NotSent),
        ([b"220 hi\r\n", b"250 hi\r\n", b""], NotSent),
        ([b"220 hi\r\n", b"250 hi\r\n", b"421 bye\r\n"], NotSent),
        ([b"220 hi\r\n", b"250 hi\r\n", b"550 <b.x@y.z> no\r\n"], Refused),
        ([b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"450 later\r\n"], Refused),
        ([b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b""], NotSent),
        ([b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"554 no\r\n"], Refused),
        ([b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b""], Unknown),
        ([b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"garbage\r\n"], Unknown),
        ([b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 ok\r\n"], Accepted),
    ],
)
async def test_a_connection_that_breaks_is_judged_by_how_far_it_came(script: list[bytes], expected: type) -> None:
    async with scripted(script) as port:
        result = await send(MAIL, server(port))
    assert isinstance(result, expected)
    assert "@" not in repr(result)


async def test_a_server_that_never_answers_the_mail_is_unknown_after_the_timeout() -> None:
    script = [b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"]
    async with scripted(script, hang=True) as port:
        assert isinstance(await send(MAIL, server(port, timeout=2)), Unknown)


def test_mail_leaves_this_machine_only_encrypted() -> None:
    with pytest.raises(ValueError, match="starttls or tls"):
        MailServer("mail.example.org", 25, Security.NONE)
    MailServer("mail.example.org", 25, Security.STARTTLS)
    MailServer("::1", 25, Security.NONE)
    assert "secret" not in repr(MailServer("mail.example.org", 465, Security.IMPLICIT, "user", "secret"))

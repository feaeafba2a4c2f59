"""Child processes of the sandbox: they end with whoever started them, however that ends."""

import asyncio
import contextlib
import os
import shutil
import signal

GRACE = 30.0  # seconds between a polite request to end and SIGKILL


def tied_to_us(*command: str) -> tuple[str, ...]:
    """The command, wrapped so that the kernel ends it if this process dies without stopping it (Linux)."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "TERM", "--", *command) if setpriv else command


def environment() -> dict[str, str]:
    """For Python children: ours, except that they keep what they compile. The next start takes half as long."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


async def end(process: asyncio.subprocess.Process, *, grace: float = GRACE) -> None:
    """Ends a child and its children: SIGTERM, `grace` seconds, SIGKILL. The child must lead a session of its own."""
    if process.returncode is not None:
        return
    _signal(process, signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), grace)
    except TimeoutError:
        _signal(process, signal.SIGKILL)
        await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)

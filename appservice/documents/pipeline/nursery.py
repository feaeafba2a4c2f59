"""The confined process: it reads no file itself, and forks one child for each, which reads that one and ends.

It is started with an empty environment and one socket. Over that come tasks: a line of JSON, and three file
descriptors (the file, its result, and a pipe for the answer). A child can open nothing else. When the socket closes,
the nursery ends, and with it everything it ever made.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import time
from typing import Any, Final

from appservice.documents.pipeline import confine, limits, tasks, warming

TASK_BYTES: Final = 65_536
_DESCRIPTORS: Final = 3
_LOOK_SECONDS: Final = 0.5
"""How often it is looked whether a child is overdue."""


def main(number: int) -> None:
    """Serve until the socket of that number closes."""
    os.setsid()
    warming.warm_up()
    gc.freeze()  # what is there is shared with the children, and stays so
    confine.become_nobody()
    is_cut_off = confine.cut_off()
    inner = os.fork()  # the first child of a new process namespace is its init: with it, all others end
    if inner:
        os.close(number)
        os.waitpid(inner, 0)
        return
    confine.give_up_privileges()
    with socket.socket(fileno=number) as channel:
        channel.send(json.dumps({"is_cut_off": is_cut_off}).encode())
        _serve(channel)
    os.killpg(0, signal.SIGKILL)


def _serve(channel: socket.socket) -> None:
    deadlines: dict[int, float] = {}
    while True:
        ready, _, _ = select.select([channel], [], [], _LOOK_SECONDS if deadlines else None)
        if ready:
            message, descriptors, _, _ = socket.recv_fds(channel, TASK_BYTES, _DESCRIPTORS)
            if not message:
                return
            order = json.loads(message)
            allowance = limits.Allowance(**order["allowance"])
            pid = os.fork()
            if pid == 0:
                channel.close()
                _child(order["task"], allowance, *descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            deadlines[pid] = time.monotonic() + allowance.wall_seconds
        _look_after(deadlines)


def _look_after(deadlines: dict[int, float]) -> None:
    """Reap who ended, and kill who is overdue."""
    for pid, deadline in list(deadlines.items()):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
    while deadlines:
        pid, _ = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        deadlines.pop(pid, None)


def _child(task: dict[str, Any], allowance: limits.Allowance, source: int, result: int, answer: int) -> None:
    """Do it, answer, end. What nobody foresaw ends without an answer, which is one, too."""
    code = 1
    try:
        confine.give_up_privileges()
        confine.limit(
            memory=allowance.memory,
            cpu_seconds=allowance.cpu_seconds,
            file_bytes=allowance.result,
            descriptors=max(source, result, answer) + 1,
        )
        with (
            os.fdopen(source, "rb", closefd=False) as file,
            os.fdopen(result, "w+b", closefd=False) as made,
        ):
            said = tasks.run(task, file, made)
        os.write(answer, json.dumps(said).encode())
        code = 0
    finally:
        os._exit(code)

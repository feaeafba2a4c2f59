"""Whether a task was asked to end."""

import asyncio


def asked_to_end() -> bool:
    """Whether the current task was cancelled.

    Whatever goes on for ever asks before each round: what is awaited may have kept the cancellation to itself.
    Python 3.11's `asyncio.wait_for` does where its answer comes at that very moment (python/cpython#86296), and a
    service that goes on for it is killed in the end, with its last mark unwritten.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0

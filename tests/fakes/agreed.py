"""Everybody has agreed to every network that carries their words: for tests of something else. `policies/test_ways`,
`invariants/test_ways` and the end-to-end tests play those who have not."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

_ASKED_BY = ("policies.people.ways", "policies.commands.ways", "policies.following")


@contextmanager
def everybody_agreed() -> Iterator[None]:
    """As long as this lasts."""
    with ExitStack() as stack:
        for module in _ASKED_BY:
            stack.enter_context(patch(f"{module}.answered", lambda *_: True))
        yield

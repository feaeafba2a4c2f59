"""What all tests in this folder have in common."""

from collections.abc import Iterator

import pytest

from tests.fakes.agreed import everybody_agreed


@pytest.fixture(scope="module", autouse=True)
def _agreed() -> Iterator[None]:
    with everybody_agreed():
        yield

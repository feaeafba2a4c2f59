"""Parts of a library, imported without the library's own first module, where that would load far more than we use."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def parts_of(*packages: str) -> Iterator[None]:
    """Within the block what is imported out of these packages comes without the packages themselves, outer ones first.

    They are not made less for others: whoever imports a package later gets it whole.
    """
    shells = {}
    for name in packages:
        spec = importlib.util.find_spec(name)
        if spec is not None and name not in sys.modules:
            shells[name] = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        yield
    finally:
        for name, shell in shells.items():
            if sys.modules.get(name) is shell:
                del sys.modules[name]

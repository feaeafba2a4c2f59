"""What import-linter can't say: the two inner packages stand on the standard library and the policies alone."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = [path for package in ("policies", "rooms") for path in sorted((ROOT / package).rglob("*.py"))]


def imported_packages(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name.partition(".")[0] for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]
            case _:
                pass


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_inner_module_imports_nothing_but_the_standard_library_and_what_is_inside_it(path: Path) -> None:
    allowed = {*sys.stdlib_module_names, "policies"}
    if path.is_relative_to(ROOT / "rooms"):
        allowed |= {"rooms", "catalogue"}
    assert set(imported_packages(path.read_text())) <= allowed


def test_a_framework_in_an_inner_module_would_be_seen() -> None:
    source = "import os.path\nfrom aiohttp import web\nimport nio.client as client\nfrom . import case\n"
    assert set(imported_packages(source)) == {"os", "aiohttp", "nio"}

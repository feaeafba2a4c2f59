"""Where the product begins units of work, by its source: what no scenario comes by, none of them can be cut at."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PRODUCT: Final = Path(__file__).parents[2]
BEGINS: Final = frozenset({"begin", "begin_repeatable"})
"""Methods of a database."""


def sites() -> frozenset[str]:
    """The module and the function of each, as `boundaries` names them."""
    sources = (path for package in ("appservice", "rooms") for path in (PRODUCT / package).rglob("*.py"))
    return frozenset(
        f"{source.stem}.{name}" for source in sources for name in _begin(ast.parse(source.read_text()), "")
    )


def _begin(node: ast.AST, function: str) -> Iterator[str]:
    """The innermost function of each place within that node."""
    for child in ast.iter_child_nodes(node):
        inner = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        if (
            isinstance(child, ast.Call)
            and isinstance(child.func, ast.Attribute)
            and child.func.attr in BEGINS
            and ast.unparse(child.func.value).endswith("database")
        ):
            yield inner
        yield from _begin(child, inner)

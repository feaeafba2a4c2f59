"""YAML files that people write, read strictly and without its traps.

Only `true` and `false` are booleans (in YAML 1.1 `on`, `no` and `yes` are too, and `on:` is a key of our case
files), a key given twice is a mistake, and a syntax error names its line and column.
"""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Final

import yaml

from appservice.setup.mistakes import ConfigError, Mistake

MAX_SIZE: Final = 1024 * 1024
"""Bytes; a file of ours has a few thousand."""


def read(file: Path) -> dict[str, Any]:
    """The mapping in a file. Raises ConfigError: not there, not readable, not YAML, not a mapping."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise _wrong(file.name, f"cannot be read: {error.strerror}", f"looked at {file}") from None
    return parse(raw, file.name)


def parse(raw: bytes, source: str) -> dict[str, Any]:
    """The mapping in a YAML text; `source` names it in errors."""
    if len(raw) > MAX_SIZE:
        raise _wrong(source, f"larger than {MAX_SIZE} bytes", "")
    try:
        found = yaml.load(raw, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark, problem = error.problem_mark, error.problem or "not YAML"
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        remedy = "put a value that begins with @ in quotes" if "'@'" in problem else ""
        raise ConfigError(source, [Mistake(place, problem, remedy)]) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _wrong(source, "not YAML in UTF-8", "") from None
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise _wrong(source, "not a mapping of settings", "its first lines should look like `key: value`")
    return found


def _wrong(source: str, what: str, remedy: str) -> ConfigError:
    return ConfigError(source, [Mistake("", what, remedy)])


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2's booleans and without repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """The mapping, refusing a key given twice."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen:
                    raise yaml.MarkedYAMLError(None, None, f'"{key_node.value}" is given twice', key_node.start_mark)
                seen.add(key_node.value)
        return super().construct_mapping(node, deep=deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, expression) for tag, expression in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), list("tf"))

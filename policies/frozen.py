"""What values are made of: frozen dataclasses that share what is the same in all of them.

For each class `dataclasses` writes the source of each method and compiles it. Ours are some 590, and of what each of
them took, more than half was what refuses changes and what shows a value to whoever looks for a fault: 5 MB.
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field, fields
from typing import Any, Never, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Make it a dataclass, frozen and with slots, as `dataclass(frozen=True, slots=True)` does.

    It shows itself as such a one does, too, unless it says itself how: what is secret stays so.
    """
    made: Any = dataclass(frozen=True, slots=True, repr=False)(cls)
    made.__setattr__, made.__delattr__ = _refuse_to_set, _refuse_to_delete
    if "__repr__" not in vars(cls):
        made.__repr__ = _shown
    return made  # type: ignore[no-any-return]


def _refuse_to_set(_: object, name: str, _value: object) -> Never:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_: object, name: str) -> Never:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _shown(self: Any) -> str:
    named = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
    return f"{type(self).__qualname__}({', '.join(named)})"

"""Frozen dataclasses as JSON documents, for the columns that hold a whole value.

Every dataclass is written with its class name. Pydantic would leave that out, and then guess the class of a union's
member by its fields: it takes an `AuthenticatedMail` for a `SignedDevice`, since neither has any. Here a wrong name, a
missing or an unknown field is an error. A new field needs a default, or a migration of the stored documents.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

from policies.frozen import frozen
from policies.words.phrase import Phrase, phrase, stored

_CLASS: Final = "class"
_SAY, _WITH = "say", "with"
_PLAIN: Final = frozenset({str, int, bool})
# ASCII: a text from the network may hold half of a surrogate pair, which UTF-8 can't.
_JSON: Final = json.JSONEncoder(separators=(",", ":"))

T = TypeVar("T")

Pieces = dict[str, tuple[object, str]]
"""What was written of a value, by the names of its fields: what each held, and its JSON."""


class DocumentError(ValueError):
    """A stored document which is not what this program writes. The text never holds a value of it."""


@frozen
class _Codec:
    """How values of one type are written as JSON values, and read from them."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


class Document(Generic[T]):
    """Writes and reads values of one type: a dataclass, or a union of some."""

    def __init__(self, of: Any) -> None:
        """Values hold str, Phrase, int, bool, datetime, StrEnum, dataclasses, tuples, sets of texts, or unions.

        `of` can't be `type[T]`, for a union is none: write `codec: Document[Effect] = Document(Effect)`.
        """
        self._of, self._codec = of, _codec(of)

    def dump(self, value: T) -> bytes:
        """The value as JSON."""
        return _JSON.encode(self._codec.write(value)).encode()

    def dump_again(self, value: T, last: Pieces) -> bytes:
        """The same, if T is one dataclass, of a large value of which little changes: a field is written anew only where
        it holds another object than in `last`, which is kept up to date. An object never changes, so its text does
        not."""
        texts = [f'"{_CLASS}":"{self._of.__name__}"']
        for name, codec in _field_codecs(self._of).items():
            one, known = getattr(value, name), last.get(name)
            if known is None or known[0] is not one:
                known = last[name] = one, f'"{name}":{_JSON.encode(codec.write(one))}'
            texts.append(known[1])
        return f"{{{','.join(texts)}}}".encode()

    def load(self, document: bytes) -> T:
        """The value; raises DocumentError."""
        try:
            value: T = self._codec.read(json.loads(document))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # `from None`: the cause may quote what was stored.
            raise DocumentError(f"a document that can't be read ({type(error).__name__})") from None
        return value


@cache  # most types are within many others
def _codec(of: Any) -> _Codec:
    origin = get_origin(of)
    if hasattr(of, "__supertype__"):
        return _codec(of.__supertype__)
    if of is Phrase:
        return _Codec(_written, _said)
    if of in _PLAIN:
        return _Codec(_same, _exactly(of))
    if of is datetime:
        return _Codec(datetime.isoformat, datetime.fromisoformat)
    if origin in {Union, UnionType}:
        return _union(get_args(of))
    if origin is tuple and get_args(of)[1:] == (Ellipsis,):
        each = _codec(get_args(of)[0])
        return _Codec(
            lambda value: [each.write(one) for one in value], lambda value: tuple(each.read(one) for one in value)
        )
    if origin is frozenset:
        member = _codec(get_args(of)[0])
        return _Codec(
            lambda value: sorted(member.write(one) for one in value), lambda value: frozenset(map(member.read, value))
        )
    if isinstance(of, type) and issubclass(of, StrEnum):
        return _Codec(lambda value: value.value, of)
    if isinstance(of, type) and is_dataclass(of):
        return _dataclass(of)
    raise TypeError(f"no way to write {of} into a document")


def _written(text: str) -> Any:
    """Mostly it was said in the language of its reader before. What is told to several, is said only then: so its text
    is stored with what is filled in, or it could be found in no catalogue."""
    template = text.template if isinstance(text, Phrase) else None
    if template is None:
        return str(text)
    values = template.values.items()
    return {_SAY: template.english, _WITH: {name: _written(v) if isinstance(v, str) else v for name, v in values}}


def _said(value: Any) -> Phrase:
    if not isinstance(value, dict):
        return stored(_exactly(str)(value))
    if set(value) != {_SAY, _WITH}:
        raise TypeError
    values = {name: _said(v) if isinstance(v, str | dict) else _exactly(int)(v) for name, v in value[_WITH].items()}
    return phrase(_exactly(str)(value[_SAY]), **values)


def _same(value: Any) -> Any:
    return value


def _exactly(of: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) is not of:
            raise TypeError
        return value

    return read


@cache
def _field_codecs(of: type) -> Mapping[str, _Codec]:
    hints = get_type_hints(of)
    return {field.name: _codec(hints[field.name]) for field in fields(of)}


def _dataclass(of: type) -> _Codec:
    codecs = _field_codecs(of)
    required = {field.name for field in fields(of) if field.default is MISSING and field.default_factory is MISSING}

    # Most fields of most values are plain, or nothing: a case has a hundred of them, and is written with each post.
    writes = [(name, None if codec.write is _same else codec.write) for name, codec in codecs.items()]

    def write(value: Any) -> Mapping[str, Any]:
        written: dict[str, Any] = {_CLASS: of.__name__}
        for name, write_one in writes:
            one = getattr(value, name)
            written[name] = one if one is None or write_one is None else write_one(one)
        return written

    def read(value: Any) -> Any:
        given = dict(value)
        if given.pop(_CLASS) != of.__name__ or not required <= given.keys() <= codecs.keys():
            raise TypeError
        return of(**{name: codecs[name].read(one) for name, one in given.items()})

    return _Codec(write, read)


def _union(members: tuple[Any, ...]) -> _Codec:
    """Of dataclasses, told apart by name, or of one anything; either may be None."""
    some = [member for member in members if member is not NoneType]
    if len(some) == 1:
        inner = _codec(some[0])
    else:
        codecs = {
            member.__name__: _codec(member) for member in some if isinstance(member, type) and is_dataclass(member)
        }
        if len(codecs) != len(some):
            raise TypeError(f"no way to tell apart {members}")
        inner = _Codec(
            lambda value: codecs[type(value).__name__].write(value), lambda value: codecs[value[_CLASS]].read(value)
        )
    if len(some) == len(members):
        return inner
    return _Codec(
        lambda value: None if value is None else inner.write(value),
        lambda value: None if value is None else inner.read(value),
    )

"""Mistakes in what a person wrote (a configuration, a case file, an API request): where, what, and what mends it."""

import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from policies.frozen import frozen

_OWN: Final = "mistake"

_PLAIN: Final = {
    "missing": "missing",
    "string_type": "not text (numbers and dates need quotes)",
    "int_type": "not a whole number",
    "int_parsing": "not a whole number",
    "bool_type": "neither true nor false",
    "bool_parsing": "neither true nor false",
    "greater_than_equal": "less than {ge}",
    "less_than_equal": "more than {le}",
    "too_short": "has fewer than {min_length}",
    "too_long": "has more than {max_length}",
    "string_too_short": "empty or too short",
    "string_too_long": "longer than {max_length} characters",
    "literal_error": "must be {expected}",
    "model_type": "not a group of settings",
    "model_attributes_type": "not a group of settings",
    "tuple_type": "not a list",
}
"""pydantic's kinds of error in an administrator's words."""


@frozen
class Mistake:
    """One mistake. `where` is a path such as `email.smtp.port`, "" for the whole file. Values are never repeated."""

    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.where or 'the whole file'}: {self.what}" + (f" ({self.remedy})" if self.remedy else "")


class ConfigError(ValueError):
    """Everything that is wrong with one file or request, at once."""

    def __init__(self, source: str, mistakes: Iterable[Mistake]) -> None:
        self.source = source
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join([f"{source}:", *(f"  {mistake}" for mistake in self.mistakes)]))


def mistaken(what: str, remedy: str = "", *, at: str = "") -> PydanticCustomError:
    """What a validator raises; `at` is a path within what it validates."""
    return PydanticCustomError(_OWN, "{what}", {"what": what, "remedy": remedy, "at": at})


def explain(error: ValidationError, model: type[BaseModel]) -> tuple[Mistake, ...]:
    """pydantic's errors about `model`, in words."""
    found: list[Mistake] = []
    details = error.errors(include_url=False, include_input=False)
    for detail in details:
        if detail["type"] == "too_short" and any(_inside(other["loc"], detail["loc"]) for other in details):
            continue  # pydantic counts only the items that are right
        context = detail.get("ctx", {})
        nested = context.get("error")
        where = ".".join(filter(None, (path(detail["loc"]), context.get("at"))))
        if isinstance(nested, ConfigError):
            found += (replace(m, where=": ".join(filter(None, (nested.source, m.where)))) for m in nested.mistakes)
        else:
            what, remedy = _words(detail, model)
            found.append(Mistake(where, what, remedy))
    return tuple(found)


def path(location: Sequence[int | str]) -> str:
    """A location as a person writes it: `sides[0].people[1].email`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")


def near_miss(word: str, known: Iterable[str]) -> str:
    """`did you mean "x"?` for the known word most like `word`, or nothing."""
    close = get_close_matches(word.casefold(), list(known), n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else ""


def _inside(location: Sequence[int | str], outer: Sequence[int | str]) -> bool:
    return len(location) > len(outer) and tuple(location[: len(outer)]) == tuple(outer)


def _words(detail: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    location, context = detail["loc"], detail.get("ctx", {})
    if detail["type"] == _OWN:
        return context["what"], context["remedy"]
    if detail["type"] == "extra_forbidden":
        known = _keys_at(model, location[:-1])
        guess = near_miss(str(location[-1]), known)
        return "no such setting", guess or f"there are: {', '.join(known)}"
    field = _field_at(model, location)
    meaning = f"it is {field.description}" if field is not None and field.description else ""
    plain = _PLAIN.get(detail["type"], "")
    if detail["type"] == "enum":
        return f"not one of {context['expected']}", ""
    return plain.format(**context) or detail["msg"][:1].lower() + detail["msg"][1:], meaning


def _keys_at(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    inner = _models_at(model, location)
    return [field.alias or name for each in inner for name, field in each.model_fields.items()]


def _field_at(model: type[BaseModel], location: Sequence[int | str]) -> FieldInfo | None:
    names = [part for part in location if isinstance(part, str)]
    if not names:
        return None
    for each in _models_at(model, names[:-1]):
        if (field := _fields(each).get(names[-1])) is not None:
            return field
    return None


def _models_at(model: type[BaseModel], location: Sequence[int | str]) -> list[type[BaseModel]]:
    current = [model]
    for part in location:
        if isinstance(part, str):
            fields = [_fields(each).get(part) for each in current]
            current = [inner for field in fields if field for inner in _models_in(field.annotation)]
    return current


def _fields(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in {Union, types.UnionType, Annotated, list, tuple}:
        return [found for inner in get_args(annotation) for found in _models_in(inner)]
    return []

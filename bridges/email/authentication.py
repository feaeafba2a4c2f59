"""Authentication-Results fields (RFC 8601), read strictly: what does not parse whole is unreadable.

Written here because the parser on PyPI skips what it does not know and answers with the rest, which is the wrong
direction of failure for a field that decides who speaks.
"""

import re
from typing import Final

from bridges.email.fields import split_outside_quotes, without_comments
from policies.frozen import frozen

_FIELD_LIMIT: Final = 16 * 1024
_HEAD_LIMIT: Final = 512
_WORD: Final = r'(?:"(?:[^"\\]|\\.)*"|[^\s;="]+)'
_SERVER: Final = re.compile(rf"\s*({_WORD})\s*\d*\s*")
_STEP: Final = re.compile(r"[1-9]\d?")
_FIRST_WORD: Final = re.compile(rf"[\s(]*({_WORD})")
_PAIR: Final = re.compile(
    r'\s*([A-Za-z0-9][A-Za-z0-9._-]*)(?:\s*/\s*\d+)?\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;"]+)\s*', re.DOTALL
)


@frozen
class MethodResult:
    """One method's verdict, such as dkim=pass with header.d; names and results in lower case."""

    method: str
    result: str
    properties: tuple[tuple[str, str], ...]

    def every(self, name: str) -> tuple[str, ...]:
        """All values given for a property such as `header.from`, in lower case."""
        return tuple(value for found, value in self.properties if found == name)


@frozen
class AuthenticationResults:
    """What one server says it has verified. `results` is None where the field can't be read."""

    authserv_id: str
    results: tuple[MethodResult, ...] | None


@frozen
class ArcSet:
    """One step of a mail's way, as whoever sealed it states it (RFC 8617): what it had verified, and its domain."""

    instance: int
    sealer: str
    results: tuple[MethodResult, ...] | None


def parse_seals(seals: tuple[str, ...], results: tuple[str, ...]) -> tuple[ArcSet, ...]:
    """The sets of a chain, from the values of ARC-Seal and ARC-Authentication-Results; none where they don't fit
    together: one of each for every step from 1. Whether the seals are genuine is for our own mail server to say."""
    sealers = [_sealer(value) for value in seals]
    stated = [_stated(value) for value in results]
    numbers = list(range(1, len(sealers) + 1))
    if sorted(number for number, _ in sealers) != numbers or sorted(number for number, _ in stated) != numbers:
        return ()
    of_step = dict(stated)
    return tuple(ArcSet(number, sealer, of_step[number]) for number, sealer in sorted(sealers))


def _sealer(value: str) -> tuple[int, str]:
    tags = dict(_tags(value))
    number = tags.get("i", "")
    return (int(number) if _STEP.fullmatch(number) else 0), tags.get("d", "").lower()


def _stated(value: str) -> tuple[int, tuple[MethodResult, ...] | None]:
    step, _, rest = value.partition(";")
    number = dict(_tags(step)).get("i", "")
    return (int(number) if _STEP.fullmatch(number) else 0), parse_results(rest).results


def _tags(value: str) -> list[tuple[str, str]]:
    """Tags of a list such as DKIM's (RFC 6376, 3.2); the first of a name counts for nothing if it comes again."""
    parts = (tag.partition("=") for tag in value.split(";"))
    pairs = [(name.strip(), text.strip()) for name, equals, text in parts if equals]
    names = [name for name, _ in pairs]
    return [(name, text) for name, text in pairs if names.count(name) == 1]


def parse_results(value: str) -> AuthenticationResults:
    """Read one field's value. Never raises; an unreadable field still names its server as well as it can."""
    plain = without_comments(value) if len(value) <= _FIELD_LIMIT else None
    if plain is None:
        return AuthenticationResults(_claimed_server(value), None)
    head, *segments = split_outside_quotes(plain, ";") or [""]
    server = _SERVER.fullmatch(head) if len(head) <= _HEAD_LIMIT else None
    if server is None:
        return AuthenticationResults(_claimed_server(plain), None)
    authserv_id = _unquoted(server[1]).lower()
    segments = [segment for segment in segments if segment.strip()]
    if [segment.strip().lower() for segment in segments] == ["none"]:
        return AuthenticationResults(authserv_id, ())
    results = [_method_result(segment) for segment in segments]
    readable = [result for result in results if result is not None]
    complete = bool(results) and len(readable) == len(results)
    return AuthenticationResults(authserv_id, tuple(readable) if complete else None)


def _method_result(segment: str) -> MethodResult | None:
    pairs: list[tuple[str, str]] = []
    position = 0
    while position < len(segment):
        pair = _PAIR.match(segment, position)
        if pair is None:
            return None
        pairs.append((pair[1].lower(), _unquoted(pair[2]).lower()))
        position = pair.end()
    if not pairs or "." in pairs[0][0]:
        return None
    (method, result), *properties = pairs
    if any("." not in name and name != "reason" for name, _ in properties):
        return None
    return MethodResult(method, result, tuple(properties))


def _claimed_server(value: str) -> str:
    word = _FIRST_WORD.match(value[:1024])
    return _unquoted(word[1]).lower() if word else ""


def _unquoted(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1], flags=re.DOTALL) if word.startswith('"') else word

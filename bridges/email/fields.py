"""The header section of a raw mail, split into fields as a mail server does, with nothing interpreted.

Proof of the sender must not hang on how a lenient parser reads broken headers, so the fields are split here,
by the strict rules, and whatever breaks them marks the whole mail as malformed.
"""

import re
from typing import Final

from policies.frozen import frozen

_SECTION_LIMIT: Final = 256 * 1024
_FIELD_LIMIT: Final = 1000
_NAME: Final = re.compile(rb"([!-9;-~]+)([ \t]*):")
_END: Final = re.compile(rb"\r?\n\r?\n|\A\r?\n")


@frozen
class Fields:
    """The fields of a mail in their order, names in lower case, values unfolded; and the body's raw bytes."""

    fields: tuple[tuple[str, str], ...]
    body: bytes
    malformed: bool

    def every(self, name: str) -> tuple[str, ...]:
        """All values of that name, from the top."""
        return tuple(value for found, value in self.fields if found == name)

    def first(self, name: str) -> str:
        """The first value of that name, or an empty text."""
        return next((value for found, value in self.fields if found == name), "")


def split_fields(raw: bytes) -> Fields:
    """Split a raw mail at its first empty line (RFC 5322 section 2.1). Never raises."""
    end = _END.search(raw, 0, _SECTION_LIMIT)
    section, body = (raw[: end.start()], raw[end.end() :]) if end else (raw[:_SECTION_LIMIT], b"")
    malformed = b"\0" in section or b"\r" in section.replace(b"\r\n", b"\n")
    malformed = malformed or (end is None and len(raw) > _SECTION_LIMIT)
    fields: list[tuple[str, list[bytes]]] = []
    for line in section.replace(b"\r\n", b"\n").split(b"\n"):
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1][1].append(line)
            continue
        match = _NAME.match(line)
        if match is None:
            malformed = malformed or bool(line)
            continue
        if len(fields) == _FIELD_LIMIT:
            malformed = True
            break
        malformed = malformed or bool(match[2])
        fields.append((match[1].decode("ascii").lower(), [line[match.end() :]]))
    return Fields(
        tuple((name, b"".join(value).strip().decode("utf-8", "replace")) for name, value in fields),
        body,
        malformed,
    )


_OUTSIDE_COMMENT: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[^"()]+|\(', re.DOTALL)
_IN_COMMENT: Final = re.compile(r"\\.|[^()\\]+|[()]", re.DOTALL)


def without_comments(value: str) -> str | None:
    """A structured field without its comments (RFC 5322 section 3.2.2); None where they do not balance."""
    kept: list[str] = []
    depth = position = 0
    while position < len(value):
        token = (_IN_COMMENT if depth else _OUTSIDE_COMMENT).match(value, position)
        if token is None:
            return None
        position = token.end()
        if token[0] == "(":
            depth += 1
            kept.append(" ")
        elif token[0] == ")":
            depth -= 1
        elif not depth:
            kept.append(token[0])
    return None if depth else "".join(kept)


def split_outside_quotes(value: str, separator: str) -> list[str]:
    """The pieces between separators that stand outside quoted strings."""
    return re.findall(rf'(?:"(?:[^"\\]|\\.)*"|[^"{separator}])+', value, re.DOTALL)


_MAILBOX: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^"<>@:;,])*<([^<>"\s]+)>\s*', re.DOTALL)
_EMPTY_GROUP: Final = re.compile(r'[^"<>@:;,]*:\s*;\s*')


def addresses_in(value: str) -> tuple[str, ...]:
    """The addresses of a From, To or Cc field.

    What can't be read as one plain mailbox comes back as it stands: it then equals no address of anybody, and
    still counts as one more.
    """
    plain = without_comments(value)
    if plain is None:
        return (value,)
    if not plain.strip() or _EMPTY_GROUP.fullmatch(plain):
        return ()
    found = []
    for mailbox in split_outside_quotes(plain, ","):
        named = _MAILBOX.fullmatch(mailbox)
        address = named[1] if named else mailbox.strip()
        if address:
            found.append(address)
    return tuple(found) or (value,)

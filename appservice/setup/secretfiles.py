"""Secrets: where they come from, who else could read them, and whether they are any."""

import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from appservice.setup.mistakes import Mistake, mistaken

MIN_LENGTH: Final = 32
"""Characters of a token; ours have 43 (256 bits in base64)."""

_MIN_VARIETY: Final = 10
"""Different characters in a token: less is a keyboard pattern."""

_PLACEHOLDER: Final = re.compile(
    r"change[ _-]?me|replace[ _-]?(me|this)|\byour[ _-]|^<.*>$|^x{3,}$|example[ _-]?token", re.IGNORECASE
)


def is_placeholder(text: str) -> bool:
    """Whether a value is what an example says in place of one."""
    return _PLACEHOLDER.search(text) is not None


def strong(token: str) -> str:
    """A token nobody can guess. For validators."""
    if is_placeholder(token):
        raise mistaken("a placeholder, not a secret", "let `mediatrix init` make one, or: openssl rand -base64 32")
    if len(token) < MIN_LENGTH or len(set(token)) < _MIN_VARIETY:
        raise mistaken(f"too easy to guess: at least {MIN_LENGTH} random characters", "openssl rand -base64 32")
    return token


def fresh_token() -> str:
    """A new token of 256 random bits."""
    return secrets.token_urlsafe(32)


def exposed(file: Path) -> Mistake | None:
    """What is wrong with a file that every account of the machine can read or change. Raises OSError."""
    if stat.S_IMODE(file.stat().st_mode) & 0o007:
        return Mistake("", f"{file} can be read or changed by every account of this machine", f"chmod o= {file}")
    return None


def resolve(value: object, context: Mapping[str, Any]) -> str:
    """The text behind `{file: PATH}` or `{env: NAME}`; `context` has `folder` and `environ`. For validators."""
    match value:
        case {"file": str(name), **rest} if not rest:
            return _from_file(context["folder"] / name)
        case {"env": str(name), **rest} if not rest:
            found = context["environ"].get(name)
            if not found:
                raise mistaken(
                    f"the environment variable {name} is not set", f"set {name} where the service is started"
                )
            return str(found)
        case str():
            raise mistaken("a secret does not stand in this file", "write {file: PATH} or {env: NAME}")
        case _:
            raise mistaken("not a secret's place", "write {file: PATH} or {env: NAME}")


def _from_file(file: Path) -> str:
    try:
        if (open_to_all := exposed(file)) is not None:
            raise mistaken(open_to_all.what, open_to_all.remedy)
        text = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise mistaken(
            f"{file} cannot be read: {why}", "check the path and the owner, or run `mediatrix init`"
        ) from None
    if not text:
        raise mistaken(f"{file} is empty", "let `mediatrix init` make one")
    return text

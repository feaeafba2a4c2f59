"""Log lines: one a line, structured, each with the request or item it belongs to.

Nothing secret may reach a log line in the first place (I7). Of an exception the kinds and the places are logged and
not the words: those are often the very thing that could not be handled. Who wants words writes them into the message.
"""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from traceback import extract_tb
from typing import Any, TextIO

_context: ContextVar[str] = ContextVar("mediatrix_log_context", default="-")


class LogFormat(StrEnum):
    """How a line looks."""

    TEXT = "text"
    JSON = "json"


@contextmanager
def log_context(context: str) -> Iterator[None]:
    """Name what the lines of this task, and of tasks it starts, are about: a request id, a case, an item."""
    token = _context.set(context)
    try:
        yield
    finally:
        _context.reset(token)


def current_context() -> str:
    """What this task's lines are about, "-" for nothing in particular."""
    return _context.get()


def configure(level: str, form: LogFormat, stream: TextIO = sys.stderr) -> None:
    """Send every log line of the process from `level` on (debug, info …) to `stream`, in place of what was before."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_JsonFormatter() if form is LogFormat.JSON else _TextFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    # Their lines name what we may not: nio and aiohttp log bodies and URLs, the libraries for mail addresses.
    for name in ("nio", "aiohttp.access", "mail.log", "aiosmtplib", "imapclient", "asyncio", "sqlalchemy", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


class _Formatter(logging.Formatter):
    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        kinds: list[str] = []
        error: BaseException | None = ei[1]
        while error is not None:
            where = "".join(
                f"\n  {frame.filename}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)
            )
            kinds.append(f"{type(error).__module__}.{type(error).__qualname__}{where}")
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\nbecause of ".join(kinds)


class _JsonFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "context": current_context(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class _TextFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)} {record.levelname:7} {record.name} [{current_context()}] {record.getMessage()}"
        if record.exc_info:
            line += f"\n{self.formatException(record.exc_info)}"
        # One record is one line: what a party wrote could otherwise forge the next one.
        return line.replace("\r", "\\r").replace("\n", "\n    ")


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")

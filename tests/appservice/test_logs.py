"""One record is one line, with what it is about and without what could not be handled."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from appservice.logs import LogFormat, configure, current_context, log_context


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    yield io.StringIO()
    root.handlers[:], root.level = before


def test_a_line_says_which_request_it_belongs_to(stream: io.StringIO) -> None:
    configure("info", LogFormat.JSON, stream)
    with log_context("req-1"):
        logging.getLogger("mediatrix.test").info("%d done", 3)
    assert current_context() == "-"
    line = json.loads(stream.getvalue())
    assert (line["level"], line["context"], line["message"]) == ("info", "req-1", "3 done")


@pytest.mark.parametrize("form", list(LogFormat))
def test_an_exception_shows_its_kinds_and_places_and_not_its_words(stream: io.StringIO, form: LogFormat) -> None:
    configure("info", form, stream)
    try:
        try:
            raise ValueError("carl@example.org")
        except ValueError as error:
            raise RuntimeError("a caucus") from error
    except RuntimeError:
        logging.getLogger("mediatrix.test").exception("it failed")
    text = stream.getvalue()
    assert "builtins.RuntimeError" in text
    assert "builtins.ValueError" in text
    assert "test_logs.py" in text
    assert "carl" not in text
    assert "caucus" not in text


def test_what_is_logged_can_not_forge_a_line(stream: io.StringIO) -> None:
    configure("info", LogFormat.TEXT, stream)
    logging.getLogger("mediatrix.test").info("a\nERROR forged")
    assert [line.startswith("    ") for line in stream.getvalue().splitlines()] == [False, True]


def test_libraries_that_log_what_people_write_are_kept_quiet(stream: io.StringIO) -> None:
    configure("debug", LogFormat.TEXT, stream)
    for name in ("nio.rooms", "aiohttp.access", "mail.log", "imapclient.imaplib", "sqlalchemy.engine"):
        logging.getLogger(name).info("carl@example.org")
    assert stream.getvalue() == ""

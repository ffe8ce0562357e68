"""Log lines: foreign texts neither fill the log nor write to the terminal."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from pipeline import logs


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()


def test_control_characters_are_escaped_on_a_terminal() -> None:
    stream = Terminal()
    logs.configure(stream=stream)

    structlog.get_logger().info("event\x1b]0;title\x07 handled", id="\x1b[2J\nINFO forged", type="t\u202eelbon")

    written = stream.getvalue()
    assert written.count("\n") == 1
    for hidden in ("\x1b]0", "\x07", "\x1b[2J", "\u202e"):
        assert hidden not in written
    assert "INFO forged" in written


def test_long_fields_are_cut_but_not_a_whole_event() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)

    structlog.get_logger().error("not stored", id="x" * 1_900_000, cloudevent="y" * 50_000)

    line = json.loads(stream.getvalue())
    assert len(line["id"]) < 1100
    assert line["id"].endswith("(1900000 characters)")
    assert len(line["cloudevent"]) == 50_000


def test_traceback_keeps_its_lines() -> None:
    stream = Terminal()
    logs.configure(stream=stream)

    try:
        raise ValueError("\x1b[2J")
    except ValueError:
        structlog.get_logger().exception("failed")

    assert "\x1b[2J" not in stream.getvalue()
    assert stream.getvalue().count("\n") > 3

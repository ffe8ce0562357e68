"""Stored events as files: JSON Lines that can be posted again, and CSV for a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from functions.display import row
from functions.display.columns import COLUMNS, Use
from functions.display.ring import StoredEvent
from pipeline.cloudevents import to_json

CSV_COLUMNS = tuple(column.name for column in COLUMNS if Use.CSV in column.uses)

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""The beginnings of a cell that a spreadsheet computes."""


def json_lines(events: Iterable[StoredEvent]) -> Iterator[bytes]:
    """Yield a line for each event, in structured mode.

    `while read -r event; do curl … -d "$event"; done` posts them again.
    """
    for stored in events:
        document = to_json(stored.event)
        # Line breaks within JSON are white space between its values, never a part of them.
        yield document.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"


def comma_separated(events: Iterable[StoredEvent]) -> Iterator[bytes]:
    """Yield a heading, and a line for each event, as in RFC 4180. No cell is a formula."""
    yield _line(CSV_COLUMNS)
    for stored in events:
        values = row.by_name(stored.summary) | {
            "received": datetime.fromtimestamp(stored.received_ms / 1000, UTC).isoformat(timespec="milliseconds"),
            "repeats": stored.repeats,
        }
        yield _line([_safe(str(values[name])) for name in CSV_COLUMNS])


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def _line(cells: Iterable[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode("utf-8", "replace")

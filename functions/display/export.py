"""Held events as files: JSON Lines that can be posted again, and CSV for a spreadsheet."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from functions.display.history import Held
from pipeline.cloudevents import CloudEvent, to_json

CSV_COLUMNS = (
    "received", "time", "severity", "type", "message", "target", "kind", "user", "source", "subject", "id", "repeats",
)  # fmt: skip

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet compute a cell."""


def json_lines(events: Iterable[Held]) -> Iterator[bytes]:
    """A line each, in structured mode: `while read -r event; do curl … -d "$event"; done` posts them again."""
    for held in events:
        document = to_json(CloudEvent(json.loads(held.attributes), held.data))
        yield (
            document.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"
        )  # white space between JSON values, nothing else


def comma_separated(events: Iterable[Held]) -> Iterator[bytes]:
    """A heading and a line each, as RFC 4180 has it; no cell is a formula."""
    yield _line(CSV_COLUMNS)
    for held in events:
        known = held.summary._asdict() | {
            "received": datetime.fromtimestamp(held.received_ms / 1000, UTC).isoformat(timespec="milliseconds"),
            "repeats": held.repeats,
        }
        yield _line([_safe(str(known[name])) for name in CSV_COLUMNS])


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def _line(cells: Iterable[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode("utf-8", "replace")

"""Rows: the summaries of events that every viewer gets, some 250 bytes each, as JSON lists in the order of `NAMES`."""

import json

from functions.display.columns import COLUMNS, Reading, Value
from pipeline.cloudevents import CloudEvent

Summary = tuple[Value, ...]
"""The values that are read from the event itself, in the order of `SUMMARY_NAMES`."""

SUMMARY_NAMES = tuple(column.name for column in COLUMNS if column.value is not None)
NAMES = ("seq", "repeats", "received", "version", *SUMMARY_NAMES)
"""First the values of the history: number, repeats, time of arrival in ms since 1970, version. Then the summary."""


def summary(event: CloudEvent) -> Summary:
    """Return the summary of *event*."""
    reading = Reading(event)
    return tuple(column.value(reading) for column in COLUMNS if column.value is not None)


def by_name(values: Summary) -> dict[str, Value]:
    """Return the values of a summary by the names of their columns."""
    return dict(zip(SUMMARY_NAMES, values, strict=True))


def write(seq: int, repeats: int, received_ms: int, version: int, values: Summary) -> bytes:
    """Return a row as JSON."""
    row = [seq, repeats, received_ms, version, *values]
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")

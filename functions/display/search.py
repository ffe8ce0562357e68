"""The search in a display's file: by words and by values of columns, over many more events than memory holds.

Each event has its words, and a token for each value that the page filters by. SQLite's full-text index finds both, so
that a search reads what it finds and not the whole file.
"""

import contextlib
import hashlib
import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from functions.display import row
from functions.display.columns import COLUMNS, Use, Value

SCHEMA = "CREATE VIRTUAL TABLE search USING fts5 (words, facets, tokenize = 'unicode61');"

SEARCHED = tuple(column.name for column in COLUMNS if Use.SEARCH in column.uses)
FACETS = ("severity", *(column.name for column in COLUMNS if Use.FILTER in column.uses))

MAX_ROWS = 500

_EVERY = "every"
"""A token of every event, for a search that only excludes."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)").fullmatch
_WORD = re.compile(r'(-?)(?:"([^"]+)"|(\S+))')
_FIRST_MS, _LAST_MS = -(1 << 62), 1 << 62


def indexed(values: Mapping[str, Value]) -> tuple[str, str]:
    """Return the words and the tokens by which an event with these *values* is found."""
    words = " ".join(str(values[name]) for name in SEARCHED)
    facets = [_token(name, _facet(name, values[name])) for name in FACETS]
    return f"{words} {_CAMEL.sub(' ', str(values['type']))}", " ".join([_EVERY, *facets])


def time_of(values: Mapping[str, Value], received_ms: int) -> int:
    """Return when an event with these *values* happened, or arrived if it does not say, in ms since 1970."""
    time = str(values["time"])
    try:
        return round(datetime.fromisoformat(time).timestamp() * 1000) if _RFC3339(time) else received_ms
    except (ValueError, OverflowError):  # 30 February
        return received_ms


@dataclass(frozen=True)
class Query:
    """Conditions that all hold. They are those of the page's address."""

    text: str = ""
    """Words that occur, by their beginnings. `-word` does not occur, and `"several words"` stand together."""
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)
    excluded: Mapping[str, Sequence[str]] = field(default_factory=dict)
    from_ms: int = _FIRST_MS
    to_ms: int = _LAST_MS

    def expression(self) -> str:
        """Return the conditions as an expression of SQLite's full-text search."""
        required, excluded = [f"facets:{_EVERY}"], []
        for name, values in self.only.items():
            required.append(f"facets:({' OR '.join(_token(name, value) for value in values)})")
        for name, values in self.excluded.items():
            excluded += [f"facets:{_token(name, value)}" for value in values]
        for minus, phrase, word in _WORD.findall(self.text):
            words = re.findall(r"\w+", phrase or word.rpartition(":")[2])
            if words and not (minus and ":" in word):  # the page itself filters by `field:value`
                term = f'words:("{" ".join(words)}" *)'
                (excluded if minus else required).append(term)
        if len(required) > 1:
            required = required[1:]
        return " NOT ".join([f"({' AND '.join(required)})", *excluded])


def find(path: Path, query: Query, before: int, limit: int) -> tuple[list[bytes], int]:
    """Return the rows of the newest events before number *before* that *query* selects, the newest first.

    Also the number of the last one, before which there may be others, or 0 if there are no others. Reads the file at
    *path* beside the display that writes it.
    """
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=2)) as file:
        first, last = _bounds(file, query)
        bounds = min(before, last + 1), first, query.from_ms, query.to_ms
        matches = file.execute(_FIND, (query.expression(), *bounds, limit))
        rows = [(columns[0], _row(columns)) for columns in matches]
    return [written for _, written in rows], rows[-1][0] if len(rows) == limit else 0


_FIND = """
    SELECT events.seq, events.repeats, events.received_ms, events.version, events.important, events.summary
    FROM search JOIN events ON events.seq = search.rowid
    WHERE search MATCH ? AND search.rowid < ? AND search.rowid >= ? AND events.at_ms >= ? AND events.at_ms < ?
    ORDER BY search.rowid DESC LIMIT ?
"""


def _bounds(file: sqlite3.Connection, query: Query) -> tuple[int, int]:
    """Return the first and the last number of the events within the query's time."""
    if (query.from_ms, query.to_ms) == (_FIRST_MS, _LAST_MS):
        return 0, _LAST_MS
    bounds = file.execute(
        "SELECT min(seq), max(seq) FROM events WHERE at_ms >= ? AND at_ms < ?", (query.from_ms, query.to_ms)
    ).fetchone()
    return (0, 0) if bounds[0] is None else bounds


def _row(columns: tuple[int, int, int, int, int, str]) -> bytes:
    seq, repeats, received_ms, version, important, saved = columns
    values = json.loads(saved)
    summary = tuple(values.get(name, "") for name in row.SUMMARY_NAMES)
    return row.write(seq, repeats, received_ms, version, bool(important), summary)


def _facet(name: str, value: Value) -> str:
    return str(value).removesuffix("?") if name == "severity" else str(value)


def _token(name: str, value: str) -> str:
    return hashlib.blake2s(f"{name}={value}".encode("utf-8", "replace"), digest_size=6).hexdigest()

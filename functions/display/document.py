"""The page as one document: the HTML of `static/` with the style, the columns and the modules inside.

So a first load is one request, and the Content-Security-Policy can name the exact script and style. The modules are
ordinary ES modules that import each other. Here they are put in order and joined without their comments. No two of them
may have a top-level name in common: the page would not run, and its tests would fail.
"""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from functions.display.columns import COLUMNS, Cell, Use
from pipeline import web

STATIC = Path(__file__).parent / "static"

VIEWS = ("events", "trigger")
PHONE = 720
"""The maximum width of a phone's window, in CSS pixels. `display.css` and `table.js` also have it."""

_IMPORT = re.compile(r'^import\s+(?:[^;]*?\sfrom\s+)?"\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const|let) )", re.MULTILINE)
_COMMENT = re.compile(r"^[ \t]*/\*\*.*?\*/\n", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Document:
    """The response to `GET /`."""

    plain: bytes
    compressed: bytes
    etag: str
    policy: str
    """The Content-Security-Policy under which it runs."""


def assemble(folder: Path = STATIC) -> Document:
    """Return the page from `index.html`, `display.css`, `icon.svg`, the columns, and `display.js` with its imports."""
    style = (folder / "display.css").read_text(encoding="utf-8") + columns_css()
    script = join_modules(folder, "display.js")
    icon = base64.b64encode((folder / "icon.svg").read_bytes()).decode()
    columns = json.dumps(columns_json(), separators=(",", ":")).replace("<", "\\u003c")
    html = (folder / "index.html").read_text(encoding="utf-8")
    data = '<script type="application/json" id="columns">'
    for line, replacement in (
        ('<link rel="icon" href="icon.svg">', f'<link rel="icon" href="data:image/svg+xml;base64,{icon}">'),
        ('<link rel="stylesheet" href="display.css">', f"<style>{style}</style>"),
        (f"{data}</script>", f"{data}{columns}</script>"),
        ('<script type="module" src="display.js"></script>', f'<script type="module">{script}</script>'),
    ):
        before, separator, after = html.partition(line)
        if not separator:
            raise ValueError(f"index.html has no {line}")
        html = before + replacement + after
    plain = html.encode()
    etag = hashlib.sha256(plain).hexdigest()[:16]
    return Document(plain, gzip.compress(plain, 9, mtime=0), etag, web.page_policy(script=script, style=style))


def join_modules(folder: Path, entry: str) -> str:
    """Return the module *entry* and all its imports as one module, the imports first."""
    ordered: list[str] = []
    _visit(folder, entry, ordered, set())
    return "\n".join(ordered)


def _visit(folder: Path, name: str, ordered: list[str], seen: set[str]) -> None:
    if name in seen:
        return
    seen.add(name)
    source = (folder / name).read_text(encoding="utf-8")
    for imported in _IMPORT.findall(source):
        _visit(folder, imported, ordered, seen)
    ordered.append(f"// ── {name} ──\n" + _COMMENT.sub("", _EXPORT.sub("", _IMPORT.sub("", source))))


def columns_json() -> list[dict[str, Any]]:
    """Return the columns as the page reads them (`Column` in `static/types.d.ts`)."""
    return [
        {
            "name": column.name,
            "label": column.label or column.name,
            "related": column.related,
            "format": column.format,
            **{str(use.name).lower(): use in column.uses for use in Use},
            **{
                view: {"title": cell.title, "format": cell.format, "style": cell.style}
                for view, cell in (("events", column.events), ("trigger", column.trigger))
                if cell is not None
            },
        }
        for column in COLUMNS
    ]


def columns_css() -> str:
    """Return the widths of the columns in each view, and which ones are hidden where there is little room."""
    return "".join(map(_view_css, VIEWS))


def _view_css(view: str) -> str:
    cells = _cells(view)
    beside = [(name, cell) for name, cell in cells if cell.beside_event]
    phone = [(name, cell) for name, cell in cells if cell.phone_area]
    table = f'[data-view="{view}"]'
    detail = f".detail-open {table}"
    areas = "".join(f"{table} #rows .{name} {{ grid-area: {cell.phone_area}; }}\n" for name, cell in phone)
    return (
        f"@media (width > {PHONE}px) {{\n"
        f"{_tracks(table, (cell.width for _, cell in cells))}"
        f"{_tracks(detail, (cell.beside_event for _, cell in beside))}{_hidden(detail, cells, beside)}}}\n"
        f"@media (width <= {PHONE}px) {{\n{areas}{_hidden(f'{table} #rows', cells, phone)}}}\n"
    )


def _cells(view: str) -> list[tuple[str, Cell]]:
    """Return (column, cell) of *view*, from left to right."""
    pairs = ((column.name, column.events if view == "events" else column.trigger) for column in COLUMNS)
    return [(name, cell) for name, cell in pairs if cell is not None]


def _tracks(place: str, widths: Iterable[str]) -> str:
    return f"{place} .row {{ grid-template-columns: {' '.join(widths)}; }}\n"


def _hidden(place: str, cells: list[tuple[str, Cell]], shown: list[tuple[str, Cell]]) -> str:
    hidden = [f".{name}" for name, cell in cells if (name, cell) not in shown]
    return f"{place} :is({', '.join(hidden)}) {{ display: none; }}\n" if hidden else ""

"""The search in the display's file, for events that the page does not hold."""

import sqlite3
from datetime import datetime

from flask import Blueprint, Response, request
from werkzeug.datastructures import MultiDict

from functions.display import row, search
from functions.display.app_state import AppState
from functions.display.routes.responses import text


def add(routes: Blueprint, state: AppState) -> None:
    """Add the search."""

    @routes.get("/api/search")
    def search_file() -> Response:
        """Rows of the newest events that the address selects, as that of the page does, before the number `before`."""
        if state.file is None:
            return text("only a display with DISPLAY_FILE keeps events to search", 404)
        try:
            query, before, limit = (
                _query(request.args),
                int(request.args["before"]),
                int(request.args.get("limit", 200)),
            )
        except (ValueError, KeyError) as error:
            return text(f"not a search: {error!r}", 400)
        try:
            rows, older = search.find(state.file, query, before, max(1, min(limit, search.MAX_ROWS)))
        except sqlite3.Error as error:
            return text(f"DISPLAY_FILE cannot be searched: {error}", 503)
        columns = ",".join(f'"{name}"' for name in row.NAMES)
        body = b'{"columns":[%s],"rows":[%s],"older":%d}' % (columns.encode(), b",".join(rows), older)
        return Response(body, mimetype="application/json", headers={"Cache-Control": "no-store"})


def _query(parameters: MultiDict[str, str]) -> search.Query:
    severities = [name for name in parameters.get("severity", "").split(",") if name]
    only = {name: parameters.getlist(name) for name in search.FACETS if name in parameters and name != "severity"}
    return search.Query(
        text=parameters.get("q", "")[:1000],
        only=only | ({"severity": severities} if severities else {}),
        excluded={name: parameters.getlist(f"not-{name}") for name in search.FACETS if f"not-{name}" in parameters},
        from_ms=_milliseconds(parameters.get("from")) or search.Query.from_ms,
        to_ms=_milliseconds(parameters.get("to")) or search.Query.to_ms,
    )


def _milliseconds(time: str | None) -> int | None:
    return round(datetime.fromisoformat(time).timestamp() * 1000) if time else None

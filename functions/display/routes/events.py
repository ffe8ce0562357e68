"""Stored events: one in full, those that a Trigger selects, and all of them as a file."""

import json
import time
from collections.abc import Callable, Iterable

from flask import Blueprint, Response, request

from functions.display import export, match, triggers
from functions.display.app_state import AppState
from functions.display.rejected import body_document
from functions.display.ring import StoredEvent
from functions.display.routes.responses import json_document, text
from functions.display.store import read_event
from pipeline import bounds, payload
from pipeline.errors import PermanentError, TemporaryError

_FORMATS: dict[str, tuple[str, Callable[[Iterable[StoredEvent]], Iterable[bytes]]]] = {
    "jsonl": ("application/jsonl", export.json_lines),
    "csv": ("text/csv", export.comma_separated),
}


def add(routes: Blueprint, state: AppState) -> None:
    """Add the routes of events."""
    history = state.history

    @routes.get("/api/events/<int:seq>")
    def one_event(seq: int) -> Response:
        """One event in full. Its payload is `text` if it is UTF-8, else `base64`."""
        stored = history.get(seq) or (read_event(state.file, seq) if state.file is not None else None)
        return text("this event is no longer held", 404) if stored is None else json_document(_document(stored))

    @routes.get("/api/events/<int:seq>/triggers")
    def triggers_of_event(seq: int) -> Response:
        """The Triggers that exist, with the verdict of each on this event."""
        stored = history.get(seq)
        if stored is None:
            return text("this event is no longer held", 404)
        try:
            verdicts = triggers.explained(state.triggers, stored)
        except PermanentError as error:
            return text(str(error), 500)
        except TemporaryError as error:
            return text(str(error), 502)
        return json_document({"known": bool(state.triggers), "triggers": verdicts})

    @routes.post("/api/match")
    def matching() -> Response:
        """The number of events that the Trigger in the body (YAML) would select, and of all events.

        `?seq=` adds `parts`: why it selects that event, or does not.
        """
        trigger = request.get_data(as_text=True)
        stored = history.get(request.args.get("seq", 0, type=int))
        try:
            matches, total = match.count(trigger, history.events())
            parts = match.explain(trigger, stored) if stored is not None else None
        except PermanentError as error:
            return text(str(error), 400)
        return json_document({"matches": matches, "held": total} | ({"parts": parts} if parts is not None else {}))

    @routes.route("/api/export.<extension>", methods=["GET", "POST"])
    def exported(extension: str) -> Response:
        """All events as a file, oldest first. For a POST, those whose numbers its JSON list has."""
        if extension not in _FORMATS:
            return text(f"there is no export {extension}; one of {', '.join(_FORMATS)}", 404)
        events = history.events()
        if request.method == "POST":
            numbers = request.get_json(force=True, silent=True)
            if not isinstance(numbers, list):
                return text("the body is not a JSON list of event numbers", 400)
            selected = {number for number in numbers if isinstance(number, int)}
            events = [stored for stored in events if stored.seq in selected]
        mimetype, write = _FORMATS[extension]
        name = time.strftime(f"events-%Y%m%dT%H%M%SZ.{extension}", time.gmtime())
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Response(write(events), mimetype=mimetype, headers=headers)


def _document(stored: StoredEvent) -> dict[str, object]:
    return {
        "seq": stored.seq,
        "received": stored.received_ms,
        "repeats": stored.repeats,
        "version": stored.version,
        "attributes": json.loads(stored.attributes),
        "headers": json.loads(stored.headers),
        "message": payload.message(stored.event, bounds.EVENT_MESSAGE_CHARACTERS),
        "size": len(stored.data),
        **body_document(stored.data),
    }

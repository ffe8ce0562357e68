"""The display's routes: the page, the stream of rows that keeps it current, and one event in full.

The stream is server-sent events. Its ids are `epoch.revision`: a page that reconnects says the last one it has
(Last-Event-ID) and gets what changed since; the epoch is this process's, so a page that outlived it starts afresh.
"""

import json
import secrets
import threading
import time
from collections.abc import Iterator

from cloudevents.http import from_json
from flask import Blueprint, Response, request

from functions.display.history import History
from pipeline import payload

STREAM_SECONDS = 240.0
"""A stream ends after this, and the page reconnects: Knative would cut it at its time-out, 300 s by default."""

HEARTBEAT_SECONDS = 10.0
"""A silent stream says something this often: that is how a viewer who left is noticed."""

RECONNECT_MS = 1000
"""How long a page waits before it reconnects."""

ROWS_PER_FRAME = 500
"""Rows sent in one message, so that a page which is far behind paints early and no write is large."""

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def blueprint(history: History, viewers: int) -> Blueprint:
    """The routes over *history*; at most *viewers* streams are open, one more is answered 503."""
    routes = Blueprint("display", __name__, static_folder="static", static_url_path="/assets")
    epoch = secrets.token_hex(4)
    seats = threading.BoundedSemaphore(viewers)

    @routes.get("/")
    def index() -> Response:
        return routes.send_static_file("index.html")

    @routes.get("/api/events")
    def events() -> Response:
        """The stream. `?after=` stands in for Last-Event-ID where a page opens a new stream itself."""
        if not seats.acquire(blocking=False):
            full = "every place for a viewer is taken; THREADS makes more\n"
            return Response(full, 503, {"Retry-After": "5"}, mimetype="text/plain")
        last_id = request.headers.get("Last-Event-ID") or request.args.get("after", "")
        response = Response(
            stream(history, epoch, last_id),
            mimetype="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        response.call_on_close(seats.release)
        return response

    @routes.get("/api/events/<int:seq>")
    def one_event(seq: int) -> Response:
        """`{"attributes", "payload", "repeats"}` of one event; the payload is text, laid out to be read."""
        found = history.document(seq)
        if found is None:
            return Response("this event is no longer held\n", 404, mimetype="text/plain")
        document, repeats = found
        event = from_json(document)
        body = {"attributes": dict(event.get_attributes()), "payload": payload.pretty(event), "repeats": repeats}
        return Response(json.dumps(body), mimetype="application/json", headers={"Cache-Control": "no-store"})

    @routes.after_request
    def secure(response: Response) -> Response:
        response.headers.update(SECURITY_HEADERS)
        return response

    return routes


def stream(history: History, epoch: str, last_id: str) -> Iterator[bytes]:
    """Server-sent events for one viewer: `reset` where the page has to start afresh, then rows as JSON lists.

    A page starts afresh when it is new, when *last_id* is of another process, or when the ring has moved past it;
    `reset` carries `{"capacity", "missed"}`, and every event held follows.
    """
    known_epoch, _, revision = last_id.partition(".")
    resumed = known_epoch == epoch and revision.isdecimal() and len(revision) < 19
    cursor = int(revision) if resumed else 0
    yield f"retry: {RECONNECT_MS}\n\n".encode()
    ends = time.monotonic() + STREAM_SECONDS
    fresh = not resumed
    while (left := ends - time.monotonic()) > 0:
        changes = history.changes(cursor, wait_seconds=0 if fresh else min(HEARTBEAT_SECONDS, left))
        if changes is None:
            return
        if fresh or changes.missed:
            reset = {"capacity": history.capacity, "missed": 0 if fresh else changes.missed}
            yield f"event: reset\ndata: {json.dumps(reset)}\n\n".encode()
        for start in range(0, len(changes.rows), ROWS_PER_FRAME):
            part = changes.rows[start : start + ROWS_PER_FRAME]
            cursor = part[-1][0]
            yield f"id: {epoch}.{cursor}\ndata: [".encode() + b",".join(row for _, row in part) + b"]\n\n"
        if not changes.rows:
            yield b": nothing new\n\n"
        fresh = False

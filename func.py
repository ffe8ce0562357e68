"""The door: `FUNCTION` → function object; request → event; error → HTTP status.

Here and in the launcher, and nowhere else, parliament is known: functions are plain objects, and another function
runtime would change this file only. The builders recognise the project by its `main` and its import of parliament.
"""

import importlib
import json
import os
import threading
import time
import uuid
from collections.abc import Mapping

import structlog
from cloudevents.http import CloudEvent as ParliamentEvent
from cloudevents.http import from_http
from flask import Flask, Request, Response, current_app
from parliament import Context, server
from werkzeug.exceptions import HTTPException

from functions import Environ, Function, ReadsRequests
from pipeline import settings
from pipeline.cloudevents import CloudEvent, create, to_binary
from pipeline.errors import PermanentError, SettingsError, TemporaryError, cut

FUNCTIONS = {
    "poller": "functions.poller",
    "display": "functions.display",
    "notify": "functions.notify",
    "deadletter": "functions.deadletter",
    "tag": "functions.tag",
    "attribute": "functions.attribute",
    "webhook": "functions.webhook",
    "maintenance": "functions.maintenance",
    "failover": "functions.failover",
    "capacity": "functions.capacity",
    "preempt": "functions.preempt",
}
"""What `FUNCTION` may say → the module whose `create(environ)` makes it. Only the chosen one is imported."""

REASON_BYTES = 768
"""An answer's most. Knative 0.47 puts it into a dead letter as base64, in a buffer of 1,024 bytes: more than fits there
ends its channel dispatcher by a panic, and every event that this holds is lost."""

REQUIRED_ATTRIBUTES = ("specversion", "id", "source", "type")

log = structlog.get_logger()


def open_function(name: str, environ: Environ) -> Function:
    """The function *name*, with its settings from *environ*.

    Raises `SettingsError` with the list of names when there is none of that name, or with every fault of its settings.
    """
    if name not in FUNCTIONS:
        raise SettingsError([f"FUNCTION is {name!r}, not one of {', '.join(FUNCTIONS)}; for example FUNCTION=display"])
    function: Function = importlib.import_module(FUNCTIONS[name]).create(environ)
    return function


def application(name: str, function: Function) -> Flask:
    """parliament's Flask application around *function*, with the function's own routes."""
    app: Flask = server.create(Door(name, function))
    # parliament's "No CloudEvent available" says less than the line that the door logs about the same request.
    app.logger.setLevel("ERROR")
    if function.blueprint is not None:
        app.register_blueprint(function.blueprint)
    return app


class Door:
    """One function behind parliament's contract: an object with `main(context)`, which never raises."""

    def __init__(self, name: str, function: Function) -> None:
        self._name = name
        self._function = function

    def main(self, context: Context) -> Response:
        """Answer `GET /` with the function's page, and `POST /` with what came of handling its event."""
        return self._page() if context.request.method == "GET" else self._receive(context)

    def _page(self) -> Response:
        # parliament's own route for GET / comes first, so a function's page is called from here.
        blueprint = self._function.blueprint
        index = current_app.view_functions.get(f"{blueprint.name}.index") if blueprint is not None else None
        if index is not None:
            return current_app.make_response(current_app.ensure_sync(index)())
        return _text(f"This is the function {self._name} of vcenter-events: POST a CloudEvent to this address.", 200)

    def _receive(self, context: Context) -> Response:
        """202 without a body, or 200 with the reply event; 400, 503 or 500 with the reason in one line."""
        started = time.perf_counter()
        event: ParliamentEvent | None = context.cloud_event
        reply: CloudEvent | None = None
        reason = ""
        told: Mapping[str, object] = {}
        try:
            if isinstance(self._function, ReadsRequests):
                told = self._function.receive(context.request.headers, context.request.get_data())
            else:
                reply = self._function.handle(well_formed(context.request, event))
            status = 202 if reply is None else 200
        except TemporaryError as error:
            status, reason = 503, cut(str(error))
        except PermanentError as error:
            status, reason = 400, cut(str(error))
        except HTTPException as error:
            status, reason = error.code or 400, cut(error.description or "")
        except Exception:
            error_id = uuid.uuid4().hex[:12]
            status, reason = 500, f"internal error {error_id}; the log of {self._name} has it under this id"
            log.exception("event failed", error_id=error_id)

        outcome = log.info if status < 300 else log.warning
        outcome(
            "event handled" if status < 300 else "event refused",
            status=status,
            ms=round((time.perf_counter() - started) * 1000, 1),
            **({"reason": reason} if reason else {}),
            **(told or ({name: event.get(name) for name in ("id", "type", "source")} if event is not None else {})),
        )
        if reply is not None:
            headers, body = to_binary(reply, percent_encoded=False)
            return Response(body, status, dict(headers))
        return _text(reason, status) if reason else Response(status=status)


def well_formed(request: Request, event: ParliamentEvent | None) -> CloudEvent:
    """*event*, which parliament read from *request*, or None when it could not.

    Raises `PermanentError` with what the request lacks: parliament says only that there is no event, so the request is
    read again to learn why; and it lets pass attributes that are empty or no text.
    """
    if event is None:
        raise PermanentError(f"not a CloudEvent: {_why_no_event(request)}")
    lacking = [name for name in REQUIRED_ATTRIBUTES if not isinstance(event.get(name), str) or not event[name].strip()]
    if lacking:
        raise PermanentError(f"not a CloudEvent: {', '.join(lacking)} must be text and not empty")
    return create(event.get_attributes(), event.get_data())


def _why_no_event(request: Request) -> str:
    content_type = request.mimetype or "none"
    if content_type == "application/cloudevents-batch+json":
        return "it is a batch; send one event a request"
    body = request.get_data()
    if any(header.lower().startswith("ce-") for header, _ in request.headers):
        missing = [f"ce-{name}" for name in REQUIRED_ATTRIBUTES if f"ce-{name}" not in request.headers]
        if missing:
            return f"missing headers: {', '.join(missing)}"
    else:
        try:
            structured = json.loads(body)
        except (ValueError, RecursionError) as error:
            modes = "no ce-specversion, ce-id, ce-source and ce-type headers, and"
            return f"{modes} the body (content type {content_type}) is not JSON that can be read: {error}"
        if not isinstance(structured, dict):
            return f"the body is JSON, but {type(structured).__name__} where an event is an object"
        missing = [name for name in REQUIRED_ATTRIBUTES if name not in structured]
        if missing:
            return f"missing attributes: {', '.join(missing)}"
    try:
        from_http(request.headers, body)
    except Exception as error:  # noqa: BLE001 - whatever the SDK raises is the reason; its errors have no common base
        return str(error) or type(error).__name__
    return "the CloudEvents SDK could not read it"


def _text(line: str, status: int) -> Response:
    body = line.encode()[: REASON_BYTES - 1].decode(errors="ignore")
    return Response(f"{body}\n", status, mimetype="text/plain")


# ── parliament's own server (`python -m parliament .`, `kn func run`): it imports this file and calls `main` ──

_opening = threading.Lock()
_door: Door | None = None


def main(context: Context) -> Response:
    """parliament's contract, for the function that the environment names; opened at the first request."""
    global _door  # noqa: PLW0603 - parliament calls a module, so the module keeps what it opened
    with _opening:
        if _door is None:
            wanted = settings.read(settings.ServerSettings, os.environ)
            _door = Door(wanted.function, open_function(wanted.function, os.environ))
    return _door.main(context)

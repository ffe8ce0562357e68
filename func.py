"""The entry point: `FUNCTION` → function, request → event, error → HTTP status.

Only this file and the launcher know parliament: functions are plain objects, and another function runtime would change
these two only. The builders recognize the project by its `main` and its import of parliament.
"""

import importlib
import os
import pkgutil
import threading
import time
import uuid
from collections.abc import Mapping
from typing import NamedTuple

import structlog
from flask import Flask, Request, Response, current_app
from parliament import Context, server
from werkzeug.exceptions import HTTPException

import functions
from functions import Environ, Function, HasMetrics, ReadsRequests
from pipeline import cloudevents, metrics, settings
from pipeline.cloudevents import STRICT, HTTPMessage
from pipeline.errors import PermanentError, SettingsError, TemporaryError, cut

FUNCTIONS = tuple(module.name for module in pkgutil.iter_modules(functions.__path__))
"""The names that `FUNCTION` may have, in alphabetical order: the modules in `functions/`. None of them is imported."""

VERSION = "0.1.0"

REASON_BYTES = 768
"""The maximum size of an error's body. Knative 0.47 puts it into a dead letter as base64, in a buffer of 1,024 bytes. A
longer one makes its channel dispatcher panic, and every event that the dispatcher holds is lost."""

log = structlog.get_logger()


def open_function(name: str, environ: Environ) -> Function:
    """Return the function *name* with its settings from *environ*. Only its module is imported.

    Raises `SettingsError` with the list of names if there is no such function, or with every error of its settings.
    """
    if name not in FUNCTIONS:
        raise SettingsError([f"FUNCTION is {name!r}, not one of {', '.join(FUNCTIONS)}; for example FUNCTION=display"])
    function: Function = importlib.import_module(f"functions.{name}").create(environ)
    return function


class Outcome(NamedTuple):
    """The response to one request, as any web framework can send it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class FunctionAdapter:
    """Turns a request into an event for the function, and what comes of it into a status."""

    def __init__(self, name: str, function: Function, handled: metrics.HandledEvents | None = None) -> None:
        """Serve *function*, and count its events in *handled*."""
        self._name = name
        self._function = function
        self._handled = handled or metrics.HandledEvents(name)

    def respond(self, message: HTTPMessage) -> Outcome:
        """Handle a `POST /` and log it in one line. Never raises.

        The status is 202 without a body, 200 with the reply event, or 400, 503 or 500 with the reason in one line.
        """
        started = time.perf_counter()
        logged: dict[str, object] = {}
        try:
            outcome = self._handle(message, logged)
            reason = ""
        except TemporaryError as error:
            outcome = _text(reason := cut(str(error)), 503)
        except PermanentError as error:
            outcome = _text(reason := cut(str(error)), 400)
        except Exception:
            error_id = uuid.uuid4().hex[:12]
            log.exception("event failed", error_id=error_id)
            outcome = _text(reason := f"internal error {error_id}; the log of {self._name} has it under this id", 500)
        seconds = time.perf_counter() - started
        events = logged.get("events")  # of a batch
        self._handled.record(outcome.status, seconds, events if isinstance(events, int) else 1)
        ms = round(seconds * 1000, 1)
        if reason:
            log.warning("event rejected", status=outcome.status, ms=ms, reason=reason, **logged)
        else:
            log.info("event handled", status=outcome.status, ms=ms, **logged)
        return outcome

    def _handle(self, message: HTTPMessage, logged: dict[str, object]) -> Outcome:
        """Hand *message* to the function, and add to *logged* what the log line says of it."""
        if isinstance(self._function, ReadsRequests):
            logged |= self._function.receive(message.headers, message.body)
            return Outcome(202, {}, b"")
        event = cloudevents.from_http(message, STRICT)
        logged |= {name: event[name] for name in ("id", "type", "source")}
        reply = self._function.handle(event)
        if reply is None:
            return Outcome(202, {}, b"")
        return Outcome(200, *cloudevents.to_binary(reply, percent_encoded=False))

    def main(self, context: Context) -> Response:
        """Answer `GET /` with the function's page, and `POST /` with the outcome of handling its event."""
        if context.request.method == "GET":
            return self._page()
        try:
            message = HTTPMessage(_headers(context.request), context.request.get_data())
        except HTTPException as error:  # the body is cut off or too large
            reason = cut(error.description or "")
            log.warning("event rejected", status=error.code, reason=reason)
            self._handled.record(error.code or 400, 0.0)
            return _response(_text(reason, error.code or 400))
        return _response(self.respond(message))

    def _page(self) -> Response:
        # parliament's own route for GET / comes first, so a function's page is called from here.
        blueprint = self._function.blueprint
        index = current_app.view_functions.get(f"{blueprint.name}.index") if blueprint is not None else None
        if index is not None:
            return current_app.make_response(current_app.ensure_sync(index)())
        line = f"This is the function {self._name} of vcenter-events: POST a CloudEvent to this address."
        return _response(_text(line, 200))


def _text(line: str, status: int) -> Outcome:
    body = line.encode()[: REASON_BYTES - 1].decode(errors="ignore")
    return Outcome(status, {"content-type": "text/plain; charset=utf-8"}, f"{body}\n".encode())


# ── Flask and parliament ──


class _Response(Response):
    default_mimetype = None  # a reply without a content type has none


def _response(outcome: Outcome) -> Response:
    headers = {name: value.encode("utf-8", "replace").decode("latin-1") for name, value in outcome.headers.items()}
    return _Response(outcome.body, outcome.status, headers)


def _headers(request: Request) -> dict[str, str]:
    """The headers of *request*, which WSGI gives as Latin-1, read as UTF-8 if they are that."""
    return {name: _utf8(value) for name, value in request.headers.items()}


def _utf8(text: str) -> str:
    try:
        return text if text.isascii() else text.encode("latin-1").decode()
    except UnicodeError:
        return text


def application(name: str, function: Function) -> Flask:
    """Return parliament's Flask application around *function*, with `/metrics` and the function's own routes."""
    exposed = metrics.Metrics(name, VERSION, function.metrics if isinstance(function, HasMetrics) else None)
    app: Flask = server.create(FunctionAdapter(name, function, exposed.handled))
    app.add_url_rule("/metrics", "metrics", lambda: Response(exposed.exposition(), content_type=metrics.CONTENT_TYPE))
    # parliament logs "No CloudEvent available", which says less than the adapter's line about the same request.
    app.logger.setLevel("ERROR")
    if function.blueprint is not None:
        app.register_blueprint(function.blueprint)
    return app


_opening = threading.Lock()
_adapter: FunctionAdapter | None = None


def main(context: Context) -> Response:
    """Serve the function that the environment names, opened at the first request.

    parliament's own server (`python -m parliament .`, `kn func run`) imports this file and calls this function.
    """
    global _adapter  # noqa: PLW0603 - parliament calls a module, so the module keeps what it opened
    with _opening:
        if _adapter is None:
            server_settings = settings.read(settings.ServerSettings, os.environ)
            function = open_function(server_settings.function, os.environ)
            _adapter = FunctionAdapter(server_settings.function, function)
    return _adapter.main(context)

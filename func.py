"""The entry points for parliament, the older contract of `kn func` for Python: `main(context)`.

Only this file knows parliament. The builders recognize the project by `main` and the import of parliament. The image
itself runs `launcher.py`.
"""

import os
import threading

import structlog
from flask import Flask, Request, Response, current_app
from parliament import Context, server
from werkzeug.exceptions import HTTPException

from functions import Function
from pipeline import metrics, settings
from pipeline.cloudevents import HTTPMessage
from pipeline.errors import cut
from pipeline.threads import UnexpectedEnds
from runtime.adapter import FunctionAdapter, Outcome, text
from runtime.functions import open_function

log = structlog.get_logger()


class ParliamentFunction:
    """One function behind parliament's contract: an object with `main(context)`, which never raises."""

    def __init__(self, adapter: FunctionAdapter) -> None:
        self._adapter = adapter

    def main(self, context: Context) -> Response:
        """Answer `GET /` with the function's page, and `POST /` with the outcome of handling its event."""
        if context.request.method == "GET":
            return self._page()
        try:
            message = HTTPMessage(_headers(context.request), context.request.get_data())
        except HTTPException as error:  # the body is cut off or too large
            reason = cut(error.description or "")
            log.warning("event rejected", status=error.code, reason=reason)
            self._adapter.metrics.handled.record(error.code or 400, 0.0)
            return _response(text(reason, error.code or 400))
        return _response(self._adapter.respond(message))

    def _page(self) -> Response:
        # parliament's own route for GET / comes first, so a function's page is called from here.
        blueprint = self._adapter.function.blueprint
        index = current_app.view_functions.get(f"{blueprint.name}.index") if blueprint is not None else None
        if index is not None:
            return current_app.make_response(current_app.ensure_sync(index)())
        return _response(self._adapter.greeting())


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
    adapter = FunctionAdapter(name, function)
    app: Flask = server.create(ParliamentFunction(adapter))
    app.add_url_rule(
        "/metrics", "metrics", lambda: Response(adapter.metrics.exposition(), content_type=metrics.CONTENT_TYPE)
    )
    # parliament logs "No CloudEvent available", which says less than the adapter's line about the same request.
    app.logger.setLevel("ERROR")
    if function.blueprint is not None:
        app.register_blueprint(function.blueprint)
    return app


_opening = threading.Lock()
_function: ParliamentFunction | None = None


def main(context: Context) -> Response:
    """Serve the function that the environment names, opened at the first request.

    parliament's own server (`python -m parliament .`, `kn func run`) imports this file and calls this function.
    """
    global _function  # noqa: PLW0603 - parliament calls a module, so the module keeps what it opened
    with _opening:
        if _function is None:
            ends = UnexpectedEnds()
            ends.watch_threads()
            ends.subscribe(lambda _: os._exit(1))  # parliament's server ignores SIGTERM
            environ = settings.complete(os.environ)
            server_settings = settings.read(settings.ServerSettings, environ)
            function = open_function(server_settings.function, environ)
            _function = ParliamentFunction(FunctionAdapter(server_settings.function, function))
    return _function.main(context)

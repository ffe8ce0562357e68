"""A function's Flask routes as an ASGI application. Imported only for a function that has some."""

from urllib.parse import quote

from a2wsgi import WSGIMiddleware
from flask import Blueprint, Flask, Response

from pipeline.asgi import ASGIApplication, Message, Receive, Scope, Send
from pipeline.metrics import CONTENT_TYPE, Metrics
from runtime.application import Disconnected, read_body

WORKERS = 16
"""Requests of pages and APIs served at once. Streams are not among them."""

_LENGTH_HEADERS = (b"content-length", b"transfer-encoding")


def routes(blueprint: Blueprint, metrics: Metrics) -> ASGIApplication:
    """Return the routes of *blueprint*, and `/metrics` as it admits it, served in threads.

    A request reaches them once its body is there whole: WSGI cannot distinguish a body that was cut short from a
    complete one.
    """
    app = Flask("vcenter-events", static_folder=None)
    app.register_blueprint(blueprint)
    app.add_url_rule("/metrics", "metrics", lambda: Response(metrics.exposition(), content_type=CONTENT_TYPE))
    in_threads: ASGIApplication = WSGIMiddleware(app, workers=WORKERS)  # type: ignore[assignment, arg-type]  # it has types of its own

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(receive)
        except Disconnected:
            return
        headers = [(name, value) for name, value in scope["headers"] if name not in _LENGTH_HEADERS]
        whole = {
            **scope,
            "headers": [*headers, (b"content-length", b"%d" % len(body))],
            "query_string": quote(scope["query_string"], safe="%&=+;/?:@!$'()*,[]~-._").encode(),
        }

        async def receive_body() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await in_threads(whole, receive_body, send)

    return application

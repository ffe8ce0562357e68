"""The page."""

from flask import Blueprint, Response, request

from functions.display.app_state import AppState


def add(routes: Blueprint, state: AppState) -> None:
    """Add `GET /`."""
    document = state.document

    @routes.get("/")
    def index() -> Response:
        """The page, compressed if the browser accepts that."""
        response = Response(mimetype="text/html")
        response.headers["Content-Security-Policy"] = document.policy
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = "no-cache"
        response.set_etag(document.etag)
        if request.accept_encodings["gzip"]:
            response.headers["Content-Encoding"] = "gzip"
        response.set_data(document.compressed if request.accept_encodings["gzip"] else document.plain)
        response.make_conditional(request)
        return response

"""The page, and the stream of rows that keeps it current; who may have them, and under which policy they run.

Everything but `POST /` and the health checks asks who is reading.
"""

from flask import Blueprint, Response, request

from functions.display import api
from functions.display.auth import CHALLENGE, Guard
from functions.display.document import Document
from functions.display.sources import Sources
from functions.display.stream import stream

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

OPEN_PATHS = ("/health/liveness", "/health/readiness")


def blueprint(sources: Sources) -> Blueprint:
    """The routes over *sources*; a stream more than there are places for viewers is answered 503."""
    routes = Blueprint("display", __name__)
    _keep_to(sources.guard, routes)
    _page(sources.document, routes)
    _stream(sources, routes)
    api.add_to(routes, sources)
    return routes


def _keep_to(guard: Guard, routes: Blueprint) -> None:
    # parliament's own routes answer / and /health, so these two are for the whole application.
    @routes.before_app_request
    def admit() -> Response | None:
        arriving = request.method == "POST" and request.path == "/"
        if arriving or request.path in OPEN_PATHS or guard.admits(request.headers.get("Authorization", "")):
            return None
        answer = api.text("this display asks for a login (DISPLAY_LOGIN) or a token (DISPLAY_TOKEN)", 401)
        answer.headers["WWW-Authenticate"] = CHALLENGE
        return answer

    @routes.after_app_request
    def secure(response: Response) -> Response:
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def _page(page: Document, routes: Blueprint) -> None:
    @routes.get("/")
    def index() -> Response:
        response = Response(mimetype="text/html")
        response.headers["Content-Security-Policy"] = page.policy
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = "no-cache"
        response.set_etag(page.etag)
        if request.accept_encodings["gzip"]:
            response.headers["Content-Encoding"] = "gzip"
        response.set_data(page.compressed if request.accept_encodings["gzip"] else page.plain)
        response.make_conditional(request)
        return response


def _stream(sources: Sources, routes: Blueprint) -> None:
    history, viewers = sources.history, sources.viewers

    @routes.get("/api/events")
    def events() -> Response:
        """The stream. `?after=` stands in for Last-Event-ID where a page opens a new stream itself."""
        bell = viewers.enter()
        if bell is None:
            full = api.text("every place for a viewer is taken; THREADS makes more", 503)
            full.headers["Retry-After"] = "5"
            return full
        last_id = request.headers.get("Last-Event-ID") or request.args.get("after", "")
        response = Response(
            stream(history, bell, last_id, sources.stream_seconds),
            mimetype="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        response.call_on_close(lambda: viewers.leave(bell))
        return response

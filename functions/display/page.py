"""The page; who may have it, and under which policy it runs.

Everything but `POST /` and the health checks asks who is reading.
"""

from flask import Blueprint, Response, request

from functions.display import api
from functions.display.auth import ASKS, CHALLENGE, Guard
from functions.display.document import Document
from functions.display.sources import Sources
from pipeline.web import SECURITY_HEADERS

OPEN_PATHS = ("/health/liveness", "/health/readiness")


def blueprint(sources: Sources) -> Blueprint:
    """Return the routes over *sources*."""
    routes = Blueprint("display", __name__)
    _keep_to(sources.guard, routes)
    _page(sources.document, routes)
    api.add_to(routes, sources)
    return routes


def _keep_to(guard: Guard, routes: Blueprint) -> None:
    # parliament's own routes answer / and /health, so these two are for the whole application.
    @routes.before_app_request
    def admit() -> Response | None:
        arriving = request.method == "POST" and request.path == "/"
        if arriving or request.path in OPEN_PATHS or guard.admits(request.headers.get("Authorization", "")):
            return None
        answer = api.text(ASKS, 401)
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

"""Access to all routes: authentication, and the security headers of every response."""

import structlog
from flask import Blueprint, Response, request

from functions.display.app_state import AppState
from functions.display.authenticator import CHALLENGE, REASON
from functions.display.routes import responses
from pipeline import web

log = structlog.get_logger()

OPEN_PATHS = ("/health/liveness", "/health/readiness")


def add(routes: Blueprint, state: AppState) -> None:
    """Check host and login of every request except `POST /`, which a Broker must reach, and the health checks."""

    # For the whole application, because parliament's own routes serve / and /health.
    @routes.before_app_request
    def authenticate() -> Response | None:
        is_event = request.method == "POST" and request.path == "/"
        if is_event or request.path in OPEN_PATHS:
            return None
        host = request.headers.get("Host", "")
        if not state.hosts.allow(host):
            return responses.text(state.hosts.reason(host), 403)
        authorization = request.headers.get("Authorization", "")
        if state.authenticator.is_allowed(authorization):
            return None
        if authorization:  # without one, a browser only asks whether it needs one
            log.warning("Login rejected", path=request.path, address=request.remote_addr)
        response = responses.text(REASON, 401)
        response.headers["WWW-Authenticate"] = CHALLENGE
        return response

    @routes.after_app_request
    def secure(response: Response) -> Response:
        for name, value in web.SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        return response

"""Sending events. Off by default, and only for the display's own page."""

from flask import Blueprint, Response, request

from functions.display.app_state import AppState
from functions.display.routes.responses import forbidden, json_document, text
from pipeline.errors import PermanentError, TemporaryError


def add(routes: Blueprint, state: AppState) -> None:
    """Add the route that sends an event."""
    sender = state.sender

    @routes.post("/api/send")
    def send() -> Response:
        """Send the event of `{"target", "event"}`."""
        if sender is None or not sender.is_allowed(request):
            return forbidden(sender)
        body = request.get_json(force=True, silent=True)
        if not isinstance(body, dict):
            return text("the body is not a JSON object with target and event", 400)
        try:
            return json_document(sender.send(str(body.get("target")), body.get("event")))
        except PermanentError as error:
            return text(str(error), 400)
        except TemporaryError as error:
            return text(str(error), 502)

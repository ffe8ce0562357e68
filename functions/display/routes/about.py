"""The display itself: its numbers, its settings, and the description of this API."""

from pathlib import Path

from flask import Blueprint, Response

from functions.display.app_state import AppState
from functions.display.routes.responses import json_document

_OPENAPI = Path(__file__).parent.parent / "openapi.json"


def add(routes: Blueprint, state: AppState) -> None:
    """Add the routes about the display."""
    history, viewers, sender, dead_letters = state.history, state.viewers, state.sender, state.dead_letters

    @routes.get("/api/state")
    def numbers() -> Response:
        """The numbers of the footer."""
        return json_document(history.state() | {"viewers": viewers.count})

    @routes.get("/api/about")
    def about() -> Response:
        """The settings that the page needs."""
        sending = {"targets": sender.targets, "token": sender.token} if sender is not None else None
        address = dead_letters.url if dead_letters is not None else None
        document = {"service": state.service, "send": sending, "deadLetters": address, "file": state.file is not None}
        return json_document(document)

    @routes.get("/api/openapi.json")
    def openapi() -> Response:
        """The description of this API."""
        return Response(_OPENAPI.read_bytes(), mimetype="application/json")

"""Rejected requests."""

from flask import Blueprint, Response

from functions.display.app_state import AppState
from functions.display.routes.responses import json_document


def add(routes: Blueprint, state: AppState) -> None:
    """Add the list of rejected requests."""

    @routes.get("/api/rejected")
    def rejected() -> Response:
        """The last rejected requests, newest first."""
        return json_document([request.document() for request in state.rejected.newest_first()])

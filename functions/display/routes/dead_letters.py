"""Dead letters, passed on from the deadletter function."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from functions.display.app_state import AppState
from functions.display.dead_letters import DeadLetterClient
from functions.display.routes.responses import forbidden, json_document, text
from pipeline.errors import TemporaryError


def add(routes: Blueprint, state: AppState) -> None:
    """Add the routes of dead letters. Those that change something are off by default, and for the own page only."""

    def respond(call: Callable[[DeadLetterClient], tuple[int, dict[str, Any]]]) -> Response:
        """Return the response of the deadletter function, an error as one line of text."""
        if state.dead_letters is None:
            return text("there is no deadletter function; DISPLAY_DEAD_LETTERS sets its address", 404)
        try:
            status, document = call(state.dead_letters)
        except TemporaryError as error:
            return text(str(error), 502)
        if "error" in document:
            return text(str(document["error"]), status)
        return json_document(document)  # also if the Broker accepted none: the document has the reason for each

    @routes.get("/api/dead-letters")
    def list_dead_letters() -> Response:
        """The newest dead letters. `?state=`, `?type=` and `?destination=` select, `?limit=` and `?before=` page."""
        return respond(lambda client: client.list(request.args))

    @routes.get("/api/dead-letters/<int:number>")
    def get_dead_letter(number: int) -> Response:
        """A dead letter with its event."""
        return respond(lambda client: client.get(number))

    @routes.post("/api/dead-letters/<any(redrive, drop):action>")
    def act(action: str) -> Response:
        """Redrive or drop the selected dead letters."""
        if state.sender is None or not state.sender.is_allowed(request):
            return forbidden(state.sender)
        selection = request.get_json(force=True, silent=True)
        if not isinstance(selection, dict):
            return text("the body is not a JSON object that selects dead letters", 400)
        return respond(lambda client: client.act(action, selection))

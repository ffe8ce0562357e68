"""The API under `api/`, which `openapi.json` describes.

Only `api/send` and the letters change anything, and only for the display's own page.
"""

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request

from functions.display import export, match
from functions.display.history import Held, History
from functions.display.letters import DeadLetters
from functions.display.refused import body_document
from functions.display.send import Sender
from functions.display.sources import Sources
from pipeline.errors import PermanentError, TemporaryError

_FORMATS: dict[str, tuple[str, Callable[[Iterable[Held]], Iterable[bytes]]]] = {
    "jsonl": ("application/jsonl", export.json_lines),
    "csv": ("text/csv", export.comma_separated),
}


def add_to(routes: Blueprint, sources: Sources) -> None:
    """Add the API's routes over *sources*."""
    _about_the_display(routes, sources)
    _about_events(routes, sources.history)
    _sending(routes, sources.sender)
    _about_dead_letters(routes, sources)


def _about_events(routes: Blueprint, history: History) -> None:
    @routes.get("/api/events/<int:seq>")
    def one_event(seq: int) -> Response:
        """One event in full; its payload as `text` if it is UTF-8, else as `base64`."""
        held = history.one(seq)
        if held is None:
            return text("this event is no longer held", 404)
        return _json(
            {
                "seq": held.seq,
                "received": held.received_ms,
                "repeats": held.repeats,
                "attributes": json.loads(held.attributes),
                "headers": json.loads(held.headers),
                "size": len(held.data),
                **body_document(held.data),
            }
        )

    @routes.post("/api/match")
    def matching() -> Response:
        """How many held events the Trigger in the body (YAML) would select, and of how many."""
        try:
            matches, looked_at = match.count(request.get_data(as_text=True), history.everything())
        except PermanentError as error:
            return text(str(error), 400)
        return _json({"matches": matches, "held": looked_at})

    @routes.route("/api/export.<kind>", methods=["GET", "POST"])
    def exported(kind: str) -> Response:
        """All events held as a file, oldest first; of a POST, those whose numbers its JSON list names."""
        if kind not in _FORMATS:
            return text(f"there is no export {kind}; one of {', '.join(_FORMATS)}", 404)
        chosen = history.everything()
        if request.method == "POST":
            numbers = request.get_json(force=True, silent=True)
            if not isinstance(numbers, list):
                return text("the body is not a JSON list of event numbers", 400)
            wanted = {number for number in numbers if isinstance(number, int)}
            chosen = [held for held in chosen if held.seq in wanted]
        mimetype, write = _FORMATS[kind]
        name = time.strftime(f"events-%Y%m%dT%H%M%SZ.{kind}", time.gmtime())
        disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(write(chosen), mimetype=mimetype, headers=disposition)


def _about_the_display(routes: Blueprint, sources: Sources) -> None:
    history, viewers = sources.history, sources.viewers

    @routes.get("/api/state")
    def state() -> Response:
        """The numbers of the footer."""
        return _json(history.state() | {"viewers": viewers.count})

    @routes.get("/api/refused")
    def refused() -> Response:
        """The last refused requests, newest first."""
        return _json([each.document() for each in sources.refused.newest_first()])

    @routes.get("/api/about")
    def about() -> Response:
        """What this display is set to."""
        sender, letters = sources.sender, sources.dead_letters
        sending = {"targets": sender.targets, "token": sender.token} if sender is not None else None
        address = letters.url if letters is not None else None
        return _json({"service": sources.service, "send": sending, "deadLetters": address})

    @routes.get("/api/openapi.json")
    def openapi() -> Response:
        """This API, described."""
        return Response((Path(__file__).parent / "openapi.json").read_bytes(), mimetype="application/json")


def _sending(routes: Blueprint, sender: Sender | None) -> None:
    @routes.post("/api/send")
    def sent() -> Response:
        """Send `{"target", "event"}`, if that is allowed, for this display's own page only."""
        if sender is None or not sender.admits(request):
            return _not_from_here(sender)
        asked = request.get_json(force=True, silent=True)
        if not isinstance(asked, dict):
            return text("the body is not a JSON object with target and event", 400)
        try:
            return _json(sender.send(str(asked.get("target")), asked.get("event")))
        except PermanentError as error:
            return text(str(error), 400)
        except TemporaryError as error:
            return text(str(error), 502)


def _about_dead_letters(routes: Blueprint, sources: Sources) -> None:
    sender = sources.sender

    def asked(ask: Callable[[DeadLetters], tuple[int, dict[str, Any]]]) -> Response:
        """What the deadletter function says; its refusals and its absence in one line."""
        if sources.dead_letters is None:
            return text("there is no deadletter function; DISPLAY_DEAD_LETTERS names it", 404)
        try:
            status, document = ask(sources.dead_letters)
        except TemporaryError as error:
            return text(str(error), 502)
        if "error" in document:
            return text(str(document["error"]), status)
        return _json(document)  # also where the Broker took none: the document says of each letter why

    @routes.get("/api/dead-letters")
    def letters() -> Response:
        """The newest dead letters; `?state=`, `?type=` and `?destination=` choose, `?limit=` and `?before=` page."""
        return asked(lambda function: function.read(chosen=request.args))

    @routes.get("/api/dead-letters/<int:number>")
    def letter(number: int) -> Response:
        """A dead letter with its event."""
        return asked(lambda function: function.read(f"/{number}"))

    @routes.post("/api/dead-letters/<any(redrive, drop):verb>")
    def act(verb: str) -> Response:
        """Redrive or drop the selected letters, if sending is allowed, for this display's own page only."""
        if sender is None or not sender.admits(request):
            return _not_from_here(sender)
        selection = request.get_json(force=True, silent=True)
        if not isinstance(selection, dict):
            return text("the body is not a JSON object that selects letters", 400)
        return asked(lambda function: function.act(verb, selection))


def _not_from_here(sender: Sender | None) -> Response:
    if sender is None:
        return text("sending is off; DISPLAY_ALLOW_SEND=true allows it", 403)
    return text("only this display's own page may send", 403)


def text(line: str, status: int) -> Response:
    """One line of plain text."""
    return Response(f"{line}\n", status, mimetype="text/plain")


def _json(document: Any) -> Response:
    return Response(json.dumps(document), mimetype="application/json", headers={"Cache-Control": "no-store"})

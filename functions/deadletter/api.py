"""The API: list dead letters, show one, redrive or drop a selection, accept those of a pod that shuts down.

A selection is one of `{"numbers": [1, 2]}`, `{"all": true}` and `{"destination": "…", "type": "…"}` (either or both).
The latter two select among the waiting ones. Requests that change something must have the bearer token
`DEADLETTER_TOKEN`, and the content type `application/json`, which no form on another website can send.
"""

import hmac
import json
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import BadRequest, Forbidden, UnsupportedMediaType

from functions.deadletter import document
from functions.deadletter.document import InvalidDeadLetter
from functions.deadletter.sink import DeadLetterSink, RedriveUnderWay
from functions.deadletter.store import DeadLetter, DeadLetterStore, State
from pipeline import bounds, payload
from pipeline.cloudevents import LENIENT, from_json, json_text
from pipeline.errors import TemporaryError
from pipeline.settings import Secret

DEFAULT_LIMIT = 100
MAX_NUMBER = 2**63 - 1
"""SQLite's largest integer, beyond any number of a dead letter."""


def blueprint(sink: DeadLetterSink, store: DeadLetterStore, token: Secret | None) -> Blueprint:
    """Return the routes over *store*, with the actions of *sink*. Requests that change something need the *token*."""
    routes = Blueprint("deadletter", __name__)
    _add_reading(routes, sink, store)
    _add_redriving_and_dropping(routes, sink, store)
    _add_handover(routes, sink)

    @routes.before_request
    def authenticate() -> None:
        if request.method == "POST" and request.path.startswith("/api/"):
            _check_token(token)

    @routes.errorhandler(BadRequest)
    @routes.errorhandler(Forbidden)
    @routes.errorhandler(UnsupportedMediaType)
    def reject(error: BadRequest | Forbidden | UnsupportedMediaType) -> Response:
        return _json({"error": error.description}, error.code or 400)

    return routes


def _add_reading(routes: Blueprint, sink: DeadLetterSink, store: DeadLetterStore) -> None:
    @routes.get("/api/dead-letters")
    def list_dead_letters() -> Response:
        """Newest first. `?state=`, `?type=` and `?destination=` select, `?limit=` and `?before=` page."""
        limit = min(_number("limit", DEFAULT_LIMIT), bounds.LISTED_DEAD_LETTERS) or DEFAULT_LIMIT
        state = request.args.get("state", "")
        if state and state not in list(State):
            raise BadRequest(f"state is {state!r}, not one of {', '.join(State)}")
        dead_letters = store.select(
            state=state,
            type_=request.args.get("type", ""),
            destination=request.args.get("destination", ""),
            before=_number("before", 0) or None,
            limit=limit,
        )
        return _json(
            {
                "deadLetters": [document.write(dead_letter) for dead_letter in dead_letters],
                "counts": {**store.counts(), "unstored": sink.counts.unstored.value()},
                "next": dead_letters[-1].number if len(dead_letters) == limit else None,
            }
        )

    @routes.get("/api/dead-letters/<int:number>")
    def get_dead_letter(number: int) -> Response:
        """One dead letter with its event: the attributes, and the payload formatted for reading."""
        exists = number <= MAX_NUMBER
        dead_letters, structured = (store.numbered([number]), store.event(number)) if exists else ([], None)
        if not dead_letters or structured is None:
            return _json({"error": f"there is no dead letter {number}"}, 404)
        event = from_json(structured, LENIENT)
        event_document = {"attributes": dict(event.attributes), "payload": payload.pretty(event)}
        return _json({**document.write(dead_letters[0]), "event": event_document})


def _add_redriving_and_dropping(routes: Blueprint, sink: DeadLetterSink, store: DeadLetterStore) -> None:
    @routes.post("/api/dead-letters/redrive")
    def redrive() -> Response:
        """Send the selected events to the Broker again. 502 if it accepted none of them, 409 during another redrive."""
        body = _body()
        try:
            with sink.one_redrive():
                selected, missing = _selected(body, store)
                failed = sink.redrive(selected) | missing
        except RedriveUnderWay as error:
            return _json({"error": str(error)}, 409)
        except TemporaryError as error:
            return _json({"error": str(error)}, 503)
        redriven = [dead_letter.number for dead_letter in selected if dead_letter.number not in failed]
        return _json({"redriven": redriven, "failed": _failures(failed)}, 502 if failed and not redriven else 200)

    @routes.post("/api/dead-letters/drop")
    def drop() -> Response:
        """Drop the selected for the `reason` in the body."""
        body = _body()
        reason = body.get("reason")
        if not isinstance(reason, str) or not reason.strip():
            raise BadRequest('the reason is missing: {"reason": "the VM is gone", …}')
        if len(reason) > bounds.DROP_REASON_CHARACTERS or not _is_storable(reason):
            raise BadRequest(f"the reason is not a text of at most {bounds.DROP_REASON_CHARACTERS} characters")
        selected, missing = _selected(body, store)
        sink.drop(selected, reason.strip())
        return _json({"dropped": [dead_letter.number for dead_letter in selected], "failed": _failures(missing)})


def _add_handover(routes: Blueprint, sink: DeadLetterSink) -> None:
    @routes.post("/api/dead-letters/handover")
    def handover() -> Response:
        """Accept the dead letters of a pod that shuts down. 409 if that is this pod itself."""
        body = _body()
        if body.get("from") == sink.name:
            return _json({"error": "this is the pod that shuts down"}, 409)
        documents = body.get("deadLetters")
        if not isinstance(documents, list):
            raise BadRequest("deadLetters is not a list")
        try:
            accepted = sink.accept_handover([document.read(item, sink.now()) for item in documents])
        except InvalidDeadLetter as error:
            raise BadRequest(str(error)) from error
        except TemporaryError as error:
            return _json({"error": str(error)}, 503)
        return _json({"accepted": accepted, "rejected": len(documents) - accepted})


def _check_token(token: Secret | None) -> None:
    """Raise `Forbidden` unless the request has the *token*."""
    if token is None:
        raise Forbidden(
            "DEADLETTER_TOKEN is not set, so nobody may redrive, drop or hand over: docs/reference/reactions.md"
        )
    # The API server's proxy removes Authorization.
    sent = request.headers.get("X-Deadletter-Token", "")
    if not sent:
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        sent = credentials.strip() if scheme.lower() == "bearer" else ""
    if not hmac.compare_digest(sent.encode(), token.reveal().encode()):
        raise Forbidden("the request needs the header Authorization: Bearer DEADLETTER_TOKEN (or X-Deadletter-Token)")


def _selected(body: dict[str, Any], store: DeadLetterStore) -> tuple[list[DeadLetter], dict[int, str]]:
    """Return what *body* selects, oldest first, and number → reason of those that do not exist."""
    numbers = body.get("numbers")
    if numbers is not None:
        # A bool is an int in Python, but not a number in JSON.
        if not isinstance(numbers, list) or not all(
            type(number) is int and 0 <= number <= MAX_NUMBER for number in numbers
        ):
            raise BadRequest("numbers is not a list of whole numbers")
        selected = store.numbered(sorted(set(numbers)))
        missing = set(numbers) - {dead_letter.number for dead_letter in selected}
        return selected, dict.fromkeys(sorted(missing), "there is no such dead letter")
    criteria = {name: body.get(name, "") for name in ("destination", "type")}
    if not all(isinstance(value, str) and _is_storable(value) for value in criteria.values()):
        raise BadRequest("destination and type must be text")
    if body.get("all") is not True and not any(criteria.values()):
        raise BadRequest('select with {"numbers": [1, 2]}, {"all": true} or {"destination": "…", "type": "…"}')
    selected = store.select(state=State.WAITING, type_=criteria["type"], destination=criteria["destination"])
    return selected[::-1], {}


def _is_storable(text: str) -> bool:
    """Return whether SQLite can hold *text*. JSON can escape half of a surrogate pair, which UTF-8 cannot encode."""
    return text.isascii() or text.encode("utf-8", "replace").decode() == text


def _failures(reasons: dict[int, str]) -> list[dict[str, Any]]:
    return [{"number": number, "reason": reason} for number, reason in reasons.items()]


def _body() -> dict[str, Any]:
    try:
        json_text.check_values(request.get_data())
    except ValueError as error:
        raise BadRequest(f"the body cannot be read: {error}") from error
    body = request.get_json()
    if not isinstance(body, dict):
        raise BadRequest("the body is not a JSON object")
    return body


def _number(name: str, default: int) -> int:
    value = request.args.get(name, "")
    if value and (not value.isdecimal() or len(value) > 15):
        raise BadRequest(f"{name} is {value!r}, not a whole number")
    return int(value) if value else default


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status, mimetype="application/json", headers={"Cache-Control": "no-store"})

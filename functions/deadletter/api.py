"""deadletter's routes: list the letters, look at one, redrive or drop a selection, take those of a pod that ends.

A selection is one of `{"letters": [1, 2]}`, `{"all": true}` and `{"destination": "…", "type": "…"}` (either or both);
the latter two choose among the waiting letters. Changes take `application/json` only, which no form of a foreign page
can send.
"""

import json
from collections.abc import Sequence
from typing import Any, Protocol

from flask import Blueprint, Response, request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from functions.deadletter.handover import NotALetter, described, read
from functions.deadletter.letters import Letter, Letters, State
from pipeline import payload
from pipeline.cloudevents import LENIENT, from_json
from pipeline.errors import TemporaryError

PAGE = 100
PAGE_MOST = 1000


class Redrives(Protocol):
    """What acts on letters; `Deadletter` is one."""

    unstored: int
    name: str

    def redrive(self, chosen: Sequence[Letter]) -> dict[int, str]:
        """Send them again; letter → why not."""

    def drop(self, chosen: Sequence[Letter], reason: str) -> None:
        """Give them up."""

    def take(self, handed: Sequence[tuple[Letter, str]]) -> None:
        """Keep letters, with their events, that another pod had."""


def blueprint(function: Redrives, letters: Letters) -> Blueprint:
    """The routes over *letters*, acted on by *function*."""
    routes = Blueprint("deadletter", __name__)

    @routes.get("/api/letters")
    def listed() -> Response:
        """Newest first; `?state=`, `?type=` and `?destination=` choose, `?limit=` and `?before=` page."""
        limit = min(_number("limit", PAGE), PAGE_MOST)
        state = request.args.get("state", "")
        if state and state not in list(State):
            raise BadRequest(f"state is {state!r}, not one of {', '.join(State)}")
        found = letters.find(
            state=state,
            type_=request.args.get("type", ""),
            destination=request.args.get("destination", ""),
            before=_number("before", 0) or None,
            limit=limit,
        )
        more = found[-1].number if len(found) == limit else None
        counts = {**letters.counts(), "unstored": function.unstored}
        return _json({"letters": [described(letter) for letter in found], "counts": counts, "next": more})

    @routes.get("/api/letters/<int:number>")
    def one(number: int) -> Response:
        """A letter with its event: attributes, and the payload laid out to be read."""
        found, document = letters.numbered([number]), letters.document(number)
        if not found or document is None:
            return _json({"error": f"there is no letter {number}"}, 404)
        event = from_json(document, LENIENT)
        its = {"attributes": dict(event.attributes), "payload": payload.pretty(event)}
        return _json({**described(found[0]), "event": its})

    @routes.post("/api/letters/redrive")
    def redrive() -> Response:
        """Send the selected events to the Broker again; 502 when it took none of them."""
        chosen, missing = _selected(_body(), letters)
        try:
            failed = function.redrive(chosen) | missing
        except TemporaryError as error:
            return _json({"error": str(error)}, 503)
        redriven = [letter.number for letter in chosen if letter.number not in failed]
        answer = {"redriven": redriven, "failed": [{"letter": each, "reason": why} for each, why in failed.items()]}
        return _json(answer, 502 if failed and not redriven else 200)

    @routes.post("/api/letters/drop")
    def drop() -> Response:
        """Give the selected up; the body's `reason` says why."""
        body = _body()
        reason = body.get("reason")
        if not isinstance(reason, str) or not reason.strip():
            raise BadRequest('say why: {"reason": "the VM is gone", …}')
        chosen, missing = _selected(body, letters)
        function.drop(chosen, reason.strip())
        failed = [{"letter": each, "reason": why} for each, why in missing.items()]
        return _json({"dropped": [letter.number for letter in chosen], "failed": failed})

    _about_handover(routes, function)

    @routes.errorhandler(BadRequest)
    @routes.errorhandler(UnsupportedMediaType)
    def refused(error: BadRequest | UnsupportedMediaType) -> Response:
        return _json({"error": error.description}, error.code or 400)

    return routes


def _about_handover(routes: Blueprint, function: Redrives) -> None:
    @routes.post("/api/letters/handover")
    def handover() -> Response:
        """Take the letters of a pod that ends; 409 when that is this one, which nothing may be handed to."""
        body = _body()
        if body.get("from") == function.name:
            return _json({"error": "this is the pod that ends"}, 409)
        handed = body.get("letters")
        if not isinstance(handed, list):
            raise BadRequest("letters is not a list")
        try:
            function.take([read(record) for record in handed])
        except NotALetter as error:
            raise BadRequest(str(error)) from error
        except TemporaryError as error:
            return _json({"error": str(error)}, 503)
        return _json({"taken": len(handed)})


def _selected(body: dict[str, Any], letters: Letters) -> tuple[list[Letter], dict[int, str]]:
    """The letters that *body* selects, oldest first, and number → reason of those that do not exist."""
    numbers = body.get("letters")
    if numbers is not None:
        # A bool is an int in Python, and no number in JSON.
        if not isinstance(numbers, list) or not all(type(each) is int for each in numbers):
            raise BadRequest("letters is not a list of numbers")
        found = letters.numbered(sorted(set(numbers)))
        missing = set(numbers) - {letter.number for letter in found}
        return found, dict.fromkeys(sorted(missing), "there is no such letter")
    by = {name: body.get(name, "") for name in ("destination", "type")}
    if not all(isinstance(value, str) for value in by.values()):
        raise BadRequest("destination and type are text")
    if body.get("all") is not True and not any(by.values()):
        raise BadRequest('select with {"letters": [1, 2]}, {"all": true} or {"destination": "…", "type": "…"}')
    chosen = letters.find(state=State.WAITING, type_=by["type"], destination=by["destination"])
    return chosen[::-1], {}


def _body() -> dict[str, Any]:
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

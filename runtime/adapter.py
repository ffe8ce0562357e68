"""The function adapter: request → event, result or error → status. Pure of any web framework."""

import dataclasses
import time
import uuid
from collections.abc import Mapping
from typing import NamedTuple, cast

import structlog

from functions import Function, HandlesEvents, HasMetrics, HasReadiness, ReadsRequests
from pipeline import bounds, cloudevents
from pipeline.cloudevents import LENIENT, STRICT, HTTPMessage
from pipeline.errors import PermanentError, TemporaryError, cut
from pipeline.metrics import Metrics
from runtime import VERSION

RULES = dataclasses.replace(STRICT, specversions=LENIENT.specversions)
"""The rules for events: Knative's, whose Broker also passes on version 0.3."""

log = structlog.get_logger()


class Outcome(NamedTuple):
    """The response to one request, as any web framework can send it. Header values are text."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""


class FunctionAdapter:
    """Turns a request into an event for the function, and what comes of it into a status."""

    def __init__(self, name: str, function: Function) -> None:
        self.name = name
        """The function's name, as in `FUNCTION`."""
        self.function = function
        self.metrics = Metrics(name, VERSION, function.metrics if isinstance(function, HasMetrics) else None)
        """The metrics that the process exposes at `/metrics`."""
        self._receive = function.receive if isinstance(function, ReadsRequests) else None
        self.returns_at_once = self._receive is not None
        """True if the function never waits, so that it can be called on an event loop."""

    @property
    def unready(self) -> str:
        """The reason why the function is not ready yet, in one line. Empty once it is."""
        return cut(self.function.unready) if isinstance(self.function, HasReadiness) else ""

    def respond(self, message: HTTPMessage) -> Outcome:
        """Handle a `POST /`, and log it if it fails. Never raises.

        The status is 202 without a body, 200 with the reply event, or 400, 503 or 500 with the reason in one line.
        """
        started = time.perf_counter()
        logged: dict[str, object] = {}
        try:
            outcome = self._handle(message, logged)
            reason = ""
        except TemporaryError as error:
            outcome = text(reason := cut(str(error)), 503)
        except PermanentError as error:
            outcome = text(reason := cut(str(error)), 400)
        except Exception:
            error_id = uuid.uuid4().hex[:12]
            log.exception("event failed", error_id=error_id)
            outcome = text(reason := f"internal error {error_id}; the log of {self.name} has it under this id", 500)
        seconds = time.perf_counter() - started
        events = logged.get("events")  # of a batch
        self.metrics.handled.record(outcome.status, seconds, events if isinstance(events, int) else 1)
        ms = round(seconds * 1000, 1)
        if reason:
            log.warning("event rejected", status=outcome.status, ms=ms, reason=reason, **logged)
        else:
            log.debug("event handled", status=outcome.status, ms=ms, **logged)
        return outcome

    def _handle(self, message: HTTPMessage, logged: dict[str, object]) -> Outcome:
        """Hand *message* to the function, and add to *logged* what the log line says of it."""
        if self._receive is not None:
            logged |= self._receive(message.headers, message.body)
            return Outcome(202)
        event = cloudevents.from_http(message, RULES)
        logged |= {name: event[name] for name in ("id", "type", "source")}
        reply = cast(HandlesEvents, self.function).handle(event)
        if reply is None:
            return Outcome(202)
        return Outcome(200, *cloudevents.to_binary(reply, percent_encoded=False))

    def greeting(self) -> Outcome:
        """Return the answer to `GET /` of a function without a page."""
        return text(f"This is the function {self.name} of vcenter-events: POST a CloudEvent to this address.", 200)


def text(line: str, status: int) -> Outcome:
    """Return an outcome with one *line* of plain text, cut to `bounds.ERROR_BODY_BYTES`."""
    body = line.encode()[: bounds.ERROR_BODY_BYTES - 1].decode(errors="ignore")
    return Outcome(status, {"content-type": "text/plain; charset=utf-8"}, f"{body}\n".encode())

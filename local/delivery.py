"""Knative's delivery spec: retries, pauses and dead letters (`pkg/kncloudevents`, v0.47).

Pure: no clock and no network.
"""

import base64
import dataclasses
import re

from local.event import Event
from local.fields import Field
from pipeline import bounds

_ERROR_DATA_BYTES = bounds.ERROR_BODY_BYTES * 4 // 3
"""The maximum size of `knativeerrordata`, which is base64."""

_PERIOD = re.compile(
    r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d)?)S)?)?",
    re.ASCII,
)
_UNIT_SECONDS = {"days": 86_400.0, "hours": 3_600.0, "minutes": 60.0, "seconds": 1.0}


@dataclasses.dataclass(frozen=True)
class Retries:
    """The number of retries of a request, and the pause before each."""

    maximum: int = 0
    policy: str = ""
    """`linear` or `exponential`. "" means no pause, as in Knative if either policy or delay is missing."""
    delay_seconds: float = 0.0
    timeout_seconds: float | None = None
    """For each request. None leaves it to the subscriber's own limit."""
    structured: bool = False
    """True if the subscriber gets structured events (`format: json`)."""

    def pause_seconds(self, retries_done: int) -> float:
        """Return the pause before the next retry. Knative counts from 0, so the first linear pause is 0."""
        match self.policy:
            case "exponential":
                return self.delay_seconds * 2.0**retries_done
            case "linear":
                return self.delay_seconds * retries_done
            case _:
                return 0.0


@dataclasses.dataclass(frozen=True)
class Failure:
    """The reason why an event was not accepted."""

    status: int
    """The HTTP status, or 500 without a response."""
    body: bytes
    described: bool = True
    """True if Knative adds `knativeerror*` to the dead letter. It does not if `timeout` ended the request or the
    response was not a CloudEvent, because then its dispatcher lacks the headers from the Broker's filter."""

    def is_retried(self) -> bool:
        """Return True for 5xx (also without a response), 404 (a pod is starting), 408, 409 and 429."""
        return self.status >= 500 or self.status in (404, 408, 409, 429)


def dead_letter(event: Event, destination: str, failure: Failure) -> Event:
    """Return *event* for the dead-letter sink: with destination, status, and the start of the response in base64."""
    if not failure.described:
        return event
    return event.with_attributes(
        knativeerrordest=destination,
        knativeerrorcode=str(failure.status),
        knativeerrordata=base64.b64encode(failure.body[:_ERROR_DATA_BYTES]).decode()[:_ERROR_DATA_BYTES],
    )


def read_retries(field: Field) -> Retries:
    """Return the retries of a delivery spec. The caller reads its `deadLetterSink`."""
    field.only("retry", "backoffPolicy", "backoffDelay", "timeout", "format", "deadLetterSink", "retryAfterMax")
    if field["retryAfterMax"]:
        field["retryAfterMax"].reject("Knative rejects this unless its alpha feature delivery-retryafter is on")
    delay = read_period(field["backoffDelay"])
    timeout = read_period(field["timeout"])
    if timeout == 0:
        field["timeout"].reject("must be longer than 0")
    policy = field["backoffPolicy"].one_of("linear", "exponential")
    return Retries(
        maximum=field["retry"].number(0, minimum=0),
        policy=policy if delay is not None else "",
        delay_seconds=delay or 0.0,
        timeout_seconds=timeout,
        structured=field["format"].one_of("json", "binary") == "json",
    )


def read_period(field: Field) -> float | None:
    """Return the seconds of an ISO 8601 duration of days and less, or None if it is not set."""
    text = field.text()
    if not text:
        return None
    match = _PERIOD.fullmatch(text)
    numbers = {unit: number for unit, number in match.groupdict().items() if number} if match else {}
    if not numbers:
        # Knative keeps tenths of a second and drops the rest silently.
        field.reject(f"is {text!r}, not a duration as PT0.2S, PT30S or PT1H30M (tenths of a second at the finest)")
        return None
    return sum(_UNIT_SECONDS[unit] * float(number) for unit, number in numbers.items())

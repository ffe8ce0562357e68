"""How hard the Broker tries to deliver: Knative's delivery spec and its arithmetic (`pkg/kncloudevents`, v0.47).

Pure: no clock and no network.
"""

import base64
import dataclasses
import re

from local.event import Event
from local.fields import Field

_ERROR_DATA_LIMIT = 1024

LONGEST_REASON_BYTES = _ERROR_DATA_LIMIT * 3 // 4
"""How long a failure's body may be. Of one byte more the base64 does not fit, and Knative 0.47's dispatcher panics."""

_PERIOD = re.compile(
    r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d)?)S)?)?",
    re.ASCII,
)
_UNIT_SECONDS = {"days": 86_400.0, "hours": 3_600.0, "minutes": 60.0, "seconds": 1.0}


@dataclasses.dataclass(frozen=True)
class Retries:
    """How often a request is repeated, and the pauses before each."""

    maximum: int = 0
    policy: str = ""
    """`linear` or `exponential`; "" is no pause, as Knative has it when either policy or delay is missing."""
    delay_seconds: float = 0.0
    timeout_seconds: float | None = None
    """For each request; None leaves it to the subscriber's own limit."""
    structured: bool = False
    """Whether the subscriber gets structured events (`format: json`)."""

    def pause_seconds(self, retries_done: int) -> float:
        """The pause before the next retry. Knative counts from 0, so the first linear pause is none."""
        match self.policy:
            case "exponential":
                return self.delay_seconds * 2.0**retries_done
            case "linear":
                return self.delay_seconds * retries_done
            case _:
                return 0.0


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why an event was not taken."""

    status: int
    """The HTTP status; 500 if there was no answer."""
    body: bytes
    described: bool = True
    """Whether Knative can say where it failed. Not so when `timeout` ended the request or the answer was no CloudEvent:
    its dispatcher then lacks the note from the broker's filter that it makes the `knativeerror*` extensions from."""

    def is_retried(self) -> bool:
        """5xx (which no answer at all counts as), 404 (a pod is starting), 408, 409 and 429."""
        return self.status >= 500 or self.status in (404, 408, 409, 429)


def dead_letter(event: Event, destination: str, failure: Failure) -> Event:
    """*event* as the dead-letter sink gets it: where it failed, with which status, and the answer's start in base64."""
    if not failure.described:
        return event
    return event.with_attributes(
        knativeerrordest=destination,
        knativeerrorcode=str(failure.status),
        knativeerrordata=base64.b64encode(failure.body[:_ERROR_DATA_LIMIT]).decode()[:_ERROR_DATA_LIMIT],
    )


def read_retries(field: Field) -> Retries:
    """A delivery spec's retries; its `deadLetterSink` is the caller's to read."""
    field.only("retry", "backoffPolicy", "backoffDelay", "timeout", "format", "deadLetterSink", "retryAfterMax")
    if field["retryAfterMax"]:
        field["retryAfterMax"].reject("Knative refuses this unless its alpha feature delivery-retryafter is on")
    delay = read_period(field["backoffDelay"])
    timeout = read_period(field["timeout"])
    if timeout == 0:
        field["timeout"].reject("must be longer than nothing")
    policy = field["backoffPolicy"].one_of("linear", "exponential")
    return Retries(
        maximum=field["retry"].number(0, minimum=0),
        policy=policy if delay is not None else "",
        delay_seconds=delay or 0.0,
        timeout_seconds=timeout,
        structured=field["format"].one_of("json", "binary") == "json",
    )


def read_period(field: Field) -> float | None:
    """Seconds of an ISO 8601 duration of days and less, or None if it is not set."""
    text = field.text()
    if not text:
        return None
    match = _PERIOD.fullmatch(text)
    found = {unit: number for unit, number in match.groupdict().items() if number} if match else {}
    if not found:
        # Knative keeps tenths of a second and drops the rest without a word.
        field.reject(f"is {text!r}, not a duration as PT0.2S, PT30S or PT1H30M (tenths of a second at the finest)")
        return None
    return sum(_UNIT_SECONDS[unit] * float(number) for unit, number in found.items())

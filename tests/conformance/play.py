"""Plays the table on any Broker and keeps the results.

All cases are set up and sent at once. They do not see each other's events, and the longest one determines the time.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from tests.conformance.table import (
    DELIVERIES,
    FILTERED,
    FILTERS,
    INGRESS,
    STRUCTURED,
    Delivery,
    binary,
    structured,
)
from tests.support.recorder import Request, Response
from tests.support.waiting import is_true_within

SETTLE_SECONDS = 3.0
"""The results are complete when nothing has arrived for this time."""
LONGEST_SECONDS = 120.0
LATE_SECONDS = 0.9
"""A pause may be this much longer than specified, because the machine is busy."""

Object = dict[str, Any]


class Engine(Protocol):
    """Something that runs Brokers: the local engine, or a cluster."""

    recorder: str
    """The recorder's address, as subscribers' addresses have it."""

    def open(self, objects: Sequence[Object]) -> None:
        """Create these Brokers and Triggers, and wait until they are ready."""

    def send(self, broker: str, method: str, below: str, headers: Mapping[str, str], body: bytes) -> int:
        """Send a request to a Broker's address. Return the status."""

    def script(self, box: str, responses: Sequence[Response]) -> None:
        """Have the recorder respond with *responses*, in order. The last one repeats."""

    def boxes(self, names: Sequence[str]) -> dict[str, list[Request]]:
        """Return the requests that the recorder received, by box."""


@dataclass(frozen=True)
class Played:
    """The results of the table."""

    recorder: str
    statuses: Mapping[str, int]
    """By ingress case."""
    sent: Mapping[str, int]
    """By delivery case: the status of the response to its event."""
    boxes: Mapping[str, list[Request]]


def box(part: str, name: str, what: str = "") -> str:
    """Return the name of a case's box, which is also the name of its Trigger."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return "-".join(filter(None, (part, slug, what)))


def play(engine: Engine, *, everything: bool) -> Played:
    """Play the table. Without *everything*, omit the Triggers that the local Broker rejects."""
    filters = {name: case for name, case in FILTERS.items() if everything or case.local}
    for name, case in DELIVERIES.items():
        engine.script(box("delivery", name), [_named(response, name) for response in case.responses])
        engine.script(
            box("delivery", name, "dead"), [_named(response, name) for response in case.dead_letter_responses]
        )
    engine.open(
        [
            *(_broker(broker) for broker in ("ingress", "filters", "deliveries")),
            *(
                _trigger(box("filter", name), "filters", engine.recorder, dict(case.spec))
                for name, case in filters.items()
            ),
            *(trigger for name in DELIVERIES for trigger in _delivery_triggers(name, engine.recorder)),
        ]
    )
    statuses = {
        name: engine.send("ingress", case.method, case.below, case.headers, case.body) for name, case in INGRESS.items()
    }
    for event_id, attributes in FILTERED.items():
        kept = {name: value for name, value in attributes.items() if name not in ("type", "datacontenttype")}
        headers = binary(event_id, attributes["type"], **kept)
        if "datacontenttype" in attributes:
            headers["content-type"] = attributes["datacontenttype"]
        engine.send("filters", "POST", "", headers, b"")
    sent = {name: _send(engine, name) for name in DELIVERIES}
    names = [
        *(box("filter", name) for name in filters),
        *(box("delivery", name, what) for name in DELIVERIES for what in ("", "dead", "reply")),
    ]
    return Played(engine.recorder, statuses, sent, _settled(lambda: engine.boxes(names)))


def _settled(look: Callable[[], dict[str, list[Request]]]) -> dict[str, list[Request]]:
    """Return the boxes after a while without new requests: a short one if every delivery case is complete."""
    boxes = look()
    changed = time.monotonic()

    def is_settled() -> bool:
        nonlocal boxes, changed
        before, boxes = boxes, look()
        if any(len(boxes[name]) != len(before[name]) for name in boxes):
            changed = time.monotonic()
        complete = all(
            len(boxes[box("delivery", name)]) >= case.attempts
            and len(boxes[box("delivery", name, "dead")]) >= case.dead_letters
            for name, case in DELIVERIES.items()
        )
        return time.monotonic() - changed > (SETTLE_SECONDS if complete else 10 * SETTLE_SECONDS)

    is_true_within(LONGEST_SECONDS, is_settled, pause_seconds=0.3)
    return boxes


def _send(engine: Engine, name: str) -> int:
    case, event_type = DELIVERIES[name], box("delivery", name)
    if case.structured is not None:
        body = structured(event_type, event_type, **case.structured)
        return engine.send("deliveries", "POST", "", {"content-type": STRUCTURED, **case.headers}, body)
    return engine.send("deliveries", "POST", "", {**binary(event_type, event_type), **case.headers}, case.body)


def _named(response: Response, name: str) -> Response:
    own = box("delivery", name)
    headers = {key: value.replace("{}", own) for key, value in response.headers.items()}
    return replace(response, headers=headers, body=response.content.decode().replace("{}-reply", f"{own}-reply"))


def _broker(name: str) -> Object:
    return {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "metadata": {"name": name}, "spec": {}}


def _trigger(name: str, broker: str, recorder: str, spec: Object, subscriber: str = "") -> Object:
    return {
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Trigger",
        "metadata": {"name": name},
        "spec": {"broker": broker, "subscriber": {"uri": subscriber or f"{recorder}/{name}"}, **spec},
    }


def _delivery_triggers(name: str, recorder: str) -> list[Object]:
    case, own = DELIVERIES[name], box("delivery", name)
    selection = {"filter": {"attributes": {"type": own}}}
    delivery = {"deadLetterSink": {"uri": f"{recorder}/{own}-dead"}, **case.spec}
    triggers = [_trigger(own, "deliveries", recorder, {**selection, "delivery": delivery}, case.subscriber)]
    if case.reply is not None:
        reply = {"filter": {"attributes": {"type": f"{own}-reply"}}}
        triggers.append(_trigger(f"{own}-reply", "deliveries", recorder, reply))
    return triggers


# ── the rules for every Broker ──


def check_ingress(played: Played, name: str) -> None:
    """Check the status of an ingress case."""
    assert played.statuses[name] == INGRESS[name].status


def check_filter(played: Played, name: str) -> None:
    """Check the events that a filter selected."""
    assert {request.id for request in played.boxes[box("filter", name)]} == FILTERS[name].selects


def check_delivery(played: Played, name: str) -> None:
    """Check everything that a delivery case specifies."""
    case, own = DELIVERIES[name], box("delivery", name)
    requests, dead_letters = played.boxes[own], played.boxes[f"{own}-dead"]
    assert played.sent[name] == 202
    assert (len(requests), len(dead_letters)) == (case.attempts, case.dead_letters)
    for before, after, pause in zip(requests, requests[1:], case.pauses, strict=False):
        assert pause - 0.05 <= after.at - before.at < pause + LATE_SECONDS
    if requests:
        _check_event(requests[0], case, own)
        assert requests[0].headers["prefer"] == "reply"
    if dead_letters:
        _check_dead_letter(dead_letters[0], case.error, played.recorder, own)
    replies = played.boxes[f"{own}-reply"]
    assert [reply.body for reply in replies] == ([] if case.reply is None else [case.reply])


def _check_event(request: Request, case: Delivery, own: str) -> None:
    got: dict[str, Any] = request.attributes if case.members is None else json.loads(request.body)
    more = case.attributes if case.members is None else case.members
    assert got.pop("knativearrivaltime", "").endswith("Z")
    assert got == {"specversion": "1.0", "source": "/conformance", "id": own, "type": own, **more}
    assert request.headers.get("content-type") == case.content_type
    if case.members is None:
        assert request.body == case.received
    else:
        assert request.attributes == {}


def _check_dead_letter(dead_letter: Request, error: Mapping[str, str] | None, recorder: str, own: str) -> None:
    prefix = "knativeerror"
    got = {
        name.removeprefix(prefix): value for name, value in dead_letter.attributes.items() if name.startswith(prefix)
    }
    expected = {name: value.replace("{recorder}", recorder).replace("{}", own) for name, value in (error or {}).items()}
    assert {name: value for name, value in got.items() if name in expected} == expected
    assert bool(got) is (error is not None)
    assert "knativebrokerttl" in dead_letter.attributes

"""Plays the table on a Broker, whichever it is, and keeps what came of it.

Everything is set up and sent at once: cases do not see each other's events, and the longest of them sets the time.
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

SETTLE_SECONDS = 3.0
"""How long nothing more may come before all is taken as come."""
LONGEST_SECONDS = 120.0
LATE_SECONDS = 0.9
"""What a pause may be longer than it is meant to be, on a busy machine."""

Object = dict[str, Any]


class Engine(Protocol):
    """What runs Brokers: the local one, or a cluster."""

    recorder: str
    """The recorder's address, as subscribers' addresses have it."""

    def open(self, objects: Sequence[Object]) -> None:
        """Have these Brokers and Triggers, ready."""

    def send(self, broker: str, method: str, below: str, headers: Mapping[str, str], body: bytes) -> int:
        """A request to a Broker's address; the status."""

    def script(self, box: str, responses: Sequence[Response]) -> None:
        """Have the recorder respond with *responses*, in order. The last one repeats."""

    def boxes(self, names: Sequence[str]) -> dict[str, list[Request]]:
        """What the recorder got."""


@dataclass(frozen=True)
class Played:
    """What came of the table."""

    recorder: str
    statuses: Mapping[str, int]
    """By ingress case."""
    sent: Mapping[str, int]
    """By delivery case: the status that its event was answered."""
    boxes: Mapping[str, list[Request]]


def box(part: str, name: str, what: str = "") -> str:
    """The name of a case's box, which is also that of its Trigger."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return "-".join(filter(None, (part, slug, what)))


def play(engine: Engine, *, everything: bool) -> Played:
    """Play the table; without *everything*, leave out what the local Broker refuses."""
    filters = {name: case for name, case in FILTERS.items() if everything or case.local}
    for name, case in DELIVERIES.items():
        engine.script(box("delivery", name), [_named(each, name) for each in case.answers])
        engine.script(box("delivery", name, "dead"), [_named(each, name) for each in case.dead_letter_answers])
    engine.open(
        [
            *(_broker(each) for each in ("ingress", "filters", "deliveries")),
            *(
                _trigger(box("filter", name), "filters", engine.recorder, dict(case.spec))
                for name, case in filters.items()
            ),
            *(each for name in DELIVERIES for each in _delivery_triggers(name, engine.recorder)),
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
    """The boxes, once every delivery case has what it expects, or nothing more can be expected, and then a while."""
    deadline = time.monotonic() + LONGEST_SECONDS
    changed = time.monotonic()
    boxes = look()
    while time.monotonic() < deadline:
        time.sleep(0.3)
        now = look()
        if {name: len(each) for name, each in now.items()} != {name: len(each) for name, each in boxes.items()}:
            changed = time.monotonic()
        boxes = now
        complete = all(
            len(boxes[box("delivery", name)]) >= case.attempts
            and len(boxes[box("delivery", name, "dead")]) >= case.dead_letters
            for name, case in DELIVERIES.items()
        )
        if time.monotonic() - changed > (SETTLE_SECONDS if complete else 10 * SETTLE_SECONDS):
            break
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
    wanted = {"filter": {"attributes": {"type": own}}}
    delivery = {"deadLetterSink": {"uri": f"{recorder}/{own}-dead"}, **case.spec}
    triggers = [_trigger(own, "deliveries", recorder, {**wanted, "delivery": delivery}, case.subscriber)]
    if case.reply is not None:
        reply = {"filter": {"attributes": {"type": f"{own}-reply"}}}
        triggers.append(_trigger(f"{own}-reply", "deliveries", recorder, reply))
    return triggers


# ── what every Broker is held to ──


def check_ingress(played: Played, name: str) -> None:
    """The status of an ingress case."""
    assert played.statuses[name] == INGRESS[name].status


def check_filter(played: Played, name: str) -> None:
    """The events that a filter selected."""
    assert {each.id for each in played.boxes[box("filter", name)]} == FILTERS[name].selects


def check_delivery(played: Played, name: str) -> None:
    """All that a delivery case says."""
    case, own = DELIVERIES[name], box("delivery", name)
    requests, letters = played.boxes[own], played.boxes[f"{own}-dead"]
    assert played.sent[name] == 202
    assert (len(requests), len(letters)) == (case.attempts, case.dead_letters)
    for before, after, pause in zip(requests, requests[1:], case.pauses, strict=False):
        assert pause - 0.05 <= after.at - before.at < pause + LATE_SECONDS
    if requests:
        _check_event(requests[0], case, own)
        assert requests[0].headers["prefer"] == "reply"
    if letters:
        _check_letter(letters[0], case.error, played.recorder, own)
    replies = played.boxes[f"{own}-reply"]
    assert [each.body for each in replies] == ([] if case.reply is None else [case.reply])


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


def _check_letter(letter: Request, error: Mapping[str, str] | None, recorder: str, own: str) -> None:
    prefix = "knativeerror"
    got = {name.removeprefix(prefix): value for name, value in letter.attributes.items() if name.startswith(prefix)}
    wanted = {name: value.replace("{recorder}", recorder).replace("{}", own) for name, value in (error or {}).items()}
    assert {name: value for name, value in got.items() if name in wanted} == wanted
    assert bool(got) is (error is not None)
    assert "knativebrokerttl" in letter.attributes

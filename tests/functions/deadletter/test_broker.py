"""deadletter behind a Broker that retries."""

import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.engine import Engine
from tests.support.client import get_json, post
from tests.support.headers import event_headers
from tests.support.manifests import AUTHORIZATION, BROKER_WITH_DEAD_LETTERS
from tests.support.recorder import Request, Response
from tests.support.waiting import wait_until

SERVICE = Path(__file__).parents[3] / "config" / "130-deadletter.yaml"

TRIGGER = """
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {{name: reaction, namespace: vcenter-events}}
spec:
  broker: default
  subscriber:
    uri: {reaction}/
"""


def test_rejected_event_is_stored_redriven_and_then_handled(tmp_path: Path, subscriber: Callable[..., Any]) -> None:
    repaired = queue.SimpleQueue[bool]()

    def respond(_: Request) -> Response:
        return Response(500, b"the tag is missing") if repaired.empty() else Response()

    reaction = subscriber(respond)
    objects = tmp_path / "objects.yaml"
    objects.write_text(BROKER_WITH_DEAD_LETTERS + TRIGGER.format(reaction=reaction.url))

    with Engine([SERVICE, objects], tmp_path / "state") as engine:
        engine.start()
        dead_letters = f"{engine.url('deadletter')}/api/dead-letters"
        status, _ = post(engine.broker_url("vcenter-events", "default"), event_headers("4711"), b'{"a": 1}')
        assert status == 202
        attempts = [reaction.next() for _ in range(2)]
        wait_until(lambda: get_json(dead_letters)["counts"]["waiting"] == 1)
        [first] = get_json(dead_letters)["deadLetters"]
        assert (first["code"], first["response"], first["failures"]) == (500, "the tag is missing", 1)
        assert first["destination"].rstrip("/") == reaction.url

        # A redrive before the repair fails, and the dead letter keeps its number.
        everything = {"content-type": "application/json", **AUTHORIZATION}, b'{"all": true}'
        assert post(f"{dead_letters}/redrive", *everything) == (200, '{"redriven": [1], "failed": []}')
        attempts += [reaction.next() for _ in range(2)]
        wait_until(lambda: get_json(dead_letters)["counts"]["waiting"] == 1)
        [second] = get_json(dead_letters)["deadLetters"]
        assert (second["number"], second["failures"], second["redrives"]) == (1, 2, 1)

        repaired.put(True)
        assert post(f"{dead_letters}/redrive", *everything) == (200, '{"redriven": [1], "failed": []}')
        attempts.append(reaction.next())
        wait_until(lambda: engine.status().brokers[next(iter(engine.status().brokers))].pending == 0)
        assert get_json(dead_letters)["counts"] == {"waiting": 0, "redriven": 1, "dropped": 0, "unstored": 0}

    assert len(attempts) == 5
    assert len(reaction.requests) == 5
    assert {(request.headers["ce-id"], request.body) for request in attempts} == {("4711", b'{"a": 1}')}

"""The metrics of the dead-letter sink."""

from functions.deadletter.sink import DeadLetterSink
from pipeline.cloudevents import to_binary
from tests.support.dead_letters import Clock, api_client, create, failed_event
from tests.support.recorder import Recorder, Response
from tests.support.serving import Served


def values(sink: DeadLetterSink) -> dict[str, float]:
    """Return name and label values → value of each sample."""
    return {
        " ".join([sample.name.removeprefix("vcenter_events_deadletter_"), *sample.labels.values()]): sample.value
        for family in sink.metrics.collect()
        for sample in family.samples
    }


def test_dead_letters_are_counted_by_state() -> None:
    sink = create({})
    for number in ("1", "2", "3"):
        sink.handle(failed_event(number))
    api_client(sink).post("/api/dead-letters/drop", json={"numbers": [2], "reason": "known"})

    counted = values(sink)
    assert [counted[f"events {state}"] for state in ("waiting", "redriven", "dropped")] == [2, 0, 1]


def test_redrives_are_counted_by_result() -> None:
    with Recorder() as broker:
        broker.statuses = [503, 202]
        sink = create({"K_SINK": broker.url})
        for number in ("1", "2"):
            sink.handle(failed_event(number))
        api_client(sink).post("/api/dead-letters/redrive", json={"all": True})

    assert (values(sink)["redrives_total accepted"], values(sink)["redrives_total failed"]) == (1, 1)


def test_age_is_that_of_the_dead_letter_that_waits_longest() -> None:
    clock = Clock()
    with Recorder(lambda _: Response(202)) as broker:
        sink = create({"K_SINK": broker.url}, clock)
        assert values(sink)["oldest_waiting_age_seconds"] == 0
        sink.handle(failed_event("1"))
        clock.advance(60)
        sink.handle(failed_event("2"))
        clock.advance(5)
        assert values(sink)["oldest_waiting_age_seconds"] == 65

        api_client(sink).post("/api/dead-letters/redrive", json={"numbers": [1]})
        assert values(sink)["oldest_waiting_age_seconds"] == 5


def test_process_exposes_them_beside_its_routes() -> None:
    with Served("deadletter", DEADLETTER_TOKEN="t") as function:
        headers, body = to_binary(failed_event())
        assert function.request("POST", "/", body, headers)[0] == 202
        status, exposed = function.request("GET", "/metrics")

    assert status == 200
    assert 'vcenter_events_deadletter_events{state="waiting"} 1.0' in exposed
    assert 'vcenter_events_handled_total{function="deadletter",outcome="accepted"} 1.0' in exposed

"""Descriptions of metrics, counters, and the events that a function handled."""

import threading

import pytest
from prometheus_client.metrics_core import Metric as Family

from pipeline.metrics import SECONDS_BOUNDS, Counter, HandledEvents, counter, gauge, histogram


def values(family: Family) -> dict[tuple[str, ...], float]:
    """Return label values → value of each sample."""
    return {tuple(sample.labels.values()): sample.value for sample in family.samples}


def test_metric_without_labels_has_one_sample() -> None:
    [sample] = counter("read", "Events read.").family(3).samples

    assert (sample.name, sample.labels, sample.value) == ("vcenter_events_read_total", {}, 3)


def test_metric_with_labels_has_a_sample_for_each() -> None:
    metric = gauge("stored", "Events stored.", state="a state")

    assert values(metric.family({("waiting",): 2, ("dropped",): 0})) == {("waiting",): 2, ("dropped",): 0}


def test_unknown_value_has_no_sample() -> None:
    assert gauge("age_seconds", "Age.").family(None).samples == []


def test_histogram_is_not_made_of_single_values() -> None:
    with pytest.raises(TypeError, match="vcenter_events_handling_seconds is a histogram"):
        histogram("handling_seconds", "Duration.").family(1)


@pytest.mark.parametrize(
    ("name", "unit"), [("lag_seconds", "seconds"), ("stored_bytes", "bytes"), ("in_flight", ""), ("build_info", "")]
)
def test_unit_is_the_end_of_the_name(name: str, unit: str) -> None:
    assert gauge(name, "Meaning.").unit == counter(name, "Meaning.").unit == unit


def test_counter_starts_at_zero_for_every_label_value() -> None:
    results = Counter(counter("reactions", "Events.", result="a result"), "done", "skipped")
    results.add("done")
    results.add("done", 2)

    assert (results.value("done"), results.value("skipped")) == (3, 0)
    assert [values(family) for family in results.collect()] == [{("done",): 3, ("skipped",): 0}]


def test_counter_rejects_an_unknown_label_value() -> None:
    results = Counter(counter("reactions", "Events.", result="a result"), "done")

    with pytest.raises(KeyError):
        results.add("VmPoweredOnEvent")


def test_counter_loses_nothing_between_threads() -> None:
    count = Counter(counter("sent", "Events."))

    def add_many() -> None:
        for _ in range(2000):
            count.add()

    threads = [threading.Thread(target=add_many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert count.value() == 16_000


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(202, "accepted"), (200, "replied"), (503, "retry"), (500, "failed"), (400, "rejected"), (413, "rejected")],
)
def test_status_decides_the_outcome(status: int, outcome: str) -> None:
    handled = HandledEvents("tag")
    handled.record(status, 0.01)

    events, _ = handled.collect()
    assert {key: value for key, value in values(events).items() if value} == {("tag", outcome): 1}


def test_batch_counts_each_event_and_one_duration() -> None:
    handled = HandledEvents("display")
    handled.record(202, 0.01, events=7)

    events, durations = handled.collect()
    assert values(events)["display", "accepted"] == 7
    assert {sample.name: sample.value for sample in durations.samples}["vcenter_events_handling_seconds_count"] == 1


def test_buckets_are_cumulative_and_include_their_bound() -> None:
    handled = HandledEvents("tag")
    for seconds in (0.0, SECONDS_BOUNDS[0], 0.3, 60.0):
        handled.record(202, seconds)

    _, durations = handled.collect()
    buckets = {sample.labels["le"]: sample.value for sample in durations.samples if "le" in sample.labels}
    assert (buckets["0.001"], buckets["0.25"], buckets["0.5"], buckets["30.0"], buckets["+Inf"]) == (2, 2, 3, 3, 4)
    assert {sample.name: sample.value for sample in durations.samples}["vcenter_events_handling_seconds_sum"] == 60.301

"""The health of the sources, by the reports of their adapters."""

from datetime import UTC, datetime
from typing import Any

from functions.display import row
from functions.display.health import Health
from pipeline.cloudevents import CloudEvent
from pipeline.status_events import StatusEvents
from tests.support.display import history, ids

REPORTS = StatusEvents("https://vcenter.example/sdk")
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
NOON_MS = 1_795_608_000_000


def observed(*events: CloudEvent) -> list[dict[str, Any]]:
    health = Health()
    for event in events:
        health.observe(event, NOON_MS + 5)
    return health.document()


def test_heartbeat_shows_that_poller_and_broker_work() -> None:
    assert observed(REPORTS.heartbeat(30, NOON)) == [
        {
            "source": "https://vcenter.example/sdk", "reporter": "poller", "beat": NOON_MS + 5, "interval": 30,
            "since": None, "reason": "",
        }
    ]  # fmt: skip


def test_outage_lasts_until_the_recovery() -> None:
    outage = REPORTS.unreachable(NOON, "connection refused")

    (source,) = observed(REPORTS.heartbeat(30, NOON), outage)
    assert (source["since"], source["reason"], source["beat"]) == (NOON_MS, "connection refused", NOON_MS + 5)

    (source,) = observed(outage, REPORTS.recovered(NOON, NOON))
    assert (source["since"], source["reason"]) == (None, "")


def test_heartbeat_is_only_a_change_of_the_state() -> None:
    ring = history()
    beat = REPORTS.heartbeat(30, NOON)
    ring.add([(beat, row.summary(beat))], {})
    assert ids(ring) == []
    assert ring.revision == 1
    assert [source["source"] for source in ring.state()["sources"]] == ["https://vcenter.example/sdk"]


def test_sources_that_anybody_can_invent_are_few() -> None:
    assert len(observed(*(StatusEvents(f"/s{number}").heartbeat(1, NOON) for number in range(100)))) == 20

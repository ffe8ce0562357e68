"""The display's metrics."""

from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from tests.support.headers import headers


def test_metrics_count_events_and_viewers(client: FlaskClient) -> None:
    for name in ("a", "a", "b"):
        client.post("/", headers=headers(id=name))
    client.post("/", data="x")
    values = {
        sample.name: sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
    }
    assert values["vcenter_events_display_received_total"] == 2
    assert values["vcenter_events_display_repeats_total"] == 1
    assert values["vcenter_events_display_rejected_total"] == 1
    assert values["vcenter_events_display_stored"] == 2
    assert values["vcenter_events_display_viewers"] == 0
    assert values["vcenter_events_display_max_viewers"] == 2500

"""An event as a CloudEvent: the predecessor's attributes and payload."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.horizon.event import FIELDS, EventUnreadable, event_time, from_item, to_cloudevent
from pipeline.times import utc
from tests.support.horizon import event

ITEM = event(98554, 1_644_955_225_123, application_pool_name="", desktop_pool_name="pool-1", machine_id="m-1")


def test_attributes_are_the_predecessors() -> None:
    cloudevent = to_cloudevent(from_item(ITEM), "https://horizon.example/x")
    assert cloudevent.attributes == {
        "specversion": "1.0",
        "type": "com.vmware.horizon.vlsi_userloggedin.v0",
        "source": "https://horizon.example/x",
        "id": "98554",
        "time": "2022-02-15T20:00:25.123Z",
        "datacontenttype": "application/json",
        "partitionkey": "https://horizon.example/x",
    }


def test_payload_has_the_predecessors_keys_in_its_order() -> None:
    payload = json.loads(to_cloudevent(from_item(ITEM), "s").data)
    assert list(payload) == [name for name in FIELDS if name != "application_pool_name"]
    assert payload == {name: ITEM[name] for name in payload}


def test_time_of_a_whole_second_has_no_fraction() -> None:
    assert event_time(1_644_955_225_000) == "2022-02-15T20:00:25Z"


@given(st.integers(0, 253_402_300_799_999))
def test_time_is_exact(time_ms: int) -> None:
    assert round(utc(event_time(time_ms)).timestamp() * 1000) == time_ms


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ([], "not a JSON object"),
        ("text", "not a JSON object"),
        ({**ITEM, "id": None}, "event id None is not a whole number"),
        ({**ITEM, "id": True}, "event id True"),
        ({**ITEM, "id": 2**63}, "is not a whole number"),
        ({**ITEM, "time": "2022-02-15"}, "time '2022-02-15' of event 98554"),
        ({**ITEM, "time": 1e400}, "time inf of event 98554"),
        ({**ITEM, "time": -1}, "time -1 of event 98554"),
        ({**ITEM, "type": ""}, "type '' of event 98554"),
        ({**ITEM, "type": 7}, "type 7 of event 98554"),
        ({**ITEM, "type": "x" * 1025}, "type 'x+…"),
    ],
)
def test_item_without_id_time_or_type_is_unreadable(item: object, reason: str) -> None:
    with pytest.raises(EventUnreadable, match=reason):
        from_item(item)


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.sampled_from(FIELDS), values) | values)
def test_any_item_is_an_event_or_unreadable(item: object) -> None:
    with contextlib.suppress(EventUnreadable):
        cloudevent = to_cloudevent(from_item(item), "https://horizon.example")
        assert cloudevent["type"].startswith("com.vmware.horizon.")
        json.loads(cloudevent.data)

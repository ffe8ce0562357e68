"""The record of a position in Horizon's history."""

import contextlib
import datetime
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.checkpoint import Checkpoint, CheckpointUnreadable
from functions.horizon.checkpoint import HorizonCheckpoint
from functions.horizon.cursor import Position

FORMAT = HorizonCheckpoint("https://horizon.example:8443/")
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


def test_record_has_time_and_ids() -> None:
    record = FORMAT.encode(Position(1_644_955_225_123, frozenset({8, 7})), NOW)
    assert json.loads(record) == {
        "horizon": "horizon.example",
        "lastEventTime": 1_644_955_225_123,
        "lastEventIds": [7, 8],
        "createdTimestamp": "2026-01-02T03:04:05Z",
    }


@given(st.integers(0, 253_402_300_799_999), st.frozensets(st.integers(0, 2**63)))
def test_every_position_is_read_as_it_was_written(time_ms: int, ids: frozenset[int]) -> None:
    position = Position(time_ms, ids)
    assert FORMAT.decode(FORMAT.encode(position, NOW)) == Checkpoint("horizon.example", position)


def test_record_of_a_time_alone_says_where_to_begin() -> None:
    assert FORMAT.decode('{"lastEventTime": 5}') == Checkpoint("", Position(5))


@pytest.mark.parametrize(
    "record",
    ["", "{", "null", "[]", "{}", '{"lastEventTime": -1}', '{"lastEventTime": 1, "lastEventIds": 7}', "[" * 100_000],
)
def test_malformed_record_is_rejected_with_the_reason(record: str) -> None:
    with pytest.raises(CheckpointUnreadable, match="read the checkpoint"):
        FORMAT.decode(record)


@given(st.text() | st.from_regex(r'\{"lastEventTime": ?.{0,9}, ?"lastEventIds": ?.{0,9}\}'))
def test_any_text_is_a_checkpoint_or_rejected(record: str) -> None:
    with contextlib.suppress(CheckpointUnreadable):
        assert isinstance(FORMAT.decode(record), Checkpoint)

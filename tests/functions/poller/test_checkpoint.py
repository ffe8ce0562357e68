"""The checkpoint's record: the predecessor's, in both directions."""

import contextlib
import datetime
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.checkpoint import Checkpoint, CheckpointUnreadable, host_name
from functions.poller.checkpoint import VCenterCheckpoint
from vsphere.event import Position

FORMAT = VCenterCheckpoint("https://vcenter.example/sdk")
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
POSITION = Position(4711, datetime.datetime(2021, 2, 15, 20, 0, 25, 112999, tzinfo=datetime.UTC), "VmPoweredOnEvent")

PREDECESSORS = (
    '{"vCenter":"10.161.153.226","lastEventKey":17208,"lastEventType":"UserLogoutSessionEvent",'
    '"lastEventKeyTimestamp":"2021-02-15T20:00:25.112999999Z","createdTimestamp":"2021-02-15T20:02:28.123456789Z"}'
)


def test_record_of_the_predecessor_is_read() -> None:
    checkpoint = FORMAT.decode(PREDECESSORS)
    assert checkpoint.server == "10.161.153.226"
    assert checkpoint.position is not None
    assert checkpoint.position.key == 17208
    assert checkpoint.position.event_type == "UserLogoutSessionEvent"
    assert checkpoint.position.created_time == datetime.datetime(2021, 2, 15, 20, 0, 25, 112999, tzinfo=datetime.UTC)


def test_record_has_the_predecessors_fields() -> None:
    record = FORMAT.encode(POSITION, NOW)
    assert list(json.loads(record)) == list(json.loads(PREDECESSORS))
    assert FORMAT.decode(record) == Checkpoint("vcenter.example", POSITION, begin=None, saved=NOW)


def test_record_is_compact_as_the_predecessors() -> None:
    created = datetime.datetime(2021, 2, 15, 20, 2, 28, tzinfo=datetime.UTC)
    position = Position(17208, created, "UserLogoutSessionEvent")
    assert VCenterCheckpoint("https://10.161.153.226/sdk").encode(position, NOW) == (
        '{"vCenter":"10.161.153.226","lastEventKey":17208,"lastEventType":"UserLogoutSessionEvent",'
        '"lastEventKeyTimestamp":"2021-02-15T20:02:28Z","createdTimestamp":"2026-01-02T03:04:05Z"}'
    )


def test_record_without_a_type_is_read() -> None:
    checkpoint = FORMAT.decode('{"lastEventKey":1,"lastEventKeyTimestamp":"2026-01-02T03:04:05Z"}')
    assert checkpoint == Checkpoint("", Position(1, NOW, ""))


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ('{"lastEventKey":1}', """read the checkpoint '{"lastEventKey":1}': 'lastEventKeyTimestamp' is missing"""),
        ("{", "read the checkpoint '{': Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("x" * 101, f"read the checkpoint '{'x' * 99}…': Expecting value: line 1 column 1 (char 0)"),
        (
            f'{{"lastEventKeyTimestamp":"{"x" * 200}"}}',
            f"""read the checkpoint '{{"lastEventKeyTimestamp":"{"x" * 73}…': Invalid isoformat string: '{"x" * 72}…""",
        ),
    ],
    ids=["missing", "malformed", "long", "long value"],
)
def test_reason_quotes_the_beginning_of_the_record(record: str, reason: str) -> None:
    with pytest.raises(CheckpointUnreadable) as raised:
        FORMAT.decode(record)
    assert str(raised.value) == reason


@pytest.mark.parametrize(
    "record",
    [
        "",
        "{",
        "null",
        "[]",
        "17208",
        '{"lastEventKey": "soon", "lastEventKeyTimestamp": "2021-02-15T20:00:25Z"}',
        '{"lastEventKey": 1}',
        '{"lastEventKey": 1, "lastEventKeyTimestamp": "yesterday"}',
        '{"lastEventKey": Infinity, "lastEventKeyTimestamp": "2021-02-15T20:00:25Z"}',
        '{"lastEventKey": 1, "lastEventKeyTimestamp": "0001-01-01T00:00:00+23:00"}',
        "[" * 100_000,
    ],
    ids=lambda record: record[:30] or "empty",
)
def test_malformed_record_is_rejected_with_the_reason(record: str) -> None:
    with pytest.raises(CheckpointUnreadable, match="read the checkpoint"):
        FORMAT.decode(record)


@given(st.integers(-(2**31), 2**31 - 1).filter(bool), st.text(), st.datetimes(timezones=st.just(datetime.UTC)))
def test_every_checkpoint_is_read_as_it_was_written(key: int, event_type: str, created: datetime.datetime) -> None:
    position = Position(key, created, event_type)
    assert FORMAT.decode(FORMAT.encode(position, NOW)) == Checkpoint(FORMAT.server, position, saved=NOW)


@pytest.mark.parametrize("key", ["", '"lastEventKey":0,', '"lastEventKey":null,'])
def test_record_of_a_time_alone_says_where_to_begin(key: str) -> None:
    record = f'{{{key}"lastEventKeyTimestamp":"2026-01-02T03:04:05Z"}}'
    assert FORMAT.decode(record) == Checkpoint("", None, NOW)


@given(st.text() | st.from_regex(r'\{"lastEventKey": ?.{0,9}, ?"lastEventKeyTimestamp": ?.{0,30}\}'))
def test_any_text_is_a_checkpoint_or_rejected(record: str) -> None:
    with contextlib.suppress(CheckpointUnreadable):
        assert isinstance(FORMAT.decode(record), Checkpoint)


def test_vcenter_is_named_by_its_host() -> None:
    assert host_name("https://vcenter.example:8443/sdk") == "vcenter.example"
    assert host_name("") == ""

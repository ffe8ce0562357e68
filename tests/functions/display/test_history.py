"""The history: bounds, repeats and pages of changes."""

import pytest

from functions.display.history import History
from pipeline import status_events
from pipeline.errors import TemporaryError
from tests.support.display import add, changed_rows, history, ids, named_event


def test_oldest_event_leaves_a_full_ring() -> None:
    ring = history(capacity=3)
    add(ring, "a", "b", "c", "d")
    assert ids(ring) == ["b", "c", "d"]
    assert ring.get(1) is None
    assert ring.get(2) is not None


def test_size_is_bounded_and_one_event_always_stays() -> None:
    ring = history(size_bytes=12_000)
    add(ring, "a", "b", "c", data=b"x" * 4000)
    assert ids(ring) == ["b", "c"]
    add(ring, "d", data=b"x" * 50_000)
    assert ids(ring) == ["d"]


def test_repeated_event_is_counted_and_listed_once() -> None:
    ring = history()
    add(ring, "a", "b", "a", "a")
    assert [values["repeats"] for values in changed_rows(ring)] == [0, 2]
    assert ids(ring, since=2) == ["a"]  # a viewer that has both gets the repeats
    assert (ring.state()["received"], ring.state()["repeats"]) == (2, 2)


def test_event_that_left_the_ring_is_new_when_it_returns() -> None:
    ring = history(capacity=2)
    add(ring, "a", "b", "c", "a")
    assert ids(ring) == ["c", "a"]


def test_same_id_from_another_source_is_another_event() -> None:
    ring = history()
    add(ring, named_event("1", source="/one"))
    add(ring, named_event("1", source="/other"))
    assert ids(ring) == ["1", "1"]


def test_state_counts_events_gaps_and_rejections() -> None:
    ring = History(2, 10_000_000, clock=lambda: 1_795_000_000)
    add(ring, "a", "b", "c")
    add(ring, named_event("d", type=status_events.GAP))
    ring.reject()
    state = ring.state()
    assert state.pop("bytes") in range(2000, 5000)
    assert state == {
        "held": 2, "important": 1, "oldest": 1_795_000_000_000, "received": 4, "repeats": 0, "gaps": 1, "rejected": 1,
        "unsaved": None, "damaged": None, "sources": [],
    }  # fmt: skip


def test_changes_come_in_consecutive_pages() -> None:
    ring = history()
    add(ring, "a", "b", "c", "d", "b")
    first = ring.changes(0, 2)
    assert first is not None
    second = ring.changes(first.revision, 2)
    assert second is not None
    assert [revision for revision, _ in first.rows + second.rows] == [1, 3, 4, 5]
    assert (first.complete, second.complete) == (False, True)


def test_event_during_a_shutdown_is_a_temporary_error() -> None:
    ring = history()
    ring.close()
    with pytest.raises(TemporaryError, match="the display is being stopped"):
        add(ring, "a")


def test_logins_do_not_push_out_errors() -> None:
    ring = history(capacity=100)
    add(ring, named_event("lost", type="com.vmware.vsphere.HostConnectionLostEvent.v0"))
    add(ring, *(named_event(str(number), type="com.vmware.vsphere.UserLoginSessionEvent.v0") for number in range(500)))
    assert ids(ring) == ["lost", *map(str, range(401, 500))]
    assert ring.state()["important"] == 1


def test_errors_take_only_their_share_of_a_full_ring() -> None:
    ring = history(capacity=100)
    add(ring, *(named_event(f"e{number}", type="com.vmware.vsphere.VmDisconnectedEvent.v0") for number in range(60)))
    add(ring, *(named_event(str(number), type="com.vmware.vsphere.UserLoginSessionEvent.v0") for number in range(500)))
    assert ids(ring) == [*(f"e{number}" for number in range(40, 60)), *map(str, range(420, 500))]


def test_same_id_with_other_data_is_another_event() -> None:
    ring = history()
    add(
        ring,
        named_event("1", b"cut sh"),
        named_event("1", b"cut short no more"),
        named_event("1", b"cut short no more"),
    )
    assert [(values["version"], values["repeats"]) for values in changed_rows(ring)] == [(1, 0), (2, 1)]

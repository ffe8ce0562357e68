"""The saved position never passes an open event, for every order of acknowledgements."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.acknowledgements import AcknowledgementTracker


def test_position_is_none_before_the_first_acknowledgement() -> None:
    tracker = AcknowledgementTracker[str]()
    tracker.add("a")
    assert tracker.position is None


def test_position_waits_for_the_first_open_entry() -> None:
    tracker = AcknowledgementTracker[str]()
    numbers = [tracker.add(name) for name in "abc"]
    assert not tracker.acknowledge(numbers[1])
    assert tracker.position is None
    assert tracker.acknowledge(numbers[0])
    assert tracker.position == "b"
    assert len(tracker) == 1


def test_entry_without_position_is_waited_for() -> None:
    tracker = AcknowledgementTracker[str]()
    numbers = [tracker.add("a"), tracker.add(None), tracker.add("b")]
    tracker.acknowledge(numbers[0])
    tracker.acknowledge(numbers[2])
    assert (tracker.position, len(tracker)) == ("a", 2)
    tracker.acknowledge(numbers[1])
    assert (tracker.position, len(tracker)) == ("b", 0)


def test_entry_without_position_does_not_move_the_position() -> None:
    tracker = AcknowledgementTracker[str]()
    numbers = [tracker.add("a"), tracker.add(None)]
    for number in numbers:
        assert tracker.acknowledge(number)
    assert (tracker.position, len(tracker)) == ("a", 0)


def test_second_acknowledgement_completes_nothing() -> None:
    tracker = AcknowledgementTracker[str]()
    number = tracker.add("a")
    assert tracker.acknowledge(number)
    assert not tracker.acknowledge(number)
    assert tracker.position == "a"


def test_unknown_sequence_number_raises() -> None:
    with pytest.raises(ValueError, match="never assigned"):
        AcknowledgementTracker[str]().acknowledge(0)


@given(st.lists(st.one_of(st.none(), st.integers(min_value=0, max_value=60)), max_size=200))
def test_position_equals_its_definition_for_any_order(steps: list[int | None]) -> None:
    """None adds the next entry. A number acknowledges that entry, perhaps not for the first time."""
    tracker = AcknowledgementTracker[int]()
    acknowledged: set[int] = set()
    added = 0
    for step in steps:
        if step is None:
            assert tracker.add(added) == added
            added += 1
        elif step < added:
            tracker.acknowledge(step)
            acknowledged.add(step)
        first_open = next((number for number in range(added) if number not in acknowledged), added)
        assert tracker.position == (first_open - 1 if first_open else None)
        assert tracker.oldest_open == (first_open if first_open < added else None)
        assert len(tracker) == added - first_open
        assert [number for number in range(added) if not tracker.is_open(number)] == sorted(acknowledged)


@given(st.integers(min_value=1, max_value=300).flatmap(lambda count: st.permutations(range(count))))
def test_nothing_stays_in_memory_once_all_is_acknowledged(order: list[int]) -> None:
    tracker = AcknowledgementTracker[int]()
    for number in range(len(order)):
        tracker.add(number)
    for number in order:
        tracker.acknowledge(number)
    assert (tracker.position, len(tracker)) == (len(order) - 1, 0)

"""The saved position never passes an open event: stated for every order of acknowledgements."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.poller.acknowledgements import AcknowledgedPrefix


def test_position_is_none_before_the_first_acknowledgement() -> None:
    prefix = AcknowledgedPrefix[str]()
    prefix.add("a")
    assert prefix.position is None


def test_position_waits_for_the_first_open_event() -> None:
    prefix = AcknowledgedPrefix[str]()
    tickets = [prefix.add(name) for name in "abc"]
    assert not prefix.acknowledge(tickets[1])
    assert prefix.position is None
    assert prefix.acknowledge(tickets[0])
    assert prefix.position == "b"
    assert len(prefix) == 1


def test_what_moves_nowhere_is_waited_for_and_leaves_the_position() -> None:
    prefix = AcknowledgedPrefix[str]()
    tickets = [prefix.add("a"), prefix.add(None), prefix.add("b")]
    prefix.acknowledge(tickets[0])
    prefix.acknowledge(tickets[2])
    assert (prefix.position, len(prefix)) == ("a", 2)
    prefix.acknowledge(tickets[1])
    assert (prefix.position, len(prefix)) == ("b", 0)


def test_ticket_never_given_out_is_refused() -> None:
    with pytest.raises(ValueError, match="never given out"):
        AcknowledgedPrefix[str]().acknowledge(0)


@given(st.lists(st.one_of(st.none(), st.integers(min_value=0, max_value=60)), max_size=200))
def test_prefix_equals_its_definition_for_any_order(steps: list[int | None]) -> None:
    """None adds the next position, a number acknowledges a ticket (again, too)."""
    prefix = AcknowledgedPrefix[int]()
    acknowledged: set[int] = set()
    added = 0
    for step in steps:
        if step is None:
            assert prefix.add(added) == added
            added += 1
        elif step < added:
            prefix.acknowledge(step)
            acknowledged.add(step)
        first_open = next((ticket for ticket in range(added) if ticket not in acknowledged), added)
        assert prefix.position == (first_open - 1 if first_open else None)
        assert len(prefix) == added - first_open


@given(st.integers(min_value=1, max_value=300).flatmap(lambda count: st.permutations(range(count))))
def test_everything_acknowledged_leaves_nothing_in_memory(order: list[int]) -> None:
    prefix = AcknowledgedPrefix[int]()
    for number in range(len(order)):
        prefix.add(number)
    for ticket in order:
        prefix.acknowledge(ticket)
    assert (prefix.position, len(prefix)) == (len(order) - 1, 0)

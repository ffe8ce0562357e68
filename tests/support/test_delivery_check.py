"""The words of a delivery: lost, repeated, out of order, reported."""

import pytest

from tests.support.delivery_check import check_delivery

ENTITIES = {1: "a", 2: "b", 3: "a", 4: "b"}


@pytest.mark.parametrize(
    ("arrived", "reported", "lost", "repeated", "out_of_order", "named"),
    [
        ([1, 2, 3, 4], [], [], [], [], []),
        ([2, 1, 4, 3], [], [], [], [], []),
        ([3, 1, 2, 4], [], [], [], [1], []),
        ([1, 3, 1, 2, 4], [], [], [1], [], []),
        ([1, 4], [3], [2], [], [], [3]),
        ([1, 2, 3, 4, 99], [4], [], [], [], []),
    ],
    ids=["all", "of several entities", "overtaken", "repeated late", "missing", "reported and unknown"],
)
def test_delivery_is_judged(
    arrived: list[int],
    reported: list[int],
    lost: list[int],
    repeated: list[int],
    out_of_order: list[int],
    named: list[int],
) -> None:
    check = check_delivery(ENTITIES, arrived, reported)

    assert (check.lost, check.repeated, check.out_of_order, check.reported) == (lost, repeated, out_of_order, named)
    assert check.is_sound is (not lost and not out_of_order)


def test_order_without_entities_is_of_no_interest() -> None:
    assert str(check_delivery([1, 2], [2, 1, 1])) == "lost 0, twice 1"

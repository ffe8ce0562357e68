"""The check of a delivery: which events were lost, repeated, out of order, or reported instead. Pure.

The simulation, the benchmarks and the tests on a cluster use it, so that the words mean the same everywhere.
"""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclasses.dataclass(frozen=True)
class DeliveryCheck(Generic[K]):
    """The result of `check_delivery`. Every list is in the order of the history."""

    expected: int
    lost: list[K]
    """Events that did not arrive and that no status event names."""
    repeated: list[K]
    """Events that arrived more than once."""
    out_of_order: list[K]
    """Events that arrived, for the first time, after a later one of their entity."""
    reported: list[K]
    """Events that did not arrive and that a status event names."""

    @property
    def is_sound(self) -> bool:
        """True if nothing is lost or out of order. Repeats are allowed: delivery is at least once."""
        return not self.lost and not self.out_of_order

    def __str__(self) -> str:
        counts = {
            "lost": self.lost,
            "twice": self.repeated,
            "out of order within an entity": self.out_of_order,
            "reported": self.reported,
        }
        return ", ".join(f"{name} {len(keys)}" for name, keys in counts.items() if keys or name in ("lost", "twice"))


def check_delivery(
    expected: Mapping[K, str] | Iterable[K], arrived: Iterable[K], reported: Collection[K] = ()
) -> DeliveryCheck[K]:
    """Compare what *arrived*, in this order, with the *expected* events, in the order of the history.

    *expected* maps each event's key to its entity, or has the keys alone if the order is of no interest. *reported*
    are the events that status events name. Arrivals that are not expected are ignored.
    """
    entities = expected if isinstance(expected, Mapping) else dict.fromkeys(expected, "")
    counts = Counter(key for key in arrived if key in entities)
    places = {key: place for place, key in enumerate(entities)}
    late: set[K] = set()
    if isinstance(expected, Mapping):
        newest: dict[str, int] = defaultdict(lambda: -1)
        for key in counts:  # in the order of their first arrivals
            late.update([key] if places[key] < newest[entities[key]] else [])
            newest[entities[key]] = max(newest[entities[key]], places[key])
    missing = [key for key in entities if key not in counts]
    return DeliveryCheck(
        expected=len(entities),
        lost=[key for key in missing if key not in reported],
        repeated=[key for key in entities if counts[key] > 1],
        out_of_order=[key for key in entities if key in late],
        reported=[key for key in missing if key in reported],
    )

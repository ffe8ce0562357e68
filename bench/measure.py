"""A measurement, and the arithmetic of several."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Measurement:
    """A row of the table, as text with units."""

    what: str
    value: str
    baseline: str = ""
    """The value of the parts alone, in the same run."""
    goal: str = ""
    """The promised value."""


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least *percent* of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, round(len(ordered) * percent / 100 + 0.5) - 1))]


def milliseconds(values: Sequence[float], *percents: float) -> str:
    """ "p50 21 ms, p99 30 ms" of *values* in seconds."""
    return ", ".join(f"p{percent:g} {percentile(values, percent) * 1000:.0f} ms" for percent in percents)

"""Faults of the network to vCenter, the sink and the API server, while events come all the time. `bench/faults.py`
has them at full length."""

from collections.abc import Sequence

import pytest

from demo.vcsim import VCSim
from tests.support.faulty_poller import FaultyPoller
from tests.support.faulty_proxy import GARBAGE, HALF_OPEN, LATENCY, PAGE, RESET, SLICES, Fault

pytestmark = pytest.mark.faults

QUICK = {"SINK_TIMEOUT": "1s", "SINK_BACKOFF_MAX": "200ms"}


@pytest.mark.parametrize(
    ("edge", "faults"),
    [
        ("vCenter", [(GARBAGE, 2), (RESET, 3)]),
        ("sink", [(GARBAGE, 1), (RESET, 2), (HALF_OPEN, 3)]),
        ("API server", [(PAGE, 2), (GARBAGE, 2), (HALF_OPEN, 8)]),
    ],
)
def test_fault_is_noticed_and_loses_nothing(vcsim: VCSim, edge: str, faults: Sequence[tuple[Fault, float]]) -> None:
    with FaultyPoller(vcsim, **QUICK) as faulty:
        for fault, seconds in faults:
            outcome = faulty.play(edge, fault, seconds)

            assert outcome.lost == 0, fault
            assert outcome.noticed_seconds is not None, fault
            assert outcome.recovered_seconds < 15, (fault, outcome)


@pytest.mark.parametrize("edge", ["vCenter", "sink"])
def test_slow_network_delays_events_and_loses_none(vcsim: VCSim, edge: str) -> None:
    with FaultyPoller(vcsim) as faulty:
        for fault in (SLICES, LATENCY):
            outcome = faulty.play(edge, fault, 2)

            assert (outcome.lost, outcome.repeated) == (0, 0), fault
            assert outcome.longest_seconds < 10, fault

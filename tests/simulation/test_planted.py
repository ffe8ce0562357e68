"""Faults that this project once had are found when they are planted again, each by the seed recorded here."""

import pytest

from tests.simulation.plan import draw
from tests.simulation.planted import PLANTED, find
from tests.simulation.world import World

SEEDS = {
    "H1 reading begins after vCenter's clock": 20,
    "H2 one odd event stops the poller": 10,
    "H3 a malformed Retry-After ends a worker": 49,
    "H4 a gateway drains the history into the log": 22,
    "H5 an answer that is not a ConfigMap ends the writer": 45,
    "M1 an unwritable file has everything sent again": 107,
    "M8 the lease is judged by two clocks": 1825,
    "587168f events that a collector has twice are sent twice": 0,
    "130f320 a watch stays silent after a wait that ran out": 114,
    "d56e4cf events of a long outage are not resent": 3,
    "716a97f a lost lease has everything sent again": 150,
    "3f9a8e3 clock set back while nobody reads": 215,
    "idle checkpoint writer spins": 237,
    "second lost lease has everything sent again": 388,
    "save whose answer is lost has events sent again": 150,
    "a report is lost with the sink that it waits in": 9737,
    "a page that is sent in part is sent again": 3231,
    "the watched collector begins after the reader": 24768,
    "at most once with two pollers": 486,
}
"""Fault → the first seed that finds it."""


@pytest.mark.parametrize("fault", PLANTED)
def test_planted_fault_is_found(fault: str) -> None:
    assert find(fault, [SEEDS[fault]]) is not None
    assert World(draw(SEEDS[fault])).run().violations == ()

import contextlib
import gc
import random
from collections import Counter

import pytest
from pyVmomi import vim

from demo.life import CLONES_MOST, FAILURES, Life, enter, leave
from demo.vcsim import VCSim


def events_and_machines(vcsim: VCSim) -> tuple[Counter[str], int]:
    """How many events of each class the vCenter holds, and how many machines."""
    vcenter = enter(vcsim)
    content = vcenter.RetrieveContent()
    collector = content.eventManager.CreateCollectorForEvents(vim.event.EventFilterSpec())
    classes: Counter[str] = Counter()
    while events := collector.ReadNextEvents(1000):
        classes.update(type(event).__name__.rpartition(".")[2] for event in events)
    machines = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], recursive=True).view
    count = len(machines)
    leave(vcenter)
    return classes, count


def test_life_makes_events_of_many_kinds_and_the_data_centre_does_not_grow(vcsim: VCSim) -> None:
    _, machines_before = events_and_machines(vcsim)
    life = Life(vcsim, random.Random(4711))

    for _ in range(150):
        with contextlib.suppress(*FAILURES):
            life.step()

    classes, machines = events_and_machines(vcsim)
    life.stop()
    assert {"VmPoweredOnEvent", "VmSuspendedEvent", "VmReconfiguredEvent"} <= set(classes)
    assert {"VmClonedEvent", "VmRemovedEvent", "GeneralUserEvent", "EventEx"} <= set(classes)
    assert classes["VmPoweredOffEvent"] >= 10
    assert machines <= machines_before + CLONES_MOST


@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")  # pyVmomi's, of a request cut off
def test_life_goes_on_after_the_vcenter_was_restarted(vcsim: VCSim) -> None:
    life = Life(vcsim, random.Random(4711), pause_seconds=(0.001, 0.002))
    life.start()
    try:
        vcsim.restart()
        # Only operations make events of these classes; the history is a new one since the restart.
        made: Counter[str] = Counter()
        while not made.keys() & {"VmReconfiguredEvent", "VmPoweredOffEvent"}:
            made, _ = events_and_machines(vcsim)
    finally:
        life.stop()
        gc.collect()  # here, where such a connection is no fault

import contextlib
import gc
import random
from collections import Counter

import pytest
from pyVmomi import vim

from demo.life import FAILURES, MAX_CLONES, Life, enter, leave
from demo.vcsim import VCSim


def events_and_vms(vcsim: VCSim) -> tuple[Counter[str], int]:
    """Return the number of events of each class, and the number of VMs."""
    vcenter = enter(vcsim)
    content = vcenter.RetrieveContent()
    collector = content.eventManager.CreateCollectorForEvents(vim.event.EventFilterSpec())
    classes: Counter[str] = Counter()
    while events := collector.ReadNextEvents(1000):
        classes.update(type(event).__name__.rpartition(".")[2] for event in events)
    vms = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], recursive=True).view
    count = len(vms)
    leave(vcenter)
    return classes, count


def test_many_classes_of_events_and_a_bounded_number_of_vms(vcsim: VCSim) -> None:
    _, vms_before = events_and_vms(vcsim)
    life = Life(vcsim, random.Random(4711))

    for _ in range(150):
        with contextlib.suppress(*FAILURES):
            life.step()

    classes, vms = events_and_vms(vcsim)
    life.stop()
    assert {"VmPoweredOnEvent", "VmSuspendedEvent", "VmReconfiguredEvent"} <= set(classes)
    assert {"VmClonedEvent", "VmRemovedEvent", "GeneralUserEvent", "EventEx"} <= set(classes)
    assert classes["VmPoweredOffEvent"] >= 10
    assert vms <= vms_before + MAX_CLONES


@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")  # pyVmomi's, of a request cut off
def test_activity_goes_on_after_a_restart_of_vcenter(vcsim: VCSim) -> None:
    life = Life(vcsim, random.Random(4711), pause_seconds=(0.001, 0.002))
    life.start()
    try:
        vcsim.restart()
        # Only operations make events of these classes; the history is a new one since the restart.
        created: Counter[str] = Counter()
        while not created.keys() & {"VmReconfiguredEvent", "VmPoweredOffEvent"}:
            created, _ = events_and_vms(vcsim)
    finally:
        life.stop()
        gc.collect()  # here, where the warning about such a connection is ignored

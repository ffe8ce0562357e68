import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from demo.vcsim import VCSim, VCSimStuck, is_responding
from tests.support.processes import is_running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("vcsim_program")

HOLD_A_VCSIM = """
import time
from demo.vcsim import VCSim
with VCSim() as vcsim:
    print(vcsim.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("end", [VCSim.stop, VCSim.kill])
def test_no_process_is_left(end: Callable[[VCSim], None]) -> None:
    vcsim = VCSim()
    vcsim.start()
    pid = vcsim.pid
    assert is_running(pid or 0)

    end(vcsim)

    assert not is_running(pid or 0)
    assert vcsim.pid is None
    assert not is_responding(vcsim.url)


def test_restart_keeps_the_address(vcsim: VCSim) -> None:
    before = vcsim.url, vcsim.pid

    vcsim.restart()

    assert vcsim.url == before[0]
    assert vcsim.pid != before[1]
    assert is_responding(vcsim.url)


def test_it_ends_with_its_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD_A_VCSIM], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid or 0)

        parent.send_signal(signal.SIGKILL)

    wait_until(lambda: not is_running(pid or 0))


def test_port_in_use_is_reported_and_leaves_no_process(vcsim: VCSim, monkeypatch: pytest.MonkeyPatch) -> None:
    late = VCSim()
    monkeypatch.setattr(late, "_port", vcsim.port)

    with pytest.raises(VCSimStuck, match="address already in use"):
        late.start()

    assert late.pid is None

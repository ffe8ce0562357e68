"""The poller is ready once it has logged in to vCenter, whoever else reads and whether ticks come or not."""

import contextlib
import signal
from collections.abc import Iterator

import pytest

from demo.vcsim import VCSim
from tests.support.recorder import Recorder
from tests.support.serving import Served
from tests.support.waiting import wait_until

READINESS = "/health/readiness"
READY = (200, "ready\n")


@contextlib.contextmanager
def polling(environ: dict[str, str], **more: str) -> Iterator[Served]:
    """A poller as a process. It is killed at the end."""
    with Served("poller", **{**environ, **more}) as served:
        yield served
        served.signal(signal.SIGKILL)


def readiness(served: Served) -> tuple[int, str]:
    return served.request("GET", READINESS)


@pytest.mark.parametrize("follow_seconds", ["0", "1", "always"])
def test_poller_without_ticks_gets_ready(environ: dict[str, str], follow_seconds: str) -> None:
    with polling(environ, FOLLOW_SECONDS=follow_seconds) as served:
        wait_until(lambda: readiness(served) == READY)


@pytest.mark.parametrize("follow_seconds", ["0", "always"])
def test_wrong_password_is_the_reason_why_it_is_not_ready(environ: dict[str, str], follow_seconds: str) -> None:
    with polling(environ, FOLLOW_SECONDS=follow_seconds, VC_PASSWORD="hunter2") as served:
        wait_until(lambda: "rejects" in readiness(served)[1])
        status, body = readiness(served)
        assert status == 503
        assert body.startswith("not logged in to vCenter yet: log in to ")
        assert "hunter2" not in body
        assert served.request("GET", "/health/liveness")[0] == 200


def test_poller_is_ready_only_once_vcenter_can_be_reached(environ: dict[str, str], vcsim: VCSim) -> None:
    vcsim.kill()
    with polling(environ, FOLLOW_SECONDS="1") as served:
        wait_until(lambda: any(line["message"] == "Poll ended" for line in served.lines))
        status, body = readiness(served)
        assert (status, "Errno 111" in body) == (503, True)
        vcsim.start()
        wait_until(lambda: readiness(served) == READY, 15)


def test_outage_of_vcenter_leaves_the_poller_ready(environ: dict[str, str], vcsim: VCSim, sink: Recorder) -> None:
    with polling(environ, FOLLOW_SECONDS="always") as served:
        wait_until(lambda: bool(sink.ids))
        vcsim.kill()
        wait_until(lambda: any("Poll failed" in line["message"] for line in served.lines), 20)
        assert readiness(served) == READY


def test_poller_is_ready_while_another_holds_the_lease(environ: dict[str, str], sink: Recorder) -> None:
    with polling(environ, FOLLOW_SECONDS="always"):
        wait_until(lambda: bool(sink.ids))
        with polling(environ, FOLLOW_SECONDS="always") as second:
            wait_until(lambda: any("another poller" in line["message"] for line in second.lines))
            assert readiness(second) == READY

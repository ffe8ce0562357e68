"""Services as real processes: started, watched, started again, ended with all they started."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local.services import Command, ServiceNotReady, ServiceProcess, free_port, web_command
from pipeline.errors import PermanentError
from tests.support.client import get_json
from tests.support.processes import is_running
from tests.support.waiting import wait_until

Run = Callable[..., ServiceProcess]


@pytest.fixture
def run(project: Path, tmp_path: Path) -> Iterator[Run]:
    """Starts a process of the project with more environment variables."""
    started: list[ServiceProcess] = []

    def start(
        command: str = "python server.py", echo: Callable[[str, str], None] | None = None, **environ: str
    ) -> ServiceProcess:
        path = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
        log = tmp_path / "display.log"
        service = ServiceProcess(Command("display", command, project, {**path, **environ}, free_port(), log, "/"), echo)
        started.append(service)
        service.start()
        return service

    yield start
    for service in started:
        service.terminate()
        service.kill()
        service.join(time.monotonic() + 5)


def end(service: ServiceProcess, seconds: float = 5) -> bool:
    service.terminate()
    return service.join(time.monotonic() + seconds)


def test_process_gets_its_port_and_only_the_given_environment(run: Run) -> None:
    service = run(COLOUR="green")
    wait_until(service.is_ready)

    environ = get_json(service.url)["environ"]

    assert environ["PORT"] == str(urlsplit(service.url).port)
    assert environ["HOST"] == "127.0.0.1"
    assert environ["COLOUR"] == "green"
    assert set(environ) - {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"} == {"PATH", "HOST", "PORT", "COLOUR"}


def test_output_goes_to_the_log_file_and_to_the_echo(run: Run, tmp_path: Path) -> None:
    heard: list[tuple[str, str]] = []
    service = run(echo=lambda name, line: heard.append((name, line)))
    wait_until(service.is_ready)

    assert heard == [("display", "listening")]
    assert (tmp_path / "display.log").read_text() == "listening\n"


def test_sigterm_ends_the_process_and_its_children(run: Run) -> None:
    service = run(MODE="child")
    wait_until(service.is_ready)
    process = get_json(service.url)

    assert end(service)
    assert not service.is_alive()
    assert not is_running(process["pid"])
    assert not is_running(process["child"])


def test_stubborn_process_is_killed(run: Run) -> None:
    service = run(MODE="stubborn")
    wait_until(service.is_ready)
    pid = get_json(service.url)["pid"]

    assert not end(service, seconds=0.2)
    service.kill()

    assert service.join(time.monotonic() + 5)
    assert not is_running(pid)


def test_dead_process_restarts_on_its_port_without_its_children(run: Run) -> None:
    service = run(MODE="child")
    wait_until(service.is_ready)
    first = get_json(service.url + "/die")

    def is_another() -> bool:
        try:
            return bool(get_json(service.url)["pid"] != first["pid"])
        except OSError:
            return False

    wait_until(is_another)
    assert not is_running(first["child"])


def test_settings_error_at_the_start_is_not_retried(run: Run) -> None:
    service = run(MODE="invalid")

    with pytest.raises(ServiceNotReady) as rejection:
        wait_until(service.is_ready)

    assert "service display ended with exit code 2" in str(rejection.value)
    assert "COLOUR is not set" in str(rejection.value)


def test_other_exit_at_the_start_is_retried(run: Run, tmp_path: Path) -> None:
    service = run(MODE="crash-once", MARK=str(tmp_path / "mark"))

    wait_until(service.is_ready)

    assert "first run fails" in service.complaint()


def test_terminate_during_the_restart_pause_starts_nothing(run: Run) -> None:
    service = run("sh -c 'exit 3'")
    wait_until(lambda: "exit code 3" in service.complaint())

    assert end(service, seconds=2)


@pytest.mark.parametrize(
    ("text", "fault"), [("", "has no line web:"), ("worker: x", "has no line web:"), (None, "No such file")]
)
def test_procfile_without_web_line_is_rejected(tmp_path: Path, text: str | None, fault: str) -> None:
    if text is not None:
        (tmp_path / "Procfile").write_text(text)

    with pytest.raises(PermanentError, match=fault):
        web_command(tmp_path)

"""The three servers that can run a function, each as a process of its own: launcher, parliament, func-python."""

import contextlib
import fcntl
import http.client
import os
import socket
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.support.waiting import wait_until

ROOT = Path(__file__).parent.parent.parent
FUNC_PYTHON = "0.8.1"
"""The version that `kn func` 1.22 (func 0.49.2) writes into its scaffolding."""

PARLIAMENT = (
    "import sys; from waitress import serve; from parliament import server; "
    "serve(server.create(server.load('.')), host='127.0.0.1', port=int(sys.argv[1]))"
)
"""parliament's own `python -m parliament .`, which has no way to choose address and port."""

MIDDLEWARE = "from func_python.{kind} import serve; from function import new; serve(new)"
"""The scaffolding of `kn func`."""


class Response(NamedTuple):
    """A response with header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class RunningFunction:
    """A function behind one of the servers."""

    def __init__(self, port: int) -> None:
        self.port = port

    def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = {}) -> Response:
        """Send one request on a connection of its own."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Response(response.status, names, response.read())


@contextlib.contextmanager
def running(server: str, function: str, sources: Path = ROOT, **environ: str) -> Iterator[RunningFunction]:
    """Run *function* behind *server*: `launcher`, `parliament`, `func-python http` or `func-python cloudevent`.

    The code is that in *sources*.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"PATH": os.environ["PATH"], "FUNCTION": function, "HOST": "127.0.0.1", "PORT": str(port), **environ}
    settings |= {"LISTEN_ADDRESS": f"127.0.0.1:{port}", "PYTHONPATH": str(sources)}
    with subprocess.Popen(_command(server, port), cwd=sources, env=settings, stdout=subprocess.DEVNULL) as process:
        served = RunningFunction(port)
        try:
            wait_until(lambda: _answers(served), 20, f"{server} answers")
            yield served
        finally:
            process.terminate()
            process.wait(20)


def _command(server: str, port: int) -> list[str]:
    if server == "launcher":
        return [sys.executable, "launcher.py"]
    if server == "parliament":
        return [sys.executable, "-c", PARLIAMENT, str(port)]
    return [str(func_python()), "-c", MIDDLEWARE.format(kind=server.partition(" ")[2])]


def _answers(served: RunningFunction) -> bool:
    with contextlib.suppress(OSError):
        return served.request("GET", "/health/readiness").status == 200
    return False


def func_python() -> Path:
    """Return a Python that has func-python and hatchling, and this environment's packages for everything else.

    It needs version 2 of the CloudEvents SDK, and parliament version 1: they cannot share one environment.
    """
    folder = ROOT / ".cache" / f"func-python-{FUNC_PYTHON}-hatchling"
    python = folder / "bin" / "python"
    ready = folder / ".ready"
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two files of tests may run at once
        if not ready.exists():
            venv.create(folder, with_pip=True, clear=True)
            install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*install, f"func-python=={FUNC_PYTHON}", "hatchling"], check=True)
            site = next((folder / "lib").glob("python3.*/site-packages"))
            packages = Path(sysconfig.get_paths()["purelib"]).resolve()
            (site / "after.pth").write_text(f"{packages}\n", encoding="utf-8")
            ready.touch()
    return python

"""`python -m demo`: the whole pipeline on this machine, from the YAML that a cluster takes, until Ctrl-C.

The vCenter is a simulated one with some life in it, or with `--vcenter` the one that `VC_URL`, `VC_USERNAME` and
`VC_PASSWORD` name. Credentials go into a file of the run's own temporary folder, and are gone when it ends.
"""

import argparse
import contextlib
import dataclasses
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import yaml

from demo.life import Life
from demo.receiver import Receiver
from demo.vcsim import VCSim, answers
from local.engine import Engine
from local.services import free_port
from pipeline import logs
from pipeline.errors import PermanentError, VCenterEventsError, cut
from pipeline.settings import Secret, flag, http_url, read, setting, text, whole_number

ROOT = Path(__file__).resolve().parent.parent
NAMESPACE = "vcenter-events"

REACTIONS = [
    *(ROOT / "config" / "reactions" / name for name in ("300-vcenter.yaml", "310-tag.yaml", "320-attribute.yaml")),
    *(ROOT / "triggers" / "reactions" / name for name in ("tag.yaml", "attribute.yaml")),
]
"""Those that the simulated vCenter gets: they change it, so a real one has them only when its owner asks for it."""

USUAL_PORT = 8080
REDRAW_SECONDS = 1.0
LOG_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class VCenter:
    """The vCenter whose events are shown."""

    url: str = setting("VC_URL", http_url, "the vCenter's address", example="https://vcenter.example/sdk")
    username: str = setting("VC_USERNAME", text, "who logs in; may read only", example="events-reader@vsphere.local")
    password: Secret = setting("VC_PASSWORD", Secret, "the password", example="'…'")
    insecure: bool = setting("VC_INSECURE", flag, "accept any certificate", example="true", default="false")


@dataclasses.dataclass(frozen=True)
class Demo:
    """What can be chosen about a run."""

    port: int | None = setting(
        "DEMO_PORT", whole_number(1, 65535), "the page's port; unset: 8080 or a free one", example="8081", default=None
    )


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Run until Ctrl-C or SIGTERM; the exit code: 0 then, 2 if it cannot be run, with the reason on stderr."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__.partition("\n")[0])
    parser.add_argument("--vcenter", action="store_true", help="a real vCenter: VC_URL, VC_USERNAME, VC_PASSWORD")
    options = parser.parse_args(arguments)
    try:
        signal.signal(signal.SIGTERM, _end)
        signal.signal(signal.SIGINT, _end)
        with contextlib.ExitStack() as running:
            port = page_port(read(Demo, environ).port)
            if options.vcenter:
                run(running, read(VCenter, environ), port)
            else:
                vcsim = running.enter_context(VCSim())
                vcenter = VCenter(vcsim.url, vcsim.username, Secret(vcsim.password), insecure=True)
                run(running, vcenter, port, Life(vcsim))
    except _Ended:
        print("\nended")
    except VCenterEventsError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


class _Ended(Exception):
    """Ctrl-C or SIGTERM came."""


def _end(*_: object) -> NoReturn:
    """Raise `_Ended`, once: a second Ctrl-C must not break the cleaning up."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise _Ended


def run(running: contextlib.ExitStack, vcenter: VCenter, port: int, life: Life | None = None) -> NoReturn:
    """Start everything, *life* last, and tell how it goes; *running* ends it again, in the reverse order.

    Raises `VCenterEventsError` when something does not start, and what a signal's handler raises.
    """
    begun = time.monotonic()
    state = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="vcenter-events-")))
    logs.configure(stream=running.enter_context((state / "demo.log").open("w")))
    receiver = running.enter_context(Receiver())
    overrides = state / "overrides.yaml"
    write_overrides(overrides, vcenter, receiver.url)

    print("Starting the Broker and the functions", flush=True)
    paths = [ROOT / "config", ROOT / "triggers", *(REACTIONS if life else []), overrides]
    engine = running.enter_context(Engine(paths, state, {"display": port}))
    engine.start()
    if life:
        running.callback(life.stop)
        life.start()
    print(f"Running after {time.monotonic() - begun:.1f} s. The events of {vcenter.url} are on\n")
    print(f"    {engine.url('display')}\n\nCtrl-C ends it.", flush=True)
    tell(engine, receiver, Watch(vcenter.url))


def page_port(chosen: int | None) -> int:
    """The port of the page: *chosen*, else the usual one, else a free one. Raises `PermanentError` if it is taken."""
    try:
        with socket.create_server(("127.0.0.1", chosen or USUAL_PORT)):
            return chosen or USUAL_PORT
    except OSError as error:
        if chosen:
            reason = os.strerror(error.errno or 0)  # Python's own text has the address once more
            raise PermanentError(f"listen on 127.0.0.1:{chosen}: {reason}; DEMO_PORT takes another") from error
        return free_port()


def write_overrides(path: Path, vcenter: VCenter, notify_url: str) -> None:
    """Fill the templates of config/ in: which vCenter, its credentials, whom to notify. Only this user can read it."""
    account = {"username": vcenter.username, "password": vcenter.password.reveal()}
    objects = [
        {
            **_head("ConfigMap", "vcenter"),
            "data": {"VC_URL": vcenter.url, "VC_INSECURE": str(vcenter.insecure).lower()},
        },
        {**_head("Secret", "vcenter-credentials"), "stringData": account},
        {**_head("Secret", "vcenter-reactions"), "stringData": account},
        {**_head("Secret", "notify"), "stringData": {"NOTIFY_URLS": notify_url}},
    ]
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump_all(objects), encoding="utf-8")


def _head(kind: str, name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}}


class Watch:
    """Whether a vCenter answers, asked every few seconds by a thread: a dead one takes its time to say so."""

    def __init__(self, url: str, period_seconds: float = 3) -> None:
        self.answers = True
        self._url = url
        self._period_seconds = period_seconds
        threading.Thread(target=self._ask, name="watch", daemon=True).start()

    def _ask(self) -> NoReturn:
        while True:
            self.answers = answers(self._url)
            time.sleep(self._period_seconds)


def tell(engine: Engine, receiver: Receiver, watch: Watch) -> NoReturn:
    """How it goes: one line that is drawn anew on a terminal, in a log a line each 10 s."""
    on_terminal = sys.stdout.isatty()
    for line in lines(engine, receiver, watch):
        if on_terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{line[:width]}", end="", flush=True)
        else:
            print(line, flush=True)
        time.sleep(REDRAW_SECONDS if on_terminal else LOG_SECONDS)
    raise AssertionError("it goes on until a signal")


def lines(engine: Engine, receiver: Receiver, watch: Watch) -> Iterator[str]:
    """The status, over and over; short enough for 80 columns, so what is as it should be is not told."""
    while True:
        status = engine.status()
        counts = status.brokers.values()
        up, failed = sum(status.services.values()), sum(each.failed for each in counts)
        parts = [
            "vCenter up" if watch.answers else "vCenter DOWN",
            *([f"{up} of {len(status.services)} functions up"] if up < len(status.services) else []),
            f"{sum(each.received for each in counts)} events",
            f"{sum(each.delivered for each in counts)} delivered",
            *([f"{failed} failed"] if failed else []),
            f"{receiver.count} notified" + (f", last: {cut(receiver.last_title, 60)}" if receiver.count else ""),
        ]
        yield " · ".join(parts)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m demo`: the whole pipeline on this machine, from the YAML that a cluster takes, until Ctrl-C.

The vCenter is a simulated one with some activity, or with `--vcenter` the one of `VC_URL`, `VC_USERNAME` and
`VC_PASSWORD`. Credentials are in a file of the run's temporary folder, which is deleted at the end.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import yaml

from demo.data_center import DataCenter
from demo.life import Life
from demo.receiver import Receiver
from demo.vcsim import VCSim, is_responding
from local.engine import Engine, Status
from local.services import free_port
from pipeline import logs
from pipeline.errors import PermanentError, VCenterEventsError, cut
from pipeline.settings import Secret, flag, http_url, read, setting, text, whole_number

ROOT = Path(__file__).resolve().parent.parent
NAMESPACE = "vcenter-events"

TRIGGERS = [
    ROOT / "triggers",
    *(ROOT / "triggers" / "reactions" / name for name in ("failover.yaml", "webhook.yaml")),
    ROOT / "demo" / "triggers.yaml",
]
REACTIONS = [
    *(
        ROOT / "config" / "reactions" / name
        for name in ("300-vcenter.yaml", "310-tag.yaml", "320-attribute.yaml", "340-failover.yaml", "370-webhook.yaml")
    ),
    *TRIGGERS[1:],
]
"""The reactions to the simulated vCenter. They change a vCenter, so a real one does not get them here."""

READER = "VSPHERE.LOCAL\\events-reader"
"""The account of the poller and of the reactions at the simulated vCenter."""

DEFAULT_PORT = 8080
REDRAW_SECONDS = 1.0
LOG_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class VCenter:
    """The vCenter whose events are shown."""

    url: str = setting("VC_URL", http_url, "address of the vCenter's SDK", example="https://vcenter.example/sdk")
    username: str = setting(
        "VC_USERNAME", text, "account that logs in (read-only is enough)", example="events-reader@vsphere.local"
    )
    password: Secret = setting("VC_PASSWORD", Secret, "password of the account", example="'…'")
    insecure: bool = setting("VC_INSECURE", flag, "accept any certificate", example="true", default="false")


@dataclasses.dataclass(frozen=True)
class Demo:
    """The settings of a run."""

    port: int | None = setting(
        "DEMO_PORT",
        whole_number(1, 65535),
        "port of the page (unset: 8080, or a free one)",
        example="8081",
        default=None,
    )
    notify_urls: str | None = setting(
        "NOTIFY_URLS",
        text,
        "addresses of the services to notify (unset: notifications are counted in the status line)",
        example="ntfy://ntfy.example/vcenter",
        default=None,
    )


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Run until Ctrl-C or SIGTERM. Returns the exit code: 0, or 2 with the reason on stderr if it cannot run."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__.partition("\n")[0])
    parser.add_argument("--vcenter", action="store_true", help="use a real vCenter: VC_URL, VC_USERNAME, VC_PASSWORD")
    parser.add_argument(
        "manifests", metavar="PATH", nargs="*", type=Path, help="more YAML to run, such as a reaction of your own"
    )
    options = parser.parse_args(arguments)
    try:
        signal.signal(signal.SIGTERM, _end)
        signal.signal(signal.SIGINT, _end)
        with contextlib.ExitStack() as running:
            demo = read(Demo, environ)
            if options.vcenter:
                run(running, read(VCenter, environ), demo, options.manifests)
            else:
                vcsim = running.enter_context(VCSim(empty=True))
                center = running.enter_context(DataCenter(vcsim))
                center.build()
                vcenter = VCenter(vcsim.url, READER, Secret(vcsim.password), insecure=True)
                run(running, vcenter, demo, options.manifests, Life(center))
    except _Ended:
        print("\nStopped.")
    except VCenterEventsError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


class _Ended(Exception):
    """Ctrl-C or SIGTERM was received."""


def _end(*_: object) -> NoReturn:
    """Raise `_Ended`, once: a second Ctrl-C must not interrupt the cleanup."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise _Ended


def run(
    running: contextlib.ExitStack, vcenter: VCenter, demo: Demo, manifests: Sequence[Path], life: Life | None = None
) -> NoReturn:
    """Start everything, *manifests* too and *life* last, and report the status. *running* stops it in reverse order.

    Raises `VCenterEventsError` if something does not start, and what the handler of a signal raises.
    """
    start = time.monotonic()
    port = page_port(demo.port)
    state = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="vcenter-events-")))
    logs.configure(stream=running.enter_context((state / "demo.log").open("w")))
    receiver = running.enter_context(Receiver())
    overrides = state / "overrides.yaml"
    write_overrides(overrides, vcenter, demo.notify_urls or receiver.notify_url)
    if life:
        with overrides.open("a", encoding="utf-8") as file:
            file.write(f"---\n{yaml.safe_dump_all(story_objects(receiver, datetime.now(UTC)))}")

    print("Starting the Broker and the functions …", flush=True)
    paths = [ROOT / "config", ROOT / "triggers", *(REACTIONS if life else []), *manifests, overrides]
    engine = running.enter_context(Engine(paths, state, {"display": port}))
    engine.start()
    if life:
        running.callback(life.stop)
        life.start()
    print(f"Ready after {time.monotonic() - start:.1f} s. Open the page with the events of {vcenter.url}:\n")
    print(f"    {engine.url('display')}\n\nPress Ctrl-C to stop.\n", flush=True)
    report(engine, None if demo.notify_urls else receiver, VCenterProbe(vcenter.url))


def page_port(chosen: int | None) -> int:
    """Return the page's port: *chosen*, else the default, else a free one. Raises `PermanentError` if it is in use."""
    try:
        with socket.create_server(("127.0.0.1", chosen or DEFAULT_PORT)):
            return chosen or DEFAULT_PORT
    except OSError as error:
        if chosen:
            reason = os.strerror(error.errno or 0)  # Python's own text repeats the address
            raise PermanentError(f"listen on 127.0.0.1:{chosen}: {reason}. Set DEMO_PORT to another port") from error
        return free_port()


def write_overrides(path: Path, vcenter: VCenter, notify_url: str) -> None:
    """Write vCenter, credentials and notifications for the templates of config/, readable only by this user."""
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


def story_objects(receiver: Receiver, start: datetime) -> list[dict[str, object]]:
    """Return what the story needs: the webhook's receiver, and a checkpoint, so that the page begins at *start*."""
    checkpoint = {"vCenter": "127.0.0.1", "lastEventKey": 0, "lastEventKeyTimestamp": start.isoformat()}
    return [
        {**_head("Secret", "display"), "stringData": {"DISPLAY_TRIGGERS": os.pathsep.join(map(str, TRIGGERS))}},
        {**_head("Secret", "webhook"), "stringData": {"WEBHOOK_URL": receiver.inventory_url}},
        {**_head("ConfigMap", "vcenter-poller-configmap"), "data": {"checkpoint": json.dumps(checkpoint)}},
    ]


def _head(kind: str, name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}}


class VCenterProbe:
    """Checks every few seconds, in a thread, whether a vCenter responds: a dead one takes seconds to time out."""

    def __init__(self, url: str, period_seconds: float = 3) -> None:
        self.is_up = True
        self._url = url
        self._period_seconds = period_seconds
        threading.Thread(target=self._probe, name="vcenter probe", daemon=True).start()

    def _probe(self) -> NoReturn:
        while True:
            self.is_up = is_responding(self._url)
            time.sleep(self._period_seconds)


def report(engine: Engine, receiver: Receiver | None, probe: VCenterProbe) -> NoReturn:
    """Print the status: on a terminal one line that is redrawn each second, in a log a line each 10 s."""
    on_terminal = sys.stdout.isatty()
    while True:
        line = status_line(engine.status(), receiver, probe.is_up)
        if on_terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{line[:width]}", end="", flush=True)
        else:
            print(line, flush=True)
        time.sleep(REDRAW_SECONDS if on_terminal else LOG_SECONDS)


def status_line(status: Status, receiver: Receiver | None, vcenter_is_up: bool) -> str:
    """Return the status, short enough for 80 columns: only a function that is down and a failure are reported."""
    brokers = status.brokers.values()
    up, failed = sum(status.services.values()), sum(broker.failed for broker in brokers)
    parts = [
        "vCenter up" if vcenter_is_up else "vCenter DOWN",
        *([f"{up} of {len(status.services)} functions up"] if up < len(status.services) else []),
        f"{sum(broker.received for broker in brokers)} events",
        f"{sum(broker.delivered for broker in brokers)} delivered",
        *([f"{failed} failed"] if failed else []),
    ]
    if receiver:
        last = f", last: {cut(receiver.last_title, 60)}" if receiver.count else ""
        parts.append(f"{receiver.count} notified{last}")
    return " · ".join(parts)


if __name__ == "__main__":
    sys.exit(main())

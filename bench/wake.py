"""A reaction from zero on a cluster: from an event in vCenter to the notification, with the phases in between.

`python -m bench.wake --before CHECKOUT IMAGE` measures another checkout in the same run. Needs a cluster whose node is
this machine, for the start of the process. Environment: KUBECONFIG, IMAGE, VCSIM_IMAGE.
"""

import argparse
import contextlib
import os
import re
import secrets
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import kubernetes

from bench.cluster_cpu import CONTAINER, TICKS
from bench.knative import ROOT, Bench
from tests.e2e.cluster import SERVICE, Cluster
from tests.e2e.installation import rows
from tests.support.waiting import wait_until

PODS = "serving.knative.dev/service=notify"
ZERO_SECONDS = 180
WINDOW = "6s"
"""The autoscaler's window, so that notify is at zero soon after an event. It has no effect on the start."""


def wake(cluster: Cluster, bench: Bench) -> dict[str, float]:
    """Wake notify once. Returns phase → milliseconds after the event was posted."""
    wait_until(lambda: not cluster.pods(bench.namespace, PODS), ZERO_SECONDS, "notify at zero", 1)
    run = f"wake-{secrets.token_hex(3)}"
    bench.ask("receiver", "count")
    seen: dict[str, float] = {}
    stop = threading.Event()
    watching = threading.Thread(target=watch, args=(cluster, bench.namespace, seen, stop), daemon=True)
    watching.start()
    time.sleep(1)
    posted = bench.post("powered-off", 1, run)["begun"]

    def notified() -> dict[str, Any] | None:
        counted = bench.ask("receiver", "count")
        return counted if counted["count"] else None

    counted = wait_until(notified, 60, "a notification", 0.2)
    assert counted
    shown = [row for row in rows(cluster, bench.namespace) if run in row["message"] or run in row["target"]]
    wait_until(lambda: "ready" in seen, 20, "pod ready")
    stop.set()
    [pod] = cluster.pods(bench.namespace, PODS)
    seen["event on the display"] = int(shown[0]["received"]) / 1000
    seen["process started"] = process_start(pod)
    seen["serving"] = serving(cluster, bench.namespace, pod.metadata.name)
    seen["notification"] = counted["first"]
    return {phase: (at - posted) * 1000 for phase, at in sorted(seen.items(), key=lambda item: item[1])}


def watch(cluster: Cluster, namespace: str, seen: dict[str, float], stop: threading.Event) -> None:
    """Note when the pod is created, scheduled and ready."""
    stream = kubernetes.watch.Watch().stream(
        cluster.core.list_namespaced_pod, namespace, label_selector=PODS, timeout_seconds=90
    )
    for change in stream:
        now = time.time()
        if change["object"].metadata.deletion_timestamp:  # of an earlier run
            continue
        seen.setdefault("pod created", now)
        for condition in change["object"].status.conditions or []:
            name = {"PodScheduled": "scheduled", "Ready": "ready"}.get(condition.type)
            if name and condition.status == "True":
                seen.setdefault(name, now)
        if stop.is_set():
            return


def process_start(pod: Any) -> float:
    """Return when the function's process started, in seconds since 1970, to 10 ms."""
    [container] = [
        status.container_id.rpartition("/")[2]
        for status in pod.status.container_statuses
        if status.name == "user-container"
    ]
    booted = time.time() - float(Path("/proc/uptime").read_text(encoding="utf-8").split()[0])
    starts = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            match = CONTAINER.search((process / "cgroup").read_text(encoding="utf-8").split("\n")[0])
            if match and match[1] == container:
                fields = (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                starts.append(booted + int(fields[19]) / TICKS)
    return min(starts)


def serving(cluster: Cluster, namespace: str, pod: str) -> float:
    """Return when the function wrote that it serves."""
    log = cluster.core.read_namespaced_pod_log(pod, namespace, container="user-container", timestamps=True)
    line = next(line for line in log.splitlines() if re.search(r"(?i)\bserving\b", line))
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z", r"\1+00:00", line.split()[0])).timestamp()


def main() -> int:
    """Measure this checkout, and another one beside it."""
    parser = argparse.ArgumentParser(prog="python -m bench.wake", description=__doc__)
    parser.add_argument("--before", nargs=2, metavar=("CHECKOUT", "IMAGE"), help="to measure in the same run")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    checkouts = [("now", ROOT, os.environ["IMAGE"])]
    if arguments.before:
        checkouts.insert(0, ("before", Path(arguments.before[0]), arguments.before[1]))
    cluster = Cluster()
    benches = [(label, Bench(cluster, folder, image, severity="")) for label, folder, image in checkouts]
    with contextlib.ExitStack() as stack:
        for _, bench in benches:
            stack.callback(bench.remove)
            bench.install()
            annotations = {"autoscaling.knative.dev/window": WINDOW}
            change = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
            cluster.patch(SERVICE, "notify", bench.namespace, change)
        for _ in range(arguments.runs):
            for label, bench in benches:
                phases = wake(cluster, bench)
                print(f"{label}: " + ", ".join(f"{phase} {at:,.0f}" for phase, at in phases.items()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

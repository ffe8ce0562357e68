"""CPU time of a cluster's containers, from /proc of its node: a cluster that runs on this machine."""

import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONTAINER = re.compile(r"([0-9a-f]{64})(?:\.scope)?$")
TICKS = os.sysconf("SC_CLK_TCK")

KNATIVE = {
    "mt-broker-ingress": "broker ingress",
    "mt-broker-filter": "broker filter",
    "imc-dispatcher": "dispatcher",
    "traefik": "traefik",
    "activator": "activator",
}
"""Start of the name of a pod of Knative → name of the component."""

NAMES = ("serving.knative.dev/service", "app.kubernetes.io/component", "app.kubernetes.io/name")
"""The labels of a pod that name its component, the best first."""


def component(pod: Any, container: str, namespace: str) -> str:
    """Return the component of a container, "other" if no event of *namespace* passes it."""
    if pod.metadata.namespace != namespace:
        return next((name for start, name in KNATIVE.items() if pod.metadata.name.startswith(start)), "other")
    if container == "queue-proxy":
        return "queue-proxy"
    labels = pod.metadata.labels
    known = (labels.get(name) for name in NAMES if labels.get(name))
    return str(next(known, "other"))


def containers(pods: list[Any], namespace: str) -> dict[str, str]:
    """Return the id of each container → its component."""
    return {
        status.container_id.rpartition("/")[2]: component(pod, status.name, namespace)
        for pod in pods
        for status in pod.status.container_statuses or []
        if status.container_id
    }


def cpu_seconds(components: Mapping[str, str]) -> Counter[str]:
    """Return the CPU time so far of each component, and of the whole machine as `machine`."""
    used: Counter[str] = Counter()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            match = CONTAINER.search((process / "cgroup").read_text(encoding="utf-8").split("\n")[0])
            if match is None or match[1] not in components:
                continue
            fields = (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        used[components[match[1]]] += (int(fields[11]) + int(fields[12])) / TICKS  # type: ignore[assignment]
    busy = Path("/proc/stat").read_text(encoding="utf-8").split("\n")[0].split()
    user, nice, system, _, _, irq, softirq, steal = map(int, busy[1:9])
    used["machine"] = (user + nice + system + irq + softirq + steal) / TICKS  # type: ignore[assignment]
    return used

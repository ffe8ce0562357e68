"""Through Knative: events a second and CPU per event of each component, on the cluster that KUBECONFIG names.

It installs overlays/demo with IMAGE in a namespace of its own, beside a poster and a receiver (`bench.pod`), and again
with the display as a Deployment (overlays/display-deployment). CPU is measured where the node is this machine.
`python -m bench.knative --before CHECKOUT IMAGE` measures another checkout's manifests and image in the same run.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from bench.cluster_cpu import containers, cpu_seconds
from bench.measure import Measurement
from tests.e2e.cluster import BROKER, DEPLOYMENT, TRIGGER, Cluster, Object, moved
from tests.e2e.installation import CORE, RESTRICTED, kustomize_image, rows
from tests.support.manifests import rendered
from tests.support.waiting import wait_until

ROOT = Path(__file__).parent.parent
EVENTS = 3000
CONNECTIONS = 16
VCENTER_CONNECTIONS = 8
SETTLED_SECONDS = 1.0
IDLE_SHARE = 0.03
DISPLAY_DEPLOYMENT = "overlays/display-deployment/component"
LEFT_OUT = ("machine", "other", "poster")

CHAINS = {
    "receiver": ("poster → Broker → bare receiver", ""),
    "display": ("poster → Broker → display", "≥ 900 events/s"),
    "vcenter": ("vcsim → poller → Broker → Triggers → display", "≥ 500 events/s"),
    "powered-off": ("vcsim → poller → Broker → Triggers → display and notify", "≥ 500 events/s"),
}
"""Chain → its parts, and the rate to reach."""


Variant = tuple[str, Path, str, str]
"""A label, a checkout, its image, and a component of kustomize's in it, or ""."""


@dataclasses.dataclass(frozen=True)
class Figures:
    """The figures of one run of a chain."""

    events_per_second: float
    cpu_microseconds: Counter[str]
    """By component, for each event; empty where the node is another machine."""
    foreign_cores: float
    """Used by other processes of the machine meanwhile."""

    @property
    def own(self) -> float:
        """The CPU of all components, in µs for each event, without the poster."""
        return sum(used for name, used in self.cpu_microseconds.items() if name not in LEFT_OUT)

    def __str__(self) -> str:
        if not self.cpu_microseconds:
            return f"{self.events_per_second:,.0f} events/s"
        parts = [
            f"{name} {used:,.0f}"
            for name, used in sorted(self.cpu_microseconds.items(), key=lambda item: -item[1])
            if name not in LEFT_OUT and used >= 5
        ]
        return (
            f"{self.events_per_second:,.0f} events/s with {self.foreign_cores:.2f} cores for other processes; "
            f"{self.own:,.0f} µs CPU/event: {', '.join(parts)}"
        )


class Bench:
    """An installation with a poster and a receiver beside it."""

    def __init__(
        self, cluster: Cluster, checkout: Path, image: str, component: str = "", severity: str = "error"
    ) -> None:
        """*component* is a folder of kustomize's that changes the installation. notify sends from *severity* on, or all
        for ""."""
        self._component = component
        self._severity = severity
        self._cluster = cluster
        self._checkout = checkout
        self._image = image
        self._pods_image = os.environ["IMAGE"]
        self.namespace = f"vcenter-bench-{secrets.token_hex(3)}"

    # ── install ──

    def install(self) -> None:
        """Install everything, and wait until events can flow."""
        self._cluster.create_namespace(self.namespace)
        code = (ROOT / "bench" / "pod.py").read_text(encoding="utf-8")
        metadata = {"name": "bench", "namespace": self.namespace}
        self._cluster.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"pod.py": code}},
            *(manifest for name in ("poster", "receiver") for manifest in self._pod(name)),
        )
        installed = moved(self._manifests(), self.namespace)
        self._cluster.apply(*installed)
        for kind, name in CORE:
            if any((manifest["apiVersion"], *identity(manifest)) == (*kind, name) for manifest in installed):
                self._cluster.wait_ready(kind, name, self.namespace, 300)
        [broker] = [manifest for manifest in installed if manifest["kind"] == "Broker"]
        [display] = [manifest for manifest in installed if identity(manifest) == ("Trigger", "display")]
        receiver = {"uri": f"http://receiver.{self.namespace}.svc.cluster.local/"}
        for name, subscriber in (("receiver", receiver), ("display", display["spec"]["subscriber"])):
            self._cluster.apply(renamed(broker, f"bench-{name}"))
            self._cluster.wait_ready(BROKER, f"bench-{name}", self.namespace)
            trigger = renamed(display, f"bench-{name}")
            trigger["spec"] = {"broker": f"bench-{name}", "subscriber": subscriber}
            self._cluster.apply(trigger)
            self._cluster.wait_ready(TRIGGER, f"bench-{name}", self.namespace)
        for name in ("poster", "receiver"):
            self._cluster.wait_ready(DEPLOYMENT, name, self.namespace)
        self._cluster.wait_subscribed(self.namespace)

    def remove(self) -> None:
        """Delete all of it, without waiting for that."""
        self._cluster.delete_namespace(self.namespace)

    def _manifests(self) -> list[Object]:
        receiver = f"json://receiver.{self.namespace}.svc.cluster.local/"
        notify = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "notify", "namespace": "vcenter-events"}}
        settings = {"NOTIFY_URLS": receiver} | ({"NOTIFY_SEVERITY": self._severity} if self._severity else {})
        with tempfile.TemporaryDirectory() as folder:
            kustomization = {
                "apiVersion": "kustomize.config.k8s.io/v1beta1",
                "kind": "Kustomization",
                "resources": [os.path.relpath(self._checkout / "overlays/demo", Path(folder).resolve())],
                "components": [
                    os.path.relpath(self._checkout / self._component, Path(folder).resolve())
                    for _ in range(bool(self._component))
                ],
                "patches": [{"patch": yaml.safe_dump({**notify, "stringData": settings})}],
                "images": [
                    kustomize_image("dev.local/vcenter-events", self._image),
                    kustomize_image(
                        "docker.io/vmware/vcsim", os.environ.get("VCSIM_IMAGE", "docker.io/vmware/vcsim:v0.39.0")
                    ),
                ],
            }
            (Path(folder) / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), encoding="utf-8")
            return rendered(Path(folder))

    def _pod(self, name: str) -> Iterator[Object]:
        labels = {"app.kubernetes.io/name": name}
        metadata = {"name": name, "namespace": self.namespace, "labels": labels}
        container = {
            "name": name,
            "image": self._pods_image,
            "command": ["python", "/bench/pod.py", "8080"],
            "ports": [{"containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
            "securityContext": RESTRICTED,
            "volumeMounts": [{"name": "code", "mountPath": "/bench"}],
        }
        pod = {"containers": [container], "volumes": [{"name": "code", "configMap": {"name": "bench"}}]}
        yield {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        }
        yield {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        }

    # ── measure ──

    @property
    def _display(self) -> str:
        """The selector of the display's pod, which has the label of Serving only where Serving runs it."""
        return "app.kubernetes.io/component=display" if self._component else "serving.knative.dev/service=display"

    def measure(self, chain: str, events: int = EVENTS) -> Figures:
        """Send *events* along the *chain*, and measure until the last one has arrived. Fails if one has not."""
        run = f"{chain}-{secrets.token_hex(3)}"
        components = self._components()
        before, started = cpu_seconds(components), time.monotonic()
        posted = self.post(chain, events, run)
        if posted["failed"]:
            raise RuntimeError(f"{posted['failed']} events were not accepted, one with {posted['example']}")
        components |= self._components()  # an event may have started a pod
        used, seconds = self._settled(components, before, started)
        first, last, count = self._arrived(chain, run)
        if count < events:
            raise RuntimeError(f"{chain}: only {count} of {events} events arrived")
        foreign = (used["machine"] - sum(used[name] for name in used if name != "machine")) / seconds
        microseconds = Counter({name: spent / events * 1e6 for name, spent in used.items()})
        return Figures(
            events / (last - min(first, posted["begun"])), microseconds if components_seen(used) else Counter(), foreign
        )

    def _components(self) -> dict[str, str]:
        return containers(self._cluster.core.list_pod_for_all_namespaces().items, self.namespace)

    def post(self, chain: str, events: int, run: str) -> dict[str, Any]:
        """Send *events* along the *chain*. Returns what the poster reports (`bench.pod`)."""
        query = {"events": events, "run": run, "connections": CONNECTIONS}
        if chain in ("vcenter", "powered-off"):
            query |= {
                "url": f"https://vcsim.{self.namespace}.svc.cluster.local/sdk",
                "connections": VCENTER_CONNECTIONS,
                "powered_off": int(chain == "powered-off"),
            }
            return self.ask("poster", f"vcenter?{urlencode(query)}")
        broker = f"http://broker-ingress.knative-eventing.svc.cluster.local/{self.namespace}/bench-{chain}"
        return self.ask("poster", f"post?{urlencode({**query, 'url': broker})}")

    def ask(self, service: str, path: str) -> dict[str, Any]:
        """Ask the poster or the receiver (`bench.pod`)."""
        response = self._cluster.request("GET", f"{self.namespace}/services/{service}:80", path)
        if response.status != 200:
            raise RuntimeError(f"{service}/{path}: {response.status} {response.body[:300]!r}")
        return dict(json.loads(response.body))

    def _settled(self, components: dict[str, str], before: Counter[str], started: float) -> tuple[Counter[str], float]:
        """Wait until the Broker's parts do nothing. Returns the CPU seconds and the seconds up to then."""
        latest, at = cpu_seconds(components), time.monotonic()

        def idle() -> bool:
            nonlocal latest, at
            time.sleep(SETTLED_SECONDS)
            now, previous = cpu_seconds(components), latest
            latest, at = now, time.monotonic()
            return now["dispatcher"] - previous["dispatcher"] < IDLE_SHARE * SETTLED_SECONDS

        wait_until(idle, 120, "the channel's dispatcher is idle")
        return Counter({name: latest[name] - before[name] for name in latest}), at - started

    def _arrived(self, chain: str, run: str) -> tuple[float, float, int]:
        """Return when the first and the last event of the *run* came, and their number."""
        if chain == "receiver":
            counted = self.ask("receiver", "count")
            return counted["first"], counted["last"], counted["count"]
        received = [
            int(row["received"]) / 1000
            for row in rows(self._cluster, self.namespace, pod_selector=self._display)
            if run in row["message"] or run in row["target"]
        ]
        return min(received, default=0), max(received, default=1), len(received)


def components_seen(used: Counter[str]) -> bool:
    """Return whether the cluster's processes are on this machine."""
    return used["dispatcher"] > 0


def identity(manifest: Object) -> tuple[str, str]:
    """Return kind and name."""
    return manifest["kind"], manifest["metadata"]["name"]


def renamed(manifest: Object, name: str) -> Object:
    """Return a copy of *manifest* with another name."""
    copied: Object = json.loads(json.dumps(manifest))
    copied["metadata"]["name"] = name
    return copied


def measure(variants: Sequence[Variant], chains: Sequence[str], runs: int) -> Iterator[Measurement]:
    """Measure the *chains* in each of the *variants*, in turn, *runs* times."""
    cluster = Cluster()
    with contextlib.ExitStack() as stack:
        stack.callback(cluster.close)
        benches = []
        for label, *variant in variants:
            bench = Bench(cluster, *variant)
            if not os.environ.get("E2E_KEEP"):
                stack.callback(bench.remove)
            bench.install()
            benches.append((label, bench))
        for chain in chains:
            for _ in range(runs):
                for label, bench in benches:
                    what, goal = CHAINS[chain]
                    yield Measurement(f"{what}, {label}", str(bench.measure(chain)), goal=goal)


def present(image: str) -> list[Variant]:
    """Return this checkout as it is, and with the display as a Deployment."""
    return [("now", ROOT, image, ""), ("display as a Deployment", ROOT, image, DISPLAY_DEPLOYMENT)]


def knative() -> Iterator[Measurement]:
    """Measure each chain, twice, since the first run warms it up."""
    image = os.environ.get("IMAGE")
    if not image or not os.environ.get("KUBECONFIG"):
        sys.exit("the measurement `knative` needs KUBECONFIG and IMAGE: see docs/how-to/testing.md")
    yield from measure(present(image), list(CHAINS), 2)


def main() -> int:
    """Measure this checkout, and another one beside it."""
    parser = argparse.ArgumentParser(prog="python -m bench.knative", description=__doc__)
    parser.add_argument("chains", nargs="*", metavar="CHAIN", help="one of " + ", ".join(CHAINS))
    parser.add_argument("--before", nargs=2, metavar=("CHECKOUT", "IMAGE"), help="to measure in the same run")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    variants = present(os.environ["IMAGE"])
    if arguments.before:
        variants.insert(0, ("before", Path(arguments.before[0]), arguments.before[1], ""))
    for row in measure(variants, arguments.chains or list(CHAINS), arguments.runs):
        print(f"{row.what}: {row.value}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

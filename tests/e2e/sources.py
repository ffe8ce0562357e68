"""The sources on a cluster: config/sources as somebody installs it, a simulated vCenter, and what they make."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.cluster import DEPLOYMENT, Cluster, Object, moved
from tests.e2e.installation import ROOT, kustomize_image
from tests.support.administrator import Administrator
from tests.support.manifests import rendered

SYSTEM = "vmware-sources"
"""The controller's namespace, the predecessor's."""
CONTROLLER = "vsphere-source-webhook"
API_VERSION = "sources.tanzu.vmware.com/v1alpha1"
VSPHERE_SOURCE = (API_VERSION, "VSphereSource")
VSPHERE_BINDING = (API_VERSION, "VSphereBinding")
HORIZON_SOURCE = (API_VERSION, "HorizonSource")
CONFIG_MAP = ("v1", "ConfigMap")
POD = ("v1", "Pod")
CREDENTIALS = "vsphere-credentials"


def install(cluster: Cluster, image: str, folder: Path) -> None:
    """Apply config/sources with *image*, which is set in a copy in *folder*, and wait."""
    for name in ("sources", "image"):
        shutil.copytree(ROOT / "config" / name, folder / name)
    file = folder / "image/kustomization.yaml"
    component = yaml.safe_load(file.read_text())
    component["images"] = [kustomize_image("vcenter-events", image)]
    file.write_text(yaml.safe_dump(component))
    objects = rendered(folder / "sources")
    order = {"Namespace": 0, "CustomResourceDefinition": 1}
    cluster.apply(*sorted(objects, key=lambda manifest: order.get(manifest["kind"], 2)))
    cluster.wait_ready(DEPLOYMENT, CONTROLLER, SYSTEM, 180)


def install_vcsim(cluster: Cluster, namespace: str, folder: Path, name: str = "vcsim") -> str:
    """Run a simulated vCenter in *namespace*, with a Secret of its login. Return its address inside the cluster."""
    simulator = os.environ.get("VCSIM_IMAGE", "docker.io/vmware/vcsim:v0.39.0")
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(ROOT / "overlays/demo", folder.resolve())],
        "images": [kustomize_image("docker.io/vmware/vcsim", simulator)],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    chosen = [
        manifest
        for manifest in moved(rendered(folder), namespace)
        if manifest["metadata"]["name"] == "vcsim" and manifest["kind"] in ("Deployment", "Service")
    ]
    cluster.apply(*(renamed(manifest, name) for manifest in chosen), credentials(namespace))
    cluster.wait_ready(DEPLOYMENT, name, namespace)
    return f"https://{name}.{namespace}.svc.cluster.local"


def renamed(manifest: Object, name: str) -> Object:
    """Return an object of the simulator under another name, labels and selectors included."""
    text = yaml.safe_dump(manifest).replace("name: vcsim", f"name: {name}")
    changed: Object = yaml.safe_load(text)
    if changed["kind"] == "Deployment":
        changed["spec"]["template"]["spec"]["containers"][0]["name"] = "vcsim"
    return changed


def credentials(namespace: str, password: str = "pass", name: str = CREDENTIALS) -> Object:
    """Return the Secret of a login at the simulator."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/basic-auth",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": {"username": "user", "password": password},
    }


def sync_secrets(cluster: Cluster, namespace: str, selector: str) -> None:
    """Have the kubelet read the Secrets of pods again at once. It looks once a minute, and when a pod changes."""
    for pod in cluster.pods(namespace, selector):
        change = {"metadata": {"annotations": {"vcenter-events.dev/synced": str(time.time())}}}
        cluster.patch(POD, pod.metadata.name, namespace, change)


def vsphere_source(name: str, namespace: str, address: str, sink: Object, **spec: Any) -> Object:
    """Return the manifest of the issue, with the address and the sink of a test."""
    return {
        "apiVersion": API_VERSION,
        "kind": "VSphereSource",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "address": address,
            "skipTLSVerify": True,
            "secretRef": {"name": CREDENTIALS},
            "sink": sink,
            "checkpointConfig": {"maxAgeSeconds": 300, "periodSeconds": 10},
            "payloadEncoding": "application/json",
            **spec,
        },
    }


def conditions(cluster: Cluster, kind: tuple[str, str], name: str, namespace: str) -> dict[str, Object]:
    """Return the conditions of an object by type."""
    live = cluster.get(kind, name, namespace) or {}
    return {entry["type"]: entry for entry in (live.get("status") or {}).get("conditions") or ()}


def wait_condition(
    cluster: Cluster, kind: tuple[str, str], name: str, namespace: str, type_: str, text: str, seconds: float = 90
) -> Object:
    """Return a condition that is not True and has *text* in its reason or message, once it has."""

    def reached() -> Object | None:
        entry = conditions(cluster, kind, name, namespace).get(type_)
        has_text = entry is not None and text in f"{entry.get('reason', '')} {entry.get('message', '')}"
        return entry if entry is not None and entry["status"] != "True" and has_text else None

    return cluster.until(reached, f"{type_} of {name} reports {text!r}", seconds)


@contextlib.contextmanager
def timed() -> Iterator[dict[str, float]]:
    """Measure: yields a mapping whose `seconds` are set at the end."""
    result: dict[str, float] = {}
    started = time.monotonic()
    yield result
    result["seconds"] = time.monotonic() - started


@contextlib.contextmanager
def administrator_of(cluster: Cluster, namespace: str, service: str = "vcsim") -> Iterator[Administrator]:
    """Log in to the simulator in the cluster."""
    with cluster.forwarded(namespace, service, 443) as port, Administrator(port) as someone:
        yield someone


def scale_controller(cluster: Cluster, replicas: int) -> None:
    """Scale the controller, and wait until its pods are gone or available."""
    cluster.patch(DEPLOYMENT, CONTROLLER, SYSTEM, {"spec": {"replicas": replicas}})
    if replicas:
        cluster.wait_ready(DEPLOYMENT, CONTROLLER, SYSTEM)
    else:
        cluster.until(lambda: not _pods(cluster), "no controller, not even one on its way out", 60)


def _pods(cluster: Cluster) -> list[Any]:
    """Return the controller's pods. One that is on its way out finishes its passes."""
    return list(cluster.core.list_namespaced_pod(SYSTEM, label_selector=f"app={CONTROLLER}").items)

"""Names outside the cluster that pods can resolve: entries in the configuration of its DNS server, CoreDNS."""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping

from tests.e2e.cluster import DEPLOYMENT, Cluster

CONFIG_MAP = ("v1", "ConfigMap")
SYSTEM = "kube-system"
NAME = "coredns"
MARK = "# names of vcenter-events' tests\n"
ANNOTATION = "vcenter-events.dev/names"


@contextlib.contextmanager
def resolved(cluster: Cluster, addresses: Mapping[str, str]) -> Iterator[None]:
    """Have pods resolve the names in *addresses*, name → IP address, within the block."""
    live = cluster.get(CONFIG_MAP, NAME, SYSTEM)
    assert live is not None, "the cluster's DNS server is CoreDNS, with the ConfigMap kube-system/coredns"
    before = live["data"]["Corefile"].partition(MARK)[0]  # also after a run that was killed
    try:
        _configure(cluster, before + MARK + server_block(addresses))
        yield
    finally:
        _configure(cluster, before, is_original=True)


def server_block(addresses: Mapping[str, str]) -> str:
    """Return the part of a Corefile that resolves *addresses* and nothing else."""
    zones = " ".join(f"{name}:53" for name in addresses)
    hosts = "\n".join(f"    {address} {name}" for name, address in addresses.items())
    return f"{zones} {{\n  hosts {{\n{hosts}\n  }}\n}}\n"


def _configure(cluster: Cluster, corefile: str, is_original: bool = False) -> None:
    """Replace the Corefile, and wait until the only pods of CoreDNS are those that have it."""
    cluster.patch(CONFIG_MAP, NAME, SYSTEM, {"data": {"Corefile": corefile}})
    digest = None if is_original else hashlib.sha256(corefile.encode()).hexdigest()[:12]
    template = {"metadata": {"annotations": {ANNOTATION: digest}}}
    cluster.patch(DEPLOYMENT, NAME, SYSTEM, {"spec": {"template": template}})
    cluster.until(lambda: _is_rolled_out(cluster), "CoreDNS with its new configuration", 90)


def _is_rolled_out(cluster: Cluster) -> bool:
    live = cluster.get(DEPLOYMENT, NAME, SYSTEM) or {}
    status, replicas = live.get("status") or {}, live["spec"]["replicas"]
    counts = [status.get(count, 0) for count in ("replicas", "updatedReplicas", "availableReplicas")]
    return status.get("observedGeneration") == live["metadata"]["generation"] and counts == [replicas] * 3

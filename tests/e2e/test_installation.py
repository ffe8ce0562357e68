"""An installation of config/ and triggers/ is ready, with no more permissions than it needs."""

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime

import kubernetes
import pytest
import yaml

from tests.e2e.cluster import SERVICE, Cluster, moved
from tests.e2e.installation import CORE, ROOT, ClusterRecorder, rows
from tests.support.administrator import Administrator
from tests.support.manifests import rendered
from tests.support.recorder import Request

pytestmark = pytest.mark.cluster

SECONDS = 60


def test_everything_is_ready(cluster: Cluster, installed: str) -> None:
    assert [name for kind, name in CORE if cluster.get(kind, name, installed) is None] == []


def test_event_of_vcenter_is_shown_on_the_display(
    cluster: Cluster, installed: str, administrator: Administrator
) -> None:
    administrator.post("seen on a cluster")

    def shown(rows: list[dict[str, str]]) -> bool:
        return any("seen on a cluster" in row["message"] for row in rows)

    cluster.until(lambda: shown(rows(cluster, installed, shown)), "event on the display", SECONDS)


def test_checkpoint_is_in_the_configmap(cluster: Cluster, installed: str, administrator: Administrator) -> None:
    administrator.post("checkpoint")
    newest = administrator.newest_key

    def record() -> dict[str, object]:
        data = cluster.core.read_namespaced_config_map("vcenter-poller-configmap", installed).data or {}
        return dict(json.loads(data.get("checkpoint", "{}")))

    cluster.until(lambda: int(str(record().get("lastEventKey", 0))) >= newest, "checkpoint at the newest", SECONDS)
    assert set(record()) == {
        "vCenter", "lastEventKey", "lastEventType", "lastEventKeyTimestamp", "createdTimestamp",
    }  # fmt: skip


def test_reaction_at_zero_is_woken_by_an_event(
    cluster: Cluster,
    installed: str,
    administrator: Administrator,
    recorder: ClusterRecorder,
    report_figure: Callable[[str], None],
) -> None:
    pods = "serving.knative.dev/service=notify"
    cluster.until(lambda: not cluster.pods(installed, pods), "notify at zero", 180)
    [vm, *_] = administrator.vms
    before = len(recorder.box("notified"))

    administrator.power_off(vm)
    first = cluster.until(lambda: recorder.box("notified")[before:], "notification", SECONDS)[0]

    assert vm.name in json.loads(first.body)["title"]
    report_figure(f"reaction at zero: vCenter's event to notification in {seconds_since_vcenter(first):.1f} s")
    administrator.power_on(vm)


def seconds_since_vcenter(notification: Request) -> float:
    """From the event in vCenter to the notification about it, whose text has its time."""
    text = json.loads(notification.body)["message"]
    [time] = [line.removeprefix("Time: ") for line in text.splitlines() if line.startswith("Time: ")]
    return notification.at - seconds(time)


def seconds(time: str) -> float:
    """RFC 3339 → seconds since 1970."""
    return datetime.fromisoformat(time).timestamp()


# ── permissions ──

POLLER = "vcenter-poller"


def attempts() -> Iterator[tuple[str, str, str, str, bool]]:
    """(verb, group, resource, name, whether the poller may)."""
    for verb in ("get", "update", "patch"):
        yield verb, "", "configmaps", "vcenter-poller-configmap", True
        yield verb, "", "configmaps", "vcenter", False
    for verb in ("create", "delete", "list", "watch"):
        yield verb, "", "configmaps", "", False
    yield "delete", "", "configmaps", "vcenter-poller-configmap", False
    for resource in ("secrets", "pods", "services", "events", "serviceaccounts/token", "pods/exec"):
        yield "get", "", resource, "", False
        yield "create", "", resource, "", False
    yield "get", "", "secrets", "vcenter-credentials", False
    yield "patch", "serving.knative.dev", "services", "vcenter-poller", False
    yield "create", "eventing.knative.dev", "triggers", "", False
    yield "create", "rbac.authorization.k8s.io", "rolebindings", "", False


@pytest.mark.parametrize(("verb", "group", "resource", "name", "allowed"), list(attempts()))
def test_poller_has_access_to_its_checkpoint_only(
    cluster: Cluster, installed: str, verb: str, group: str, resource: str, name: str, allowed: bool
) -> None:
    resource, _, subresource = resource.partition("/")
    attributes = kubernetes.client.V1ResourceAttributes(
        namespace=installed, verb=verb, group=group, resource=resource, subresource=subresource or None, name=name
    )
    spec = kubernetes.client.V1SubjectAccessReviewSpec(
        user=f"system:serviceaccount:{installed}:{POLLER}",
        groups=["system:serviceaccounts", f"system:serviceaccounts:{installed}", "system:authenticated"],
        resource_attributes=attributes,
    )
    review = kubernetes.client.V1SubjectAccessReview(spec=spec)

    response = cluster.authorization.create_subject_access_review(review)

    assert response.status.allowed is allowed


@pytest.mark.parametrize(("name", "allowed"), [("vcenter-poller-configmap", "yes"), ("vcenter", "no")])
def test_kubectl_says_the_same(installed: str, name: str, allowed: str) -> None:
    command = ["kubectl", "auth", "can-i", "update", f"configmaps/{name}", "-n", installed]
    account = f"system:serviceaccount:{installed}:{POLLER}"

    done = subprocess.run([*command, "--as", account], capture_output=True, text=True, check=False)

    assert done.stdout.strip() == allowed


# ── what runs ──


def test_every_pod_is_restricted(cluster: Cluster, installed: str) -> None:
    for service in cluster.every(SERVICE, installed):
        for pod in cluster.pods(installed, f"serving.knative.dev/service={service['metadata']['name']}"):
            [own] = [container for container in pod.spec.containers if container.name == "user-container"]
            assert own.security_context.run_as_non_root
            assert own.security_context.read_only_root_filesystem
            assert own.security_context.allow_privilege_escalation is False
            assert own.security_context.capabilities.drop == ["ALL"]


# ── overlays ──


@pytest.fixture
def empty_namespace(cluster: Cluster, namespace: str) -> Iterator[str]:
    """A namespace with nothing in it."""
    name = f"{namespace}-empty"
    cluster.create_namespace(name)
    yield name
    cluster.delete_namespace(name)


OF_SOURCES = ("admission-policy", "sources-namespaced")
"""Overlays of config/sources. One needs a newer API server, which `tests/config/test_admission_policy.py` runs, and
`tests/functions/controller/test_namespaced.py` covers the other one."""
OVERLAYS = [
    "config",
    *sorted(str(folder.relative_to(ROOT)) for folder in (ROOT / "overlays").iterdir() if folder.name not in OF_SOURCES),
]


def test_the_api_server_accepts_every_overlay(cluster: Cluster, empty_namespace: str) -> None:
    """As a dry run of the server, which asks Knative's webhooks, too. Kafka's own classes need not be there for it."""
    command = ["kubectl", "apply", "--dry-run=server", "-f", "-"]
    for folder in OVERLAYS:
        objects = moved(rendered(ROOT / folder), empty_namespace)
        # Serving does a dry run of the pod, which needs its account.
        cluster.apply(*(manifest for manifest in objects if manifest["kind"] == "ServiceAccount"))
        text = yaml.safe_dump_all(manifest for manifest in objects if manifest["kind"] != "Namespace")
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{folder}: {done.stderr}"

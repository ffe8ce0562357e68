"""Forged requests of a pod in another namespace: to each function at each of its addresses, and to the Broker.

NetworkPolicies are applied. Whether the cluster's network enforces them is found out here and printed, since it
decides which addresses a stranger reaches. `tests/config/test_network.py` evaluates the rendered policies.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
import yaml

from pipeline.payload import Reference
from pipeline.settings import read
from tests.e2e.cluster import SERVICE, Cluster, Object, moved
from tests.e2e.installation import RESTRICTED, ROOT, kustomize_image
from tests.support.administrator import Administrator
from tests.support.manifests import rendered
from vsphere.settings import VCenterSettings
from vsphere.tagging import Tagging

pytestmark = pytest.mark.cluster

REACTIONS = ("preempt", "tag", "webhook")
"""The reactions of `config/reactions` that are installed here: one that verifies, one that does not, one of HTTP."""
FUNCTIONS = ("vcenter-poller", "display", "notify", "deadletter", *REACTIONS)
ACTIONS = ("handover", "redrive", "drop")
VCENTER = "https://vcsim/sdk"
K8S_SERVICE = ("v1", "Service")
SECONDS = 120

SCRIPT = """
import concurrent.futures, json, urllib.error, urllib.request
def post(request):
    message = urllib.request.Request(request["url"], request["body"].encode(), request["headers"], method="POST")
    try:
        with urllib.request.urlopen(message, timeout=40) as response:
            return response.status, response.read(300).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read(300).decode("utf-8", "replace")
    except OSError as error:
        return 0, str(error)
with open("/forged/requests.json") as file, concurrent.futures.ThreadPoolExecutor(8) as pool:
    print(json.dumps(list(pool.map(post, json.load(file)))))
"""


class Forged(NamedTuple):
    """A forged request and its response."""

    address: str
    """`gateway`, `private service`, `queue-proxy`, `pod` or `broker`."""
    function: str
    path: str
    status: int
    """0 if there was no response."""
    text: str


@pytest.fixture(scope="module")
def reactions(cluster: Cluster, installed: str, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Three reactions, with `preempt` set to power off."""
    folder = tmp_path_factory.mktemp("reactions")
    metadata = {"namespace": "vcenter-events"}
    secret = {"apiVersion": "v1", "kind": "Secret"}
    login = {"username": "user", "password": "pass"}
    kustomization = {
        "resources": [os.path.relpath(ROOT / "config/reactions", folder.resolve())],
        "patches": [
            {
                "patch": yaml.safe_dump(
                    {**secret, "metadata": {**metadata, "name": "vcenter-reactions"}, "stringData": login}
                )
            },
            {
                "patch": yaml.safe_dump(
                    {
                        **secret,
                        "metadata": {**metadata, "name": "webhook"},
                        "stringData": {"WEBHOOK_URL": "http://recorder/webhook"},
                    }
                )
            },
        ],
        "images": [kustomize_image("dev.local/vcenter-events", image)],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    objects = [
        content
        for content in moved(rendered(folder), installed)
        if content["kind"] == "Secret" or (content["kind"] == "Service" and content["metadata"]["name"] in REACTIONS)
    ]
    [preempt] = [content for content in objects if content["metadata"]["name"] == "preempt"]
    set_variables(preempt, PREEMPT_DRY_RUN="false", PREEMPT_ACTION="poweroff", LOG_LEVEL="DEBUG")
    cluster.apply(*objects)
    for name in REACTIONS:
        cluster.wait_ready(SERVICE, name, installed)
    yield
    for content in objects:
        cluster.delete((content["apiVersion"], content["kind"]), content["metadata"]["name"], installed)


def set_variables(service: Object, **values: str) -> None:
    """Set variables of the only container of *service*."""
    [container] = service["spec"]["template"]["spec"]["containers"]
    kept = [variable for variable in container["env"] if variable["name"] not in values]
    container["env"] = kept + [{"name": name, "value": value} for name, value in values.items()]


@pytest.fixture(scope="module")
def tagged(cluster: Cluster, installed: str, reactions: None) -> Iterator[Reference]:
    """The cluster of the simulated vCenter, whose running VMs have the tag that `preempt` looks for."""
    with cluster.forwarded(installed, "vcsim", 443) as port, Administrator(port) as someone:
        environ = {"VC_URL": f"https://127.0.0.1:{port}", "VC_INSECURE": "true"}
        tagging = Tagging(read(VCenterSettings, {**environ, "VC_USERNAME": "user", "VC_PASSWORD": "pass"}), create=True)
        for vm in someone.vms_in_cluster:
            tagging.attach("lifecycle", "preemptible", Reference("VirtualMachine", vm._moId, vm.name))
        tagging.close()
        yield Reference("ClusterComputeResource", someone.cluster._moId, someone.cluster.name)


@pytest.fixture(scope="module")
def forged(cluster: Cluster, installed: str, image: str, tagged: Reference) -> Iterator[list[Forged]]:
    """The responses to a pod of a stranger: first through the gateway, which wakes every function, then at the pods."""
    namespace = f"{installed}-stranger"
    cluster.create_namespace(namespace)
    alarm = red_alarm(tagged)
    results = send(cluster, namespace, image, "first", through_the_gateway(installed), alarm)
    yield results + send(cluster, namespace, image, "second", at_the_pods(cluster, installed), alarm)
    cluster.delete_namespace(namespace)


def red_alarm(cluster_of_vms: Reference) -> dict[str, Any]:
    """Return the data of an alarm of CPU that turned red, as vCenter would send it."""
    entity = {"Type": cluster_of_vms.managed_type, "Value": cluster_of_vms.id}
    return {
        "Key": 4711,
        "CreatedTime": datetime.now(UTC).isoformat(),
        "FullFormattedMessage": "forged",
        "Alarm": {"Name": "Cluster CPU usage"},
        "Entity": {"Name": cluster_of_vms.name, "Entity": entity},
        "From": "yellow",
        "To": "red",
    }


def through_the_gateway(installed: str) -> list[tuple[str, str, str]]:
    """Return (address, function, URL) of each public address, and of the Broker."""
    functions = [("gateway", name, f"http://{name}.{installed}.svc.cluster.local") for name in FUNCTIONS]
    return [*functions, ("broker", "broker", f"http://broker-ingress.knative-eventing.svc/{installed}/default")]


def at_the_pods(cluster: Cluster, installed: str) -> list[tuple[str, str, str]]:
    """Return (address, function, URL) of each pod, its queue-proxy, and the private Service of its revision."""
    targets = []
    for name in FUNCTIONS:
        selector = f"serving.knative.dev/service={name}"
        ready = cluster.ready_pods(installed, selector)  # the first revision of the poller never is: it has no sink
        for pod in [pod for pod in cluster.pods(installed, selector) if pod.metadata.name in ready][:1]:
            address = pod.status.pod_ip
            targets += [("queue-proxy", name, f"http://{address}:8012"), ("pod", name, f"http://{address}:8080")]
            private = f"{pod.metadata.labels['serving.knative.dev/revision']}-private"
            targets.append(("private service", name, f"http://{private}.{installed}.svc.cluster.local"))
    return targets


def requests_to(
    targets: Sequence[tuple[str, str, str]], name: str, alarm: Mapping[str, Any]
) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Return (address, function, path, request) of each request to *targets*: events, and actions on dead letters."""
    requests = []
    for number, (address, function, url) in enumerate(targets):
        paths = [f"/api/dead-letters/{action}" for action in ACTIONS] if function == "deadletter" else []
        for path in ("", *paths):
            content = {"url": url + path, "headers": headers(f"{name}-{number}"), "body": json.dumps(alarm)}
            requests.append((address, function, path, content))
    return requests


def send(
    cluster: Cluster,
    namespace: str,
    image: str,
    name: str,
    targets: Sequence[tuple[str, str, str]],
    alarm: Mapping[str, Any],
) -> list[Forged]:
    """Have a pod in *namespace* post to each of *targets*, and return the responses."""
    requests = requests_to(targets, name, alarm)
    files = {"requests.json": json.dumps([request for *_, request in requests]), "script.py": SCRIPT}
    metadata = {"name": name, "namespace": namespace}
    container = {
        "name": "stranger",
        "image": image,
        "command": ["python", "/forged/script.py"],
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": "forged", "mountPath": "/forged"}],
    }
    spec = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "forged", "configMap": {"name": name}}],
    }
    cluster.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files},
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec},
    )

    def is_done() -> bool:
        return bool(cluster.core.read_namespaced_pod(name, namespace).status.phase in ("Succeeded", "Failed"))

    cluster.until(is_done, f"pod {name} has posted", SECONDS)
    log = cluster.log(namespace, name)
    responses = json.loads(log.splitlines()[-1])
    return [
        Forged(address, function, path, status, text)
        for (address, function, path, _), (status, text) in zip(requests, responses, strict=True)
    ]


def headers(event_id: str) -> dict[str, str]:
    """Return the headers of the forged alarm, which pretends to come from the simulated vCenter."""
    return {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": f"forged-{event_id}",
        "ce-source": VCENTER,
        "ce-type": "com.vmware.vsphere.AlarmStatusChangedEvent.v0",
        "ce-time": datetime.now(UTC).isoformat(),
    }


def log_lines(cluster: Cluster, installed: str, function: str) -> list[dict[str, Any]]:
    """Return the log of the pods of *function*."""
    pods = cluster.pods(installed, f"serving.knative.dev/service={function}")
    logs = [cluster.log(installed, pod.metadata.name, "user-container", 1000) for pod in pods]
    return [json.loads(line) for log in logs for line in log.splitlines() if line.startswith("{")]


def test_every_address_answered_or_was_denied(forged: list[Forged], report_figure: Callable[[str], None]) -> None:
    direct = [result for result in forged if result.address in ("pod", "queue-proxy", "private service")]
    enforced = not any(result.status for result in direct if result.address == "pod")
    report_figure(f"forged: this cluster's network {'enforces' if enforced else 'does not enforce'} NetworkPolicies")
    for result in forged:
        report_figure(f"forged: {result.function}{result.path} at its {result.address}: {result.status or result.text}")
    assert {result.function for result in forged} == {*FUNCTIONS, "broker"}
    assert {result.function for result in direct} == set(FUNCTIONS)
    assert not [result for result in forged if result.status >= 500]
    if enforced:
        assert not [result for result in direct if result.status]


def test_forged_alarm_powers_off_no_vm(
    cluster: Cluster, installed: str, forged: list[Forged], administrator: Administrator
) -> None:
    assert [vm.runtime.powerState for vm in administrator.vms_in_cluster if vm.runtime.powerState != "poweredOn"] == []
    reasons = [line.get("reason", "") for line in log_lines(cluster, installed, "preempt")]
    assert [reason for reason in reasons if reason.startswith("the alarm is not red in vCenter now")]


def test_dead_letters_are_not_changed_without_the_token(forged: list[Forged]) -> None:
    acting = [result for result in forged if result.path.startswith("/api/") and result.status]

    assert acting
    assert {result.status for result in acting} == {403}


def test_forged_tick_only_starts_a_poll(
    cluster: Cluster, installed: str, forged: list[Forged], administrator: Administrator
) -> None:
    assert {result.status for result in forged if result.function == "vcenter-poller" and result.status} == {202}
    lines = log_lines(cluster, installed, "vcenter-poller")
    assert not [line for line in lines if line["level"] == "error"]
    newest = administrator.newest_key

    def saved() -> int:
        data = cluster.core.read_namespaced_config_map("vcenter-poller-configmap", installed).data or {}
        return int(json.loads(data["checkpoint"])["lastEventKey"])

    cluster.until(lambda: saved() == newest, "checkpoint at vCenter's newest event", SECONDS)

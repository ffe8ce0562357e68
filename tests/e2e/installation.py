"""The installation that tests on a cluster share: its objects, its images, and the recorder beside it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.e2e.cluster import BROKER, DEPLOYMENT, PINGSOURCE, SERVICE, SINKBINDING, TRIGGER, Cluster, Object
from tests.support.recorder import Request, Response, from_json

ROOT = Path(__file__).parent.parent.parent
RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}

CORE = (
    (DEPLOYMENT, "vcsim"),
    (BROKER, "default"),
    (SERVICE, "vcenter-poller"),
    (SERVICE, "display"),
    (SERVICE, "notify"),
    (TRIGGER, "display"),
    (TRIGGER, "notify"),
    (SINKBINDING, "vcenter-poller"),
    (PINGSOURCE, "vcenter-poller"),
)
"""The objects that events need to reach the display and a reaction."""


def kustomize_image(name: str, image: str) -> dict[str, str]:
    """The entry of a kustomization that replaces the image *name* by *image*, which has a tag or a digest."""
    repository, at, digest = image.partition("@")
    if at:
        return {"name": name, "newName": repository, "digest": digest}
    repository, _, tag = image.rpartition(":")
    return {"name": name, "newName": repository, "newTag": tag}


def server_objects(name: str, namespace: str, image: str, file: Path) -> list[Object]:
    """Return a Deployment and a Service *name*, on port 80, that run *file* with the Python of *image*.

    The file takes its port as its argument, and answers `GET /ready`.
    """
    labels = {"app.kubernetes.io/name": name}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    container = {
        "name": name,
        "image": image,
        "command": ["python", f"/code/{file.name}", "8080"],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": "code", "mountPath": "/code"}],
    }
    pod = {"containers": [container], "volumes": [{"name": "code", "configMap": {"name": name}}]}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    ports = [{"port": 80, "targetPort": 8080}]
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {file.name: file.read_text()}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": labels, "ports": ports}},
    ]


class ClusterRecorder:
    """The recorder (`tests.support.recorder`) in the cluster, through the API server."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._target = f"{namespace}/services/recorder:80"
        self.address = f"http://recorder.{namespace}.svc.cluster.local"
        """The address inside the cluster. A box is a path below it."""

    def script(self, box: str, responses: Sequence[Response]) -> None:
        """Respond to requests to *box* with *responses*, in order. The last one repeats."""
        body = json.dumps([asdict(response) for response in responses]).encode()
        assert self._cluster.request("PUT", self._target, box, body=body).status == 204

    def box(self, name: str) -> list[Request]:
        """The requests to *name*, in order of arrival."""
        return from_json(json.loads(self._cluster.request("GET", self._target, name).body))

    def boxes(self, names: Sequence[str]) -> dict[str, list[Request]]:
        """The requests to each of *names*."""
        every = json.loads(self._cluster.request("GET", self._target, "").body)
        return {name: from_json(every.get(name, [])) for name in names}


def rows(
    cluster: Cluster,
    namespace: str,
    until: Callable[[list[dict[str, str]]], bool] = lambda shown: False,
    pod_selector: str = "serving.knative.dev/service=display",
) -> list[dict[str, str]]:
    """Return the display's rows, read from its stream until *until* is true of them or the stream has nothing new."""
    [pod] = cluster.ready_pods(namespace, pod_selector)
    columns: list[str] = []
    shown: list[dict[str, str]] = []
    for line in cluster.lines(f"{namespace}/pods/{pod}:8080", "/api/events"):
        if line.startswith('data: {"capacity"'):
            columns = json.loads(line.removeprefix("data: "))["columns"]
        if line.startswith("data: ["):
            shown += [dict(zip(columns, row, strict=True)) for row in json.loads(line.removeprefix("data: "))]
        if until(shown) or line.startswith(": nothing new"):
            break
    return shown

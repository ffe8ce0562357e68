"""A Kubernetes cluster, as the tests use it: any that KUBECONFIG names.

Everything goes through the API server (its proxy reaches what runs inside), so the tests need no other way in.
"""

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import kubernetes
import urllib3
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import NotFoundError

from tests.support.waiting import wait_until

Object = dict[str, Any]
Value = TypeVar("Value")

SERVICE = ("serving.knative.dev/v1", "Service")
PINGSOURCE = ("sources.knative.dev/v1", "PingSource")
SINKBINDING = ("sources.knative.dev/v1", "SinkBinding")
BROKER = ("eventing.knative.dev/v1", "Broker")
TRIGGER = ("eventing.knative.dev/v1", "Trigger")
DEPLOYMENT = ("apps/v1", "Deployment")
SUBSCRIPTION = ("messaging.knative.dev/v1", "Subscription")
NAMESPACE = ("v1", "Namespace")

WATCHED = (BROKER, TRIGGER, SERVICE, SINKBINDING, PINGSOURCE, DEPLOYMENT)
"""The kinds whose state is reported after a failure."""

LOG_LINES = 25
POLL_SECONDS = 0.3
STEADY_SECONDS = 2.0
PROXY_SECONDS = 60


class Response(NamedTuple):
    """The response to a request through the API server."""

    status: int
    body: bytes


class Cluster:
    """The API server's client, and what the tests do with it."""

    def __init__(self) -> None:
        self._api = kubernetes.config.new_client_from_config()
        self._dynamic = DynamicClient(self._api)
        self.core = kubernetes.client.CoreV1Api(self._api)
        self.authorization = kubernetes.client.AuthorizationV1Api(self._api)

    def close(self) -> None:
        """Close its connections."""
        self._api.close()

    # ── objects ──

    def apply(self, *objects: Object) -> None:
        """Server-side apply, as `kubectl apply --server-side` does it, repeated while a webhook is starting."""
        for manifest in objects:
            self._apply_with_retry(manifest)

    def _apply_with_retry(self, manifest: Object, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                self._resource(manifest["apiVersion"], manifest["kind"]).server_side_apply(
                    body=manifest,
                    namespace=manifest["metadata"].get("namespace"),
                    field_manager="e2e",
                    force_conflicts=True,
                )
                return
            except ApiException as error:
                # 5xx: Knative's webhooks answer so while they start; everything else is the manifest's fault.
                if error.status < 500 or time.monotonic() > deadline:
                    raise
                time.sleep(1)

    def create(self, manifest: Object) -> None:
        """Create an object, once. Raises `ApiException`."""
        resource = self._resource(manifest["apiVersion"], manifest["kind"])
        resource.create(body=manifest, namespace=manifest["metadata"].get("namespace"))

    def patch(self, kind: tuple[str, str], name: str, namespace: str, change: Object) -> None:
        """Change an object, as `kubectl patch --type merge` does."""
        self._resource(*kind).patch(
            body=change, name=name, namespace=namespace, content_type="application/merge-patch+json"
        )

    def get(self, kind: tuple[str, str], name: str, namespace: str) -> Object | None:
        """An object, or None."""
        try:
            return dict(self._resource(*kind).get(name=name, namespace=namespace).to_dict())
        except NotFoundError:
            return None

    def every(self, kind: tuple[str, str], namespace: str, selector: str = "") -> list[Object]:
        """All objects of a kind, or those that the label *selector* selects."""
        return list(self._resource(*kind).get(namespace=namespace, label_selector=selector).to_dict()["items"])

    def delete(
        self, kind: tuple[str, str], name: str, namespace: str | None = None, grace_seconds: int | None = None
    ) -> None:
        """Delete an object, a pod within *grace_seconds* or its own. Nothing happens if there is none."""
        with contextlib.suppress(NotFoundError):
            self._resource(*kind).delete(name=name, namespace=namespace, grace_period_seconds=grace_seconds)

    def create_namespace(self, name: str, **labels: str) -> None:
        """Make a namespace."""
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})

    def namespaces(self, prefix: str) -> list[str]:
        """Those whose name begins with *prefix*."""
        every = [str(namespace.metadata.name) for namespace in self.core.list_namespace().items]
        return sorted(name for name in every if name.startswith(prefix))

    def delete_namespace(self, name: str) -> None:
        """Have a namespace deleted with all that is in it. That takes minutes, which nobody waits for."""
        self.delete(NAMESPACE, name)

    def _resource(self, api_version: str, kind: str) -> Any:
        return self._dynamic.resources.get(api_version=api_version, kind=kind)

    # ── waiting ──

    def until(self, condition: Callable[[], Value | None], message: str, seconds: float = 120) -> Value:
        """Return the value of *condition* when it is true. Raises `NotInTime` with *message*."""
        value = wait_until(condition, seconds, message, POLL_SECONDS)
        assert value is not None
        return value

    def wait_ready(self, kind: tuple[str, str], name: str, namespace: str, seconds: float = 180) -> None:
        """Wait until an object says that it is ready, of its present generation."""

        def is_ready() -> bool:
            live = self.get(kind, name, namespace)
            return live is not None and unready(live) == ""

        self.until(is_ready, f"{kind[1]} {name} ready", seconds)

    def wait_gone(self, kind: tuple[str, str], name: str, namespace: str, seconds: float = 60) -> None:
        """Wait until there is no such object: a deleted one stays until its controller has tidied up."""
        self.until(lambda: self.get(kind, name, namespace) is None, f"{kind[1]} {name} gone", seconds)

    def wait_subscribed(self, namespace: str, seconds: float = 120) -> None:
        """Wait until every channel has all its Subscriptions, and goes on to for `STEADY_SECONDS`.

        Made or deleted at the same time, they drop one another from the channel: also ready ones, for up to 3 s.
        """
        since, before = time.monotonic(), None

        def is_steady() -> bool:
            nonlocal since, before
            now = self._generations_of_channels(namespace)
            if now is None or now != before:
                since, before = time.monotonic(), now
            return now is not None and time.monotonic() - since >= STEADY_SECONDS

        self.until(is_steady, f"every Subscription in its channel, in {namespace}", seconds)

    def _generations_of_channels(self, namespace: str) -> dict[str, int] | None:
        """Return channel → generation of all that have Subscriptions. None while a Subscription is missing."""
        expected: dict[tuple[tuple[str, str], str], set[str]] = {}
        for subscription in self.every(SUBSCRIPTION, namespace):
            channel = subscription["spec"]["channel"]
            if channel["kind"] == "Channel":  # stands for one of another kind, which has the Subscriptions
                stands = self.get((channel["apiVersion"], channel["kind"]), channel["name"], namespace) or {}
                channel = stands.get("status", {}).get("channel") or channel
            of_channel = expected.setdefault(((channel["apiVersion"], channel["kind"]), channel["name"]), set())
            of_channel.add(subscription["metadata"]["uid"])
        generations = {}
        for (kind, name), uids in expected.items():
            live = self.get(kind, name, namespace) or {"spec": {}}
            listed = {subscriber["uid"] for subscriber in live["spec"].get("subscribers", [])}
            ready = {
                subscriber["uid"]
                for subscriber in live.get("status", {}).get("subscribers", [])
                if subscriber["ready"] == "True"
            }
            if not uids <= listed & ready:
                return None
            generations[name] = int(live["metadata"]["generation"])
        return generations

    # ── pods ──

    def pods(self, namespace: str, selector: str) -> list[Any]:
        """Pods that are not on their way out."""
        pods = self.core.list_namespaced_pod(namespace, label_selector=selector).items
        return [pod for pod in pods if pod.metadata.deletion_timestamp is None]

    def ready_pods(self, namespace: str, selector: str) -> list[str]:
        """The names of the pods that are ready."""
        return [
            str(pod.metadata.name)
            for pod in self.pods(namespace, selector)
            if any(
                condition.type == "Ready" and condition.status == "True" for condition in pod.status.conditions or []
            )
        ]

    def delete_pods(self, namespace: str, selector: str, grace_seconds: int = 0) -> list[str]:
        """Kill the pods. Return their names."""
        names = [str(pod.metadata.name) for pod in self.pods(namespace, selector)]
        for name in names:
            self.core.delete_namespaced_pod(name, namespace, grace_period_seconds=grace_seconds)
        return names

    def log(self, namespace: str, pod: str, container: str | None = None, lines: int = LOG_LINES) -> str:
        """A pod's last log lines, or why there are none."""
        try:
            return str(self.core.read_namespaced_pod_log(pod, namespace, container=container, tail_lines=lines))
        except ApiException as error:
            return f"(no log: {error.reason})"

    # ── what listens inside ──

    def request(
        self, method: str, target: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Response:
        """A request to *target* (`NAMESPACE/services/NAME:PORT` or `NAMESPACE/pods/NAME:PORT`), any status."""
        with self._proxied(method, target, path, headers, body) as response:
            return Response(response.status, response.read())

    @contextlib.contextmanager
    def _proxied(
        self, method: str, target: str, path: str, headers: Mapping[str, str] | None, body: bytes | None
    ) -> Iterator[Any]:
        namespace, kind, name = target.split("/")
        url = f"{self._api.configuration.host}/api/v1/namespaces/{namespace}/{kind}/{name}/proxy/{path.lstrip('/')}"
        pool = self._api.rest_client.pool_manager
        own = {name: value for name, value in self._api.default_headers.items() if name != "User-Agent"}
        self._api.update_params_for_auth(own, [], ["BearerToken"], url, method, body)
        timeout = urllib3.Timeout(connect=10, read=PROXY_SECONDS)
        response = pool.request(
            method, url, body=body, headers={**own, **(headers or {})}, timeout=timeout, preload_content=False,
            retries=False,
        )  # fmt: skip
        try:
            yield response
        finally:
            response.close()

    def lines(self, target: str, path: str) -> Iterator[str]:
        """The lines of an answer that does not end, as they come."""
        with self._proxied("GET", target, path, None, None) as response:
            rest = b""
            while chunk := response.read1():
                *whole, rest = (rest + chunk).split(b"\n")
                yield from (line.decode() for line in whole)

    @contextlib.contextmanager
    def forwarded(self, namespace: str, service: str, port: int) -> Iterator[int]:
        """A port of this machine that leads to a Service, for what speaks no plain HTTP."""
        command = ["kubectl", "-n", namespace, "port-forward", f"service/{service}", f":{port}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                first = process.stdout.readline()  # Forwarding from 127.0.0.1:40123 -> 8989
                assert first, f"{' '.join(command)}: it ended"
                yield int(first.split("->")[0].rpartition(":")[2])
            finally:
                process.terminate()

    # ── what is wrong ──

    def diagnosis(self, namespace: str) -> str:
        """Conditions of what is not ready, the pods' states and last log lines, and the warnings."""
        parts = []
        for kind in WATCHED:
            parts += [
                f"{kind[1]} {manifest['metadata']['name']}: {unready(manifest)}"
                for manifest in self.every(kind, namespace)
                if unready(manifest)
            ]
        for pod in self.core.list_namespaced_pod(namespace).items:
            for state in pod.status.container_statuses or []:
                if not state.ready:
                    waiting = state.state.waiting or state.state.terminated
                    parts.append(f"pod {pod.metadata.name}, {state.name}: {waiting.reason if waiting else 'not ready'}")
                    parts.append(indented(self.log(namespace, pod.metadata.name, state.name)))
        events = self.core.list_namespaced_event(namespace, field_selector="type=Warning").items
        parts += [
            f"{event.involved_object.kind} {event.involved_object.name}: {event.message}" for event in events[-20:]
        ]
        return "\n".join(parts) or "everything is ready"


def unready(manifest: Object) -> str:
    """Return why an object is not ready. "" if it is."""
    status = manifest.get("status") or {}
    if status.get("observedGeneration", 0) != manifest["metadata"].get("generation"):
        return "not looked at by its controller yet"
    conditions = {condition["type"]: condition for condition in status.get("conditions") or []}
    ready = conditions.get("Ready") or conditions.get("Available")
    if ready is None:
        return "no condition says that it is ready"
    bad = [
        condition
        for condition in conditions.values()
        if condition["status"] != "True" and condition.get("severity", "") != "Info"
    ]
    if ready["status"] == "True":
        return ""
    return "; ".join(
        f"{condition['type']} {condition.get('reason', '')} {condition.get('message', '')}" for condition in bad
    )


def indented(text: str) -> str:
    """*text*, moved to the right."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def moved(objects: Sequence[Object], to_namespace: str, from_namespace: str = "vcenter-events") -> list[Object]:
    """The objects in another namespace, also where they name each other."""

    def move(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: to_namespace if key == "namespace" and item == from_namespace else move(item)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [move(item) for item in value]
        return value.replace(f".{from_namespace}.svc", f".{to_namespace}.svc") if isinstance(value, str) else value

    result = []
    for manifest in objects:
        manifest = move(json.loads(json.dumps(manifest)))
        if manifest["kind"] == "Namespace" and manifest["metadata"]["name"] == from_namespace:
            manifest["metadata"]["name"] = to_namespace
        result.append(manifest)
    return result

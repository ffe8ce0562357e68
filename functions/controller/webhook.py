"""The MutatingWebhookConfiguration: which requests the API server shows to the webhook, and whether it does so yet.

Its absence must not hurt anybody else. So it names only the kinds that bindings name, in the namespaces that have such
bindings. An object that the webhook misses is patched later, except a Job. Without bindings there are no entries.

Kubernetes has no sign that an API server noticed a new configuration. A third entry proves it: it sends the webhook a
ConfigMap that is created for the proof and never stored.
"""

import base64
import dataclasses
import hashlib
import json
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import structlog

from cluster.client import ClusterClient
from cluster.errors import ClusterError
from cluster.resources import CONFIG_MAPS, JOBS, MUTATING_WEBHOOKS, NAMESPACES, Object, Resource
from functions.controller.reconciler import Observer
from sources.admission import PROBE_LABEL, is_probed
from sources.binding import EXCLUDE_LABEL, INCLUDE_LABEL, Binding, InvalidSubject
from sources.kinds import VSPHERE_BINDINGS

log = structlog.get_logger()

NAME = "vspherebindings.webhook.vsphere.sources.tanzu.vmware.com"
PATH = "/vspherebindings"
TIMEOUT_SECONDS = 2
_ENTRIES = (_JOBS, _JOB_UPDATES, _OTHERS, _PROBE) = ("jobs", "job-updates", "others", "probe")
KNOWN_SECONDS = 30.0
"""The time for which a configuration that was as it should be is not read again."""
PROPAGATION_SECONDS = 10.0
"""The time after a change within which the API server should call the webhook."""


@dataclasses.dataclass(frozen=True)
class WebhookState:
    """The state of the webhook, as one pass finds it."""

    is_proved: bool = False
    """The API server calls the webhook for everything that the bindings name."""
    problem: str = ""
    """The reason why the webhook cannot be used, as a sentence. Empty while it may just need a moment."""
    is_needless: bool = False
    """Nobody waits for the webhook: the settings turn it off, or the binding needs no entry."""


@dataclasses.dataclass(frozen=True)
class WebhookPlace:
    """The place where the API server finds the webhook."""

    namespace: str
    """The controller's."""
    client_config: Mapping[str, Any]
    """`service` or `url`, as in the configuration, without the authorities."""
    inclusion: bool = False
    """Objects need the label `bindings.knative.dev/include`."""


def service(namespace: str, name: str) -> dict[str, Any]:
    """Return the client configuration of the webhook behind a Service."""
    return {"service": {"namespace": namespace, "name": name, "path": PATH, "port": 443}}


def entries(
    bindings: Iterable[Binding], resources: Collection[Resource], place: WebhookPlace, authorities: bytes
) -> list[dict[str, Any]]:
    """Return the configuration's entries: for new Jobs, for changed ones, for other kinds, and for the proof. Pure.

    There are none without bindings. An update of a Job must not fail while the webhook is away, as its creation must.

    *resources* has the collections of the kinds that the bindings name, as far as the cluster knows them. The binding
    of a VSphereSource needs no entry: its Deployment is created with the login.
    """
    staying = [binding for binding in bindings if not (binding.is_deleted or binding.owner)]
    plurals = {(resource.api_version, resource.kind): resource for resource in resources}
    jobs: dict[Resource, set[str]] = {}
    others: dict[Resource, set[str]] = {}
    for binding in staying:
        resource = plurals.get((binding.subject.api_version, binding.subject.kind))
        if resource:
            group = jobs if (resource.group, resource.plural) == (JOBS.group, JOBS.plural) else others
            group.setdefault(resource, set()).add(binding.namespace)
    desired = []
    if jobs:
        desired.append(_entry(_JOBS, "Fail", ["CREATE"], jobs, place, authorities))
        desired.append(_entry(_JOB_UPDATES, "Ignore", ["UPDATE"], jobs, place, authorities))
    if others:
        desired.append(_entry(_OTHERS, "Ignore", ["CREATE", "UPDATE"], others, place, authorities))
    if desired:
        desired.append(_probe(digest(desired), place, authorities))
    return desired


def digest(desired: Any) -> str:
    """Return a short name for the content of entries."""
    return hashlib.sha256(json.dumps(desired, sort_keys=True).encode()).hexdigest()[:16]


def _entry(
    name: str,
    failure_policy: str,
    operations: list[str],
    namespaces: Mapping[Resource, set[str]],
    place: WebhookPlace,
    authorities: bytes,
) -> dict[str, Any]:
    labelled = {"key": EXCLUDE_LABEL, "operator": "NotIn", "values": ["true"]}
    if place.inclusion:
        labelled = {"key": INCLUDE_LABEL, "operator": "In", "values": ["true"]}
    names = sorted(set().union(*namespaces.values()))
    rules = [
        _rule(resource, operations)
        for resource in sorted(namespaces, key=lambda resource: (resource.group, resource.plural, resource.version))
    ]
    return _complete(name, failure_policy, rules, place, authorities) | {
        "namespaceSelector": {"matchExpressions": [_in_namespaces(names), labelled]},
        "objectSelector": {"matchExpressions": [labelled]},
        "reinvocationPolicy": "IfNeeded",
    }


def _probe(name: str, place: WebhookPlace, authorities: bytes) -> dict[str, Any]:
    return _complete(_PROBE, "Ignore", [_rule(CONFIG_MAPS, ["CREATE"])], place, authorities) | {
        "namespaceSelector": {"matchExpressions": [_in_namespaces([place.namespace])]},
        "objectSelector": {"matchLabels": {PROBE_LABEL: name}},
        "reinvocationPolicy": "Never",
    }


def _complete(
    name: str, failure_policy: str, rules: list[dict[str, Any]], place: WebhookPlace, authorities: bytes
) -> dict[str, Any]:
    """Return the part that all entries have. It has every default, so that it equals what the API server stores."""
    return {
        "name": f"{name}.{NAME}",
        "clientConfig": {**place.client_config, "caBundle": base64.b64encode(authorities).decode()},
        "rules": rules,
        "failurePolicy": failure_policy,
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT_SECONDS,
        "admissionReviewVersions": ["v1"],
    }


def _rule(resource: Resource, operations: list[str]) -> dict[str, Any]:
    return {
        "apiGroups": [resource.group],
        "apiVersions": [resource.version],
        "resources": [resource.plural],
        "operations": operations,
        "scope": "Namespaced",
    }


def _in_namespaces(names: list[str]) -> dict[str, Any]:
    return {"key": "kubernetes.io/metadata.name", "operator": "In", "values": names}


class Webhook:
    """The configuration of the leading replica. For any number of threads."""

    def __init__(
        self,
        client: ClusterClient,
        place: WebhookPlace | None,
        authorities: Callable[[], bytes],
        may_write: Callable[[], bool],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """*place* is None if the webhook is off. *authorities* returns nothing until the webhook can be served.

        *may_write* returns whether this replica leads.
        """
        self._client = client
        self._place = place
        self._authorities = authorities
        self._may_write = may_write
        self._now = now
        self._owner: Object | None = None
        self._lock = threading.Lock()
        self._stored = Stored()

    def prepare(self) -> None:
        """Remove entries that are not ours: the predecessor's would reject writes in every namespace.

        Raises `ClusterError`.
        """
        try:
            current = self._client.get(MUTATING_WEBHOOKS, "", NAME)
        except ClusterError as error:
            if error.status not in (403, 404):
                raise
            return
        before = current.get("webhooks") or []
        ours = [f"{name}.{NAME}" for name in _ENTRIES] if self._place else []
        kept = [entry for entry in before if entry["name"] in ours]
        if kept != before:
            self._client.replace(MUTATING_WEBHOOKS, {**current, "webhooks": kept})
            removed = [entry["name"] for entry in before if entry not in kept]
            log.warning("Removed entries from the webhook's configuration", configuration=NAME, removed=removed)

    def keep(self, observer: Observer, *, is_deletion: bool = False) -> WebhookState:
        """Write the entries for all bindings of the cluster, if they differ. Return the state then.

        What the entries should be depends on all bindings. So this is one step: another pass, which knows one binding
        more or less, must not write in between. For a binding under deletion (*is_deletion*), its entries are removed
        also while the webhook cannot be served. Raises `ClusterError`.
        """
        if self._place is None:
            return WebhookState(is_needless=True)
        try:
            authorities = self._authorities() or (self._stored_authorities() if is_deletion else b"")
            if not authorities:
                return WebhookState(problem="the webhook does not serve yet: its certificate is not there")
            with self._lock:
                bindings = read_all(observer.all_cached(VSPHERE_BINDINGS))
                desired = entries(bindings, known_resources(observer, bindings), self._place, authorities)
                stored = self._stored = self._write(desired)
        except ClusterError as error:
            if error.status not in (403, 404):
                raise
            return WebhookState(problem=f"the webhook's configuration cannot be kept: {error}")
        if not desired or stored.is_proved:
            return WebhookState(is_proved=True)
        return self._prove(stored, desired)

    def _stored_authorities(self) -> bytes:
        """Return the certificates in the stored configuration. Raises `ClusterError`."""
        stored = self._client.get(MUTATING_WEBHOOKS, "", NAME).get("webhooks") or []
        return base64.b64decode(stored[0]["clientConfig"].get("caBundle") or "") if stored else b""

    def _write(self, desired: list[dict[str, Any]]) -> "Stored":
        """Make *desired* the entries, and return what is stored then. Raises `ClusterError`."""
        name = digest(desired)
        if self._stored.digest == name and self._now() - self._stored.read_at < KNOWN_SECONDS:
            return self._stored
        current = self._client.get(MUTATING_WEBHOOKS, "", NAME)
        if (current.get("webhooks") or []) == desired:
            if self._stored.digest == name:
                return dataclasses.replace(self._stored, read_at=self._now())
            return Stored(name, self._now(), self._now())
        if not self._may_write():
            raise ClusterError(0, "NotLeading", "another controller holds the lease, or may by now")
        self._stored = Stored()
        metadata = {**current["metadata"], "ownerReferences": [self._namespace_reference()]}
        self._client.replace(MUTATING_WEBHOOKS, {**current, "metadata": metadata, "webhooks": desired})
        return Stored(name, self._now(), self._now())

    def _namespace_reference(self) -> Object:
        """Return the reference to the controller's namespace: a deleted controller must not leave entries behind."""
        if self._owner is None:
            namespace = self._client.get(NAMESPACES, "", self._client.namespace)
            self._owner = {
                "apiVersion": "v1",
                "kind": "Namespace",
                "name": namespace["metadata"]["name"],
                "uid": namespace["metadata"]["uid"],
            }
        return self._owner

    def _prove(self, stored: "Stored", desired: list[dict[str, Any]]) -> WebhookState:
        probe = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "vsphere-webhook-probe",
                "namespace": self._client.namespace,
                "labels": desired[-1]["objectSelector"]["matchLabels"],
            },
        }
        try:
            is_reached = is_probed(self._client.create(CONFIG_MAPS, probe, dry_run=True))
        except ClusterError as error:
            return WebhookState(problem=f"the webhook could not be tried: {error}")
        if not is_reached:
            late = self._now() - stored.since > PROPAGATION_SECONDS
            return WebhookState(problem="the API server does not reach the webhook" if late else "")
        with self._lock:
            if self._stored.digest == stored.digest:
                self._stored = dataclasses.replace(self._stored, is_proved=True)
        return WebhookState(is_proved=True)


@dataclasses.dataclass(frozen=True)
class Stored:
    """The entries that the API server stores, as far as this replica knows. Times are of its clock, in seconds."""

    digest: str = ""
    read_at: float = 0.0
    since: float = 0.0
    is_proved: bool = False
    """The API server was seen to call the webhook since they were stored."""


def read_all(bindings: Iterable[Object]) -> list[Binding]:
    """Return the valid ones of *bindings*. An invalid one says so in its own status."""
    result = []
    for binding in bindings:
        try:
            result.append(Binding.read(binding))
        except InvalidSubject:
            continue
    return result


def known_resources(observer: Observer, bindings: Iterable[Binding]) -> set[Resource]:
    """Return the collections of the kinds that *bindings* name. Kinds that the cluster lacks are left out."""
    resources = set()
    for api_version, kind in {(binding.subject.api_version, binding.subject.kind) for binding in bindings}:
        try:
            resources.add(observer.resource_of(api_version, kind))
        except ClusterError as error:
            if error.status not in (403, 404):
                raise
    return resources

"""controller: makes VSphereSource, VSphereBinding and HorizonSource work, from what they say and what is there.

- `reconciler.py` describes a kind. `vspheresource.py` and its siblings implement one each, with `children.py`,
  `surroundings.py`, `adapters.py` and `trouble.py`.
- `work.py` watches, queues and leads, `passes.py` takes one object, `observation.py` reads, `apply.py` writes.
- `retire.py` removes what the predecessor left.

A pass looks at the whole state each time. It does not matter which event made it look, or how many were missed. So an
event that is posted to the function means "look again".
"""

import datetime
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cluster.client import ClusterClient
from cluster.connect import connect
from cluster.errors import ClusterError
from cluster.lease import LeaderElection
from cluster.resources import CONFIG_MAPS, Key, Object
from functions.controller.adapter_readiness import AdapterReadiness
from functions.controller.admission import AdmissionServer
from functions.controller.certificates import CertificateStore
from functions.controller.horizonsource import HorizonSourceReconciler
from functions.controller.metrics import ControllerMetrics
from functions.controller.reconciler import Reconciler
from functions.controller.retire import retire
from functions.controller.settings import AdmissionSettings, ControllerSettings
from functions.controller.surroundings import LOGGING, Cluster
from functions.controller.vspherebinding import VSphereBindingReconciler
from functions.controller.vspheresource import VSphereSourceReconciler
from functions.controller.webhook import PATH, Webhook, WebhookPlace, service
from functions.controller.work import Work
from pipeline import settings
from pipeline.cloudevents import CloudEvent
from pipeline.errors import SettingsError
from pipeline.settings import Environ
from sources.kinds import HORIZON_SOURCES, VSPHERE_BINDINGS, VSPHERE_SOURCES

if TYPE_CHECKING:
    from flask import Blueprint

RESOLVER = Path("/etc/resolv.conf")


class Controller:
    """The function."""

    blueprint: "Blueprint | None" = None

    def __init__(self, client: ClusterClient, work: Work, admission: AdmissionServer | None = None) -> None:
        self.work = work
        self.admission = admission
        self.metrics = ControllerMetrics(
            work.counts, lambda: len(work.queue), lambda: work.election.is_leader, lambda: client.requests
        )
        self._client = client

    @property
    def unready(self) -> str:
        """The reason why the controller is not ready, or ""."""
        if not self.work.watches.wait_synced(0):
            return "the objects are not listed yet"
        if self.admission and not self.admission.authorities:
            return "the webhook has no certificate yet"
        return ""

    def start(self) -> None:
        """Begin to work, and to serve the webhook."""
        self.work.start()
        if self.admission:
            self.admission.start()

    def handle(self, event: CloudEvent) -> None:
        """Look again: at the object that ApiServerSource reports in *event*, or at all."""
        self.work.look_again(_reported(event))

    def close(self) -> None:
        """Finish the passes under way and release the lease."""
        self.work.close()
        if self.admission:
            self.admission.close()
        self._client.close()


def create(environ: Environ) -> Controller:
    """Return the controller that *environ* configures, at work. Raises `SettingsError` with every error."""
    configured = settings.read(ControllerSettings, environ)
    host = settings.read(settings.ServerSettings, environ).host
    try:
        client = ClusterClient(connect(environ))
    except (ClusterError, OSError) as error:
        raise SettingsError([f"FUNCTION=controller needs a cluster: {error}"]) from error
    servers: list[AdmissionServer] = []
    holder = environ.get("HOSTNAME") or socket.gethostname()
    work = assemble(client, configured, holder, lambda: servers[0].authorities if servers else b"")
    if port := configured.admission.port:
        try:
            servers.append(admission_server(client, configured.admission, work, host))
        except OSError as error:
            message = f"ADMISSION_PORT: the webhook cannot listen on {host}:{port}: {error.strerror}"
            raise SettingsError([message]) from error
    controller = Controller(client, work, *servers)
    controller.start()
    return controller


def assemble(
    client: ClusterClient,
    configured: ControllerSettings,
    holder: str,
    authorities: Callable[[], bytes] = lambda: b"",
) -> Work:
    """Return the work of this replica, *holder*, before it is started.

    *authorities* returns the certificates that the API server must trust when it calls the webhook, or nothing.
    """
    own_namespace = client.namespace
    cluster = Cluster(
        namespace=own_namespace,
        domain=cluster_domain(RESOLVER),
        adapter_image=configured.adapter_image,
        ask_adapter=AdapterReadiness().ask,
        now=lambda: datetime.datetime.now(datetime.UTC),
    )
    place = webhook_place(own_namespace, configured.admission)
    webhook = Webhook(client, place, authorities, lambda: work.election.is_leader)
    reconcilers: list[Reconciler] = [
        VSphereSourceReconciler(cluster),
        VSphereBindingReconciler(webhook, configured.admission.selection_mode == "inclusion"),
        HorizonSourceReconciler(cluster),
    ]

    def prepare() -> None:
        if configured.retires_predecessor:
            retire(client, own_namespace)
        webhook.prepare()

    work = Work(
        client,
        reconcilers,
        configured.namespaces or (),
        lambda on_change: LeaderElection(client, own_namespace, configured.lease, holder, on_change),
        prepare,
    )
    work.watches.follow(CONFIG_MAPS, field_selector=f"metadata.name={LOGGING}", namespace=own_namespace)
    return work


def webhook_place(namespace: str, configured: AdmissionSettings) -> WebhookPlace | None:
    """Return the place where the API server finds the webhook, or None if it is off."""
    if not configured.port:
        return None
    client_config = service(namespace, configured.service)
    if configured.url:
        client_config = {"url": configured.url.rstrip("/") + PATH}
    return WebhookPlace(namespace, client_config, configured.selection_mode == "inclusion")


def admission_server(
    client: ClusterClient, configured: AdmissionSettings, work: Work, listen_host: str
) -> AdmissionServer:
    """Return the webhook's server, for the bindings that *work* watches. Raises `OSError` if it cannot listen."""
    name = f"{configured.service}.{client.namespace}"
    host = urlsplit(configured.url).hostname if configured.url else None
    hosts = (host,) if host else (f"{name}.svc", name, f"{name}.svc.{cluster_domain(RESOLVER)}")

    def find(namespace: str) -> list[Object] | None:
        return work.watches.all(VSPHERE_BINDINGS, namespace) if work.watches.wait_synced(0) else None

    def look_again() -> None:
        bindings = [key for key in work.keys() if key.resource == VSPHERE_BINDINGS]  # noqa: SIM118 - not a dictionary
        for key in bindings:
            work.queue.add(key)

    store = CertificateStore(client, configured.secret, hosts)
    return AdmissionServer(find, store, (listen_host, configured.port), look_again)


def cluster_domain(resolver: Path) -> str:
    """Return the cluster's DNS domain, as the file *resolver* of a pod has it. `cluster.local` elsewhere."""
    try:
        text = resolver.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    match = re.search(r"^search\s.*?\bsvc\.(\S+)", text, re.MULTILINE)
    return match[1] if match else "cluster.local"


def _reported(event: CloudEvent) -> Key | None:
    """Return the key of the object of one of the kinds that *event* reports, or None."""
    payload = event.payload
    if not event["type"].startswith("dev.knative.apiserver.") or not isinstance(payload, dict):
        return None
    metadata = payload.get("metadata") or payload
    for resource in (VSPHERE_SOURCES, VSPHERE_BINDINGS, HORIZON_SOURCES):
        if payload.get("kind") == resource.kind and isinstance(metadata, dict) and metadata.get("name"):
            return Key(resource, str(metadata.get("namespace", "")), str(metadata["name"]))
    return None

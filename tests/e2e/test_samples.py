"""The manifests of the predecessor's users on a cluster, as they are: ready, and events arrive where they say.

They are applied with what they refer to: Secrets, Brokers, sinks and subjects. The cluster's DNS has the vCenters and
sinks that they name. Programs of other images are replaced by this project's image.
"""

import contextlib
import datetime
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from pyVmomi import vim

from pipeline.settings import read
from tests.e2e.cluster import BROKER, DEPLOYMENT, SERVICE, TRIGGER, Cluster, Object, unready
from tests.e2e.installation import server_objects
from tests.e2e.names import resolved
from tests.e2e.sources import (
    HORIZON_SOURCE,
    VSPHERE_BINDING,
    VSPHERE_SOURCE,
    administrator_of,
    credentials,
    install,
    install_vcsim,
)
from tests.support import horizon
from tests.support import recorder as recorder_module
from tests.support.administrator import Administrator
from tests.support.bindings import JOB, is_bound
from tests.support.certificates import self_signed
from tests.support.corpus import MANIFESTS, placed
from tests.support.recorder import Request, from_json
from tests.support.waiting import NotInTime
from vsphere.settings import VCenterSettings
from vsphere.tagging import NoSuchTag, Tagging

pytestmark = pytest.mark.cluster

KUBERNETES_SERVICE = ("v1", "Service")
POWERED_OFF = "com.vmware.vsphere.VmPoweredOffEvent.v0"
LOGGED_IN = "com.vmware.horizon.vlsi_userloggedin.v0"
JSON, XML = "application/json", "application/xml"


class Arrival(NamedTuple):
    """The requests with a source's events."""

    end: str
    """The end of their address: host and path."""
    content_type: str


ARRIVALS = {
    "the issue's source": Arrival("/inmem-broker", JSON),
    "README source": Arrival("where.to.send.stuff/", JSON),
    "README source of 2020": Arrival("where.to.send.stuff/", XML),
    "sample vcsim": Arrival("/", XML),
    "VEBA source": Arrival("default-broker-ingress.vmware-functions.svc.cluster.local/", JSON),
    "Direktiv source": Arrival("direktiv-eventing.default.svc.cluster.local/hello?filter=test", JSON),
    "kn vsphere source create": Arrival("sink.example/", XML),
}
START_COUNT = 3
"""Pods that start side by side. Many more take Knative's controllers the CPU, and the kubelet kills them for it."""

HORIZON_ARRIVAL = "/example-broker"

LOG_IN = """
import os
from urllib.parse import urlsplit
from pyVim.connect import SmartConnect

content = SmartConnect(
    host=urlsplit(os.environ["VC_URL"]).hostname,
    user=os.environ["VC_USERNAME"],
    pwd=os.environ["VC_PASSWORD"],
    disableSslCertValidation=os.environ["VC_INSECURE"] == "true",
).content
"""
DUMP_EVENTS = (
    LOG_IN
    + """
from pyVmomi import vim

print([event.key for event in content.eventManager.QueryEvents(vim.event.EventFilterSpec())])
"""
)
"""Does what the sample's PowerCLI does."""
CREATE_TAG = """
import os
import sys
from pipeline.payload import Reference
from pipeline.settings import read
from vsphere.settings import VCenterSettings
from vsphere.tagging import Tagging

tagging = Tagging(read(VCenterSettings, os.environ), create=True)
tagging.attach(sys.argv[1], "shrug", Reference("Folder", "group-d1", ""))
"""
"""Does what the sample's govc does, which also creates the category and the tag."""
THEN_BE_READY = "import time\nopen('/tmp/logged-in', 'w').close()\ntime.sleep(600)\n"
ENDS = ("Complete", "Failed")


class BoundJob(NamedTuple):
    """A Job that a binding by label selects."""

    sample: str
    """The name of the binding."""
    name: str
    script: str


JOBS = (
    BoundJob("README binding by label", "vsphere-script", DUMP_EVENTS),
    BoundJob("sample govc and powercli", "vsphere-script", DUMP_EVENTS),
    BoundJob("kn vsphere binding create", "vsphere-job", CREATE_TAG),
    BoundJob("sample govc and powercli", "vsphere-job", CREATE_TAG),
)
THEN_SERVE = "from http.server import SimpleHTTPRequestHandler, test\ntest(SimpleHTTPRequestHandler, port=8080)\n"


class Samples:
    """The manifests, the namespaces they are in, and the servers that they name."""

    def __init__(self, cluster: Cluster, namespace: str, image: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        """Where the servers are."""
        self.image = image

    def place(self, name: str) -> str:
        """Return the namespace of a manifest. A source and a binding of the same text share it."""
        words = re.sub(r"[^a-z0-9]+", "-", name.removesuffix(" source").removesuffix(" binding").lower())
        return f"{self.namespace}-{words}"

    # ── servers ──

    def start_servers(self, folder: Path) -> None:
        """Run a simulated vCenter, which is ready then, a Horizon server and a recorder."""
        cluster, namespace = self.cluster, self.namespace
        for name in (namespace, self.place("sample horizon")):
            cluster.create_namespace(name)
        cluster.apply(*server_objects("recorder", namespace, self.image, Path(recorder_module.__file__)))
        cluster.apply(*self._horizon_objects(folder))
        install_vcsim(cluster, namespace, folder)
        service = cluster.get(KUBERNETES_SERVICE, "vcsim", namespace) or {}
        ports = [{"port": 443, "targetPort": "sdk"}]
        spec = {"selector": service["spec"]["selector"], "ports": ports, "externalIPs": ["192.168.220.128"]}
        cluster.apply(_object(KUBERNETES_SERVICE, "vcsim-of-direktiv", namespace, spec=spec))

    def _horizon_objects(self, folder: Path) -> list[Object]:
        """Return a Horizon server with a certificate, and the ConfigMap in which its source finds it."""
        certificate, key = self_signed(folder, x509.DNSName("horizon.server.example.com"))
        config_map, deployment, service = server_objects("horizon", self.namespace, self.image, Path(horizon.__file__))
        pod = deployment["spec"]["template"]["spec"]
        [container] = pod["containers"]
        container["command"] += ["/tls/tls.crt", "/tls/tls.key"]
        container["readinessProbe"]["httpGet"]["scheme"] = "HTTPS"
        container["volumeMounts"].append({"name": "tls", "mountPath": "/tls"})
        pod["volumes"].append({"name": "tls", "secret": {"secretName": "horizon-tls"}})
        service["spec"]["ports"] = [{"port": 443, "targetPort": 8080}]
        data = {"tls.crt": certificate.read_text(), "tls.key": key.read_text()}
        secret = _object(("v1", "Secret"), "horizon-tls", self.namespace, type="kubernetes.io/tls", stringData=data)
        trusted = _object(
            ("v1", "ConfigMap"), "horizon-ca", self.place("sample horizon"), data={"ca.crt": data["tls.crt"]}
        )
        return [secret, trusted, config_map, deployment, service]

    def addresses(self) -> dict[str, str]:
        """Return the names outside the cluster that the manifests have, and the servers' addresses."""
        servers = {
            name: (self.cluster.get(KUBERNETES_SERVICE, name, self.namespace) or {})["spec"]["clusterIP"]
            for name in ("vcsim", "horizon", "recorder")
        }
        return {
            "vcenter.corp.local": servers["vcsim"],
            "vcsa.mydomain.com": servers["vcsim"],
            "horizon.server.example.com": servers["horizon"],
            "where.to.send.stuff": servers["recorder"],
            "sink.example": servers["recorder"],
        }

    # ── what the manifests refer to ──

    def referents(self) -> list[Object]:
        """Return Services of the names in the manifests, and Brokers with Triggers."""
        return [
            self._alias("vcsim", "default", "vcsim"),
            self._alias("direktiv-eventing", "default", "recorder"),
            self._alias("default-broker-ingress", "vmware-functions", "recorder"),
            *self._broker("example-broker", "default", LOGGED_IN),
            *self._broker("inmem-broker", self.place("the issue's source"), POWERED_OFF),
            _object(BROKER, "default", self.place("sample tag-new-vms")),
            self._trigger(),
            self._code(self.place("sample vcsim")),
        ]

    def programs(self) -> list[Object]:
        """Return the subscriber that shows events, and the subjects of bindings other than Jobs."""
        return [
            self._sockeye(self.place("sample vcsim")),
            self._simple_app(self.place("README")),
            self._tagger(self.place("sample tag-new-vms")),
            self._cloud_shell(self.place("sample cloud-power-shell")),
        ]

    def _alias(self, name: str, namespace: str, server: str) -> Object:
        """Return a Service that leads to a server."""
        spec = {"type": "ExternalName", "externalName": f"{server}.{self.namespace}.svc.cluster.local"}
        return _object(KUBERNETES_SERVICE, name, namespace, spec=spec)

    def _broker(self, name: str, namespace: str, event_type: str) -> list[Object]:
        """Return a Broker, and a Trigger that sends events of one type to the recorder's box of its name."""
        subscriber = {"uri": f"http://recorder.{self.namespace}.svc.cluster.local/{name}"}
        spec = {"broker": name, "filter": {"attributes": {"type": event_type}}, "subscriber": subscriber}
        return [_object(BROKER, name, namespace), _object(TRIGGER, name, namespace, spec=spec)]

    def _code(self, namespace: str) -> Object:
        """Return the ConfigMap with sockeye's program."""
        return server_objects("sockeye", namespace, self.image, Path(recorder_module.__file__))[0]

    def _sockeye(self, namespace: str) -> Object:
        """Return the sample's Knative Service, which records in place of showing."""
        container = {
            "image": self.image,
            "command": ["python", "/code/recorder.py", "8080"],
            "volumeMounts": [{"name": "code", "mountPath": "/code"}],
        }
        pod = {"containers": [container], "volumes": [{"name": "code", "configMap": {"name": "sockeye"}}]}
        scale = {"annotations": {"autoscaling.knative.dev/min-scale": "1", "autoscaling.knative.dev/max-scale": "1"}}
        return _object(SERVICE, "sockeye", namespace, spec={"template": {"metadata": scale, "spec": pod}})

    def _simple_app(self, namespace: str) -> Object:
        """Return the README's Deployment, which is available when it has logged in."""
        container = {
            "name": "app",
            "image": self.image,
            "command": ["python", "-c", LOG_IN + THEN_BE_READY],
            "readinessProbe": {"exec": {"command": ["test", "-e", "/tmp/logged-in"]}, "periodSeconds": 1},
        }
        labels = {"app": "my-simple-app"}
        pod = {"terminationGracePeriodSeconds": 0, "containers": [container]}
        spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
        return _object(DEPLOYMENT, "my-simple-app", namespace, spec=spec)

    def _tagger(self, namespace: str) -> Object:
        """Return the sample's function, which tags new VMs."""
        settings = {"FUNCTION": "tag", "TAG_CATEGORY": "lifecycle", "TAG_NAME": "new", "TAG_CREATE": "true"}
        env = [{"name": name, "value": value} for name, value in settings.items()]
        spec = {"template": {"spec": {"containers": [{"image": self.image, "env": env}]}}}
        return _object(SERVICE, "tag-new-vms", namespace, {"role": "vsphere-fn"}, spec=spec)

    def _cloud_shell(self, namespace: str) -> Object:
        """Return the sample's shell, which serves once it has logged in."""
        container = {"image": self.image, "command": ["python", "-c", LOG_IN + THEN_SERVE]}
        labels = {"role": "cloud-power-shell"}
        return _object(
            SERVICE, "cloud-power-shell", namespace, labels, spec={"template": {"spec": {"containers": [container]}}}
        )

    # ── the manifests ──

    def apply(self) -> None:
        """Apply everything, and wait until it is ready."""
        for namespace in sorted({"vmware-functions", *self.namespaces()}):
            self.cluster.create_namespace(namespace)
        contents = [self.manifest(name) for name in MANIFESTS]
        bindings = [content for content in contents if content["kind"] == VSPHERE_BINDING[1]]
        sources = [content for content in contents if content not in bindings]
        self.cluster.apply(*(self._secret(name) for name in MANIFESTS), *self.referents(), *bindings)
        for job in JOBS:  # a binding is ready without a Job, and binds the Jobs that come
            self.wait_ready(job.sample)
        for name in ("recorder", "horizon"):
            self.cluster.wait_ready(DEPLOYMENT, name, self.namespace)
        self._start([*self.programs(), *sources, *(self._job(job) for job in JOBS)])

    def _start(self, contents: Sequence[Object]) -> None:
        """Apply *contents*, and wait until they are ready, `START_COUNT` at a time."""
        remaining, starting = list(contents), list[Object]()

        def is_started() -> bool:
            starting[:] = [content for content in starting if not self._is_ready(content)]
            while remaining and len(starting) < START_COUNT:
                starting.append(remaining.pop(0))
                self.cluster.apply(starting[-1])
            return not starting

        try:
            self.cluster.until(is_started, "everything ready", 240)
        except NotInTime as error:
            names = [f"{content['kind']} {content['metadata']['name']}" for content in starting]
            raise NotInTime(f"{', '.join(names)} not ready, {len(remaining)} not applied yet") from error

    def _is_ready(self, content: Object) -> bool:
        """Return whether an object is ready. A Job is when it has ended."""
        kind, metadata = (content["apiVersion"], content["kind"]), content["metadata"]
        live = self.cluster.get(kind, metadata["name"], metadata["namespace"])
        if live is None:
            return False
        return bool(ended(live)) if kind == JOB else unready(live) == ""

    def _job(self, job: BoundJob) -> Object:
        """Return a Job that the binding of its sample selects."""
        script = ["python", "-c", job.script, self.category(job.sample)]
        container = {"name": "main", "image": self.image, "command": script}
        spec = {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}
        labels = MANIFESTS[job.sample]["spec"]["subject"]["selector"]["matchLabels"]
        return _object(JOB, job.name, self.place(job.sample), labels, spec=spec)

    def category(self, sample: str) -> str:
        """Return the category of tags that a Job of *sample* creates."""
        return f"testing {sample}"

    def namespaces(self) -> set[str]:
        """Return the namespaces of the manifests."""
        return {self.place(name) for name in MANIFESTS}

    def manifest(self, name: str) -> Object:
        """Return a manifest as it is. That of Horizon also has the authority, since it verifies the certificate."""
        content = placed(MANIFESTS[name], self.place(name))
        if content["kind"] == HORIZON_SOURCE[1]:
            content["spec"]["caBundle"] = {"configMapKeyRef": {"name": "horizon-ca", "key": "ca.crt"}}
        return content

    def _secret(self, name: str) -> Object:
        """Return the Secret that a manifest refers to."""
        content = MANIFESTS[name]
        secret = credentials(self.place(name), name=content["spec"]["secretRef"]["name"])
        if content["kind"] == HORIZON_SOURCE[1]:
            del secret["type"]
            login = {"domain": horizon.DOMAIN, "username": horizon.USERNAME, "password": horizon.PASSWORD}
            secret["stringData"] = login
        return secret

    def _trigger(self) -> Object:
        """Return the sample's Trigger. Knative only serves v1, and types have ended in .v0 since the sample."""
        spec = {
            "broker": "default",
            "filter": {"attributes": {"type": "com.vmware.vsphere.VmBeingCreatedEvent.v0"}},
            "subscriber": {"ref": {"apiVersion": SERVICE[0], "kind": SERVICE[1], "name": "tag-new-vms"}},
        }
        return _object(TRIGGER, "tag-new-vms", self.place("sample tag-new-vms"), spec=spec)

    def wait_ready(self, name: str) -> None:
        """Wait until the source or binding of a manifest is ready, with the Trigger at the Broker of its sink."""
        content = self.manifest(name)
        self.cluster.wait_ready((content["apiVersion"], content["kind"]), content["metadata"]["name"], self.place(name))
        ref = content["spec"].get("sink", {}).get("ref", {})
        if ref.get("kind") == BROKER[1]:
            namespace = ref.get("namespace", self.place(name))
            trigger = "tag-new-vms" if ref["name"] == "default" else ref["name"]
            self.cluster.wait_ready(TRIGGER, trigger, namespace)
            self.cluster.wait_subscribed(namespace)

    def ready_seconds(self, name: str) -> float:
        """Return the time from the creation of a source until it became ready."""
        content = self.manifest(name)
        live = self.cluster.get(VSPHERE_SOURCE, content["metadata"]["name"], self.place(name)) or {}
        [ready] = [entry for entry in live["status"]["conditions"] if entry["type"] == "Ready"]
        times = (ready["lastTransitionTime"], live["metadata"]["creationTimestamp"])
        since, created = (datetime.datetime.fromisoformat(text) for text in times)
        return (since - created).total_seconds()

    def delete(self, name: str) -> None:
        """Delete the source of a manifest, so that its adapter takes nothing from those to come."""
        content = self.manifest(name)
        self.cluster.delete((content["apiVersion"], content["kind"]), content["metadata"]["name"], self.place(name))

    def remove(self) -> None:
        """Delete everything, also in the namespace `default`."""
        for name, content in MANIFESTS.items():
            if content["kind"] == VSPHERE_BINDING[1]:
                self.delete(name)
        for referent in self.referents():
            if referent["metadata"]["namespace"] == "default":
                kind = (referent["apiVersion"], referent["kind"])
                self.cluster.delete(kind, referent["metadata"]["name"], "default")
        for name, content in MANIFESTS.items():
            if content["kind"] == VSPHERE_BINDING[1]:
                self.cluster.wait_gone(VSPHERE_BINDING, content["metadata"]["name"], self.place(name))
        for namespace in (*self.namespaces(), self.namespace, "vmware-functions"):
            self.cluster.delete_namespace(namespace)

    # ── what arrives ──

    def wait_received(self, name: str, is_it: Callable[[Request], bool]) -> Request:
        """Return the request to the recorder, or to sockeye for its sample, that *is_it* is true of."""

        def arrived() -> Request | None:
            return next((request for request in self._requests(name) if is_it(request)), None)

        return self.cluster.until(arrived, f"the event at the sink of {name}", 60)

    def _requests(self, name: str) -> list[Request]:
        target = f"{self.namespace}/services/recorder:80"
        if name == "sample vcsim":
            namespace = self.place(name)
            [pod] = self.cluster.ready_pods(namespace, "serving.knative.dev/service=sockeye")
            target = f"{namespace}/pods/{pod}:8080"
        boxes = json.loads(self.cluster.request("GET", target, "").body)
        return [request for box in boxes.values() for request in from_json(box)]


def _object(
    kind: tuple[str, str], name: str, namespace: str, labels: dict[str, str] | None = None, **fields: Any
) -> Object:
    metadata = {"name": name, "namespace": namespace, "labels": labels or {}}
    return {"apiVersion": kind[0], "kind": kind[1], "metadata": metadata, **fields}


@pytest.fixture(scope="module")
def samples(
    cluster: Cluster, namespace: str, image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Samples]:
    """config/sources, and all manifests side by side."""
    created = Samples(cluster, f"{namespace}-s", image)
    with contextlib.ExitStack() as stack:
        stack.callback(created.remove)
        created.start_servers(tmp_path_factory.mktemp("servers"))
        install(cluster, image, tmp_path_factory.mktemp("sources"))
        stack.enter_context(resolved(cluster, created.addresses()))
        created.apply()
        yield created


@pytest.fixture(scope="module")
def forwarded(samples: Samples) -> Iterator[int]:
    """A port of this machine that leads to the simulated vCenter."""
    with samples.cluster.forwarded(samples.namespace, "vcsim", 443) as port:
        yield port


@pytest.fixture(scope="module")
def someone(samples: Samples) -> Iterator[Administrator]:
    """Somebody at the simulated vCenter."""
    with administrator_of(samples.cluster, samples.namespace) as person:
        yield person


def tagged(port: int, category: str, tag: str) -> set[tuple[str, str]]:
    """Return the objects with a tag. Nothing has a tag that does not exist."""
    environ = {"VC_URL": f"https://127.0.0.1:{port}", "VC_INSECURE": "true"}
    settings = read(VCenterSettings, {**environ, "VC_USERNAME": "user", "VC_PASSWORD": "pass"})
    with contextlib.closing(Tagging(settings)) as tagging, contextlib.suppress(NoSuchTag):
        return tagging.objects_with(category, tag)
    return set()


# ── bindings ──


def ended(live: Object) -> list[str]:
    """Return `["Complete"]` or `["Failed"]`, once a Job has ended."""
    conditions = (live.get("status") or {}).get("conditions") or ()
    return [entry["type"] for entry in conditions if entry["status"] == "True" and entry["type"] in ENDS]


def assert_succeeded(samples: Samples, job: BoundJob) -> None:
    """Check that *job* has succeeded, with the login of its binding."""
    cluster, namespace = samples.cluster, samples.place(job.sample)

    live = cluster.get(JOB, job.name, namespace) or {}

    logs = [cluster.log(namespace, pod.metadata.name) for pod in cluster.pods(namespace, f"job-name={job.name}")]
    assert "Complete" in ended(live), logs
    assert is_bound(live, MANIFESTS[job.sample]["spec"]["address"])


@pytest.mark.parametrize("job", [job for job in JOBS if job.script == DUMP_EVENTS], ids=lambda job: job.sample)
def test_bound_job_logs_in(samples: Samples, job: BoundJob) -> None:
    """Case E2: as the sample's PowerCLI."""
    assert_succeeded(samples, job)


@pytest.mark.parametrize("job", [job for job in JOBS if job.script == CREATE_TAG], ids=lambda job: job.sample)
def test_bound_job_creates_a_tag(samples: Samples, forwarded: int, job: BoundJob) -> None:
    """Case E1, as the sample's govc: the binding is ready without a Job. The Job that comes then uses the login."""
    assert_succeeded(samples, job)

    assert tagged(forwarded, samples.category(job.sample), "shrug") == {("Folder", "group-d1")}


def test_bound_deployment_of_the_readme_logs_in(samples: Samples) -> None:
    cluster, namespace = samples.cluster, samples.place("README")
    samples.wait_ready("README binding")

    cluster.wait_ready(DEPLOYMENT, "my-simple-app", namespace)

    live = cluster.get(DEPLOYMENT, "my-simple-app", namespace)
    assert is_bound(live, MANIFESTS["README binding"]["spec"]["address"])


def test_bound_cloud_shell_logs_in(samples: Samples) -> None:
    cluster, namespace = samples.cluster, samples.place("sample cloud-power-shell")
    samples.wait_ready("sample cloud-power-shell")

    cluster.wait_ready(SERVICE, "cloud-power-shell", namespace)

    address = MANIFESTS["sample cloud-power-shell"]["spec"]["address"]
    assert is_bound(cluster.get(SERVICE, "cloud-power-shell", namespace), address)


# ── sources ──


def test_new_vm_is_tagged(samples: Samples, someone: Administrator, forwarded: int) -> None:
    """The sample tag-new-vms: a source to a Broker, a Trigger, and a function that is bound by its label."""
    cluster, namespace = samples.cluster, samples.place("sample tag-new-vms")
    for name in ("sample tag-new-vms binding", "sample tag-new-vms source"):
        samples.wait_ready(name)

    vm = someone.create_vm("new")

    cluster.until(lambda: ("VirtualMachine", vm._moId) in tagged(forwarded, "lifecycle", "new"), "the tag", 60)
    address = MANIFESTS["sample tag-new-vms binding"]["spec"]["address"]
    assert is_bound(cluster.get(SERVICE, "tag-new-vms", namespace), address)


@pytest.fixture(scope="module")
def powered_off(samples: Samples, someone: Administrator) -> str:
    """The key of an event that comes when every source is ready."""
    for name in ARRIVALS:
        samples.wait_ready(name)
    return power_cycle(someone)


@pytest.mark.parametrize("name", ARRIVALS)
def test_source_sends_events(
    samples: Samples, powered_off: str, name: str, report_figure: Callable[[str], None]
) -> None:
    arrival = ARRIVALS[name]
    report_figure(f"{name}: ready after {samples.ready_seconds(name):.0f} s, with {START_COUNT - 1} others")

    def is_it(request: Request) -> bool:
        is_there = f"{request.headers['host']}{request.path}".endswith(arrival.end)
        return is_there and request.id == powered_off and request.headers["content-type"] == arrival.content_type

    event = samples.wait_received(name, is_it)

    assert event.headers["ce-type"] == POWERED_OFF
    assert event.headers["ce-source"] == f"{MANIFESTS[name]['spec']['address']}/sdk"


def power_cycle(person: Administrator) -> str:
    """Power a VM off and on. Return the id of the event that says it is off."""
    vm = person.vms[0]
    person.power_off(vm)
    newest = max(event.key for event in person.events() if isinstance(event, vim.event.VmPoweredOffEvent))
    person.power_on(vm)
    return str(newest)


def test_horizon_source_sends_events(samples: Samples) -> None:
    samples.wait_ready("sample horizon")
    event = horizon.event(4711, round(time.time() * 1000))
    target = f"{samples.namespace}/services/https:horizon:443"
    assert samples.cluster.request("POST", target, "control/events", body=json.dumps([event]).encode()).status == 200

    request = samples.wait_received(
        "sample horizon", lambda request: request.path == HORIZON_ARRIVAL and request.id == "4711"
    )

    assert request.headers["ce-type"] == LOGGED_IN
    assert request.headers["ce-source"] == MANIFESTS["sample horizon"]["spec"]["address"]


def test_every_manifest_of_the_corpus_is_tried() -> None:
    bindings = {"kn vsphere binding create", "README binding by label", "README binding", "sample govc and powercli"}
    with_functions = {"sample tag-new-vms source", "sample tag-new-vms binding", "sample cloud-power-shell"}

    assert set(MANIFESTS) == {*ARRIVALS, *bindings, *with_functions, "sample horizon"}

"""VSphereBinding on a cluster: pods get the login, Knative makes no second revision, and nobody else is held up."""

import base64
import datetime
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from functions.controller.certificates import issue
from tests.e2e.cluster import DEPLOYMENT, SERVICE, Cluster, Object
from tests.e2e.sources import (
    CONTROLLER,
    SYSTEM,
    VSPHERE_BINDING,
    credentials,
    install,
    scale_controller,
    timed,
    wait_condition,
)
from tests.support import bindings
from tests.support.bindings import JOB, is_bound, is_unbound

pytestmark = pytest.mark.cluster

CRON_JOB = ("batch/v1", "CronJob")
USES_LOGIN = 'test "$VC_URL $VC_USERNAME $VC_PASSWORD" = "https://vcenter.example user pass" && '
USES_FILES = 'test "$(cat /var/bindings/vsphere/username /var/bindings/vsphere/password)" = userpass'


class Place:
    """A namespace with a Secret, where things are bound."""

    def __init__(self, cluster: Cluster, namespace: str, image: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.image = image

    def apply(self, *manifests: Object) -> None:
        """Apply objects in the namespace."""
        self.cluster.apply(*(self.placed(manifest) for manifest in manifests))

    def placed(self, manifest: Object) -> Object:
        """Return *manifest* in the namespace."""
        return {**manifest, "metadata": {**manifest["metadata"], "namespace": self.namespace}}

    def bind(self, kind: tuple[str, str], name: str, **labels: str) -> float:
        """Apply a binding of the objects with *labels*. Return the seconds until it is ready."""
        started = time.monotonic()
        self.apply(bindings.binding(kind, name, selector={"matchLabels": labels}))
        self.cluster.wait_ready(VSPHERE_BINDING, name, self.namespace, 30)
        return time.monotonic() - started

    def unbind(self, name: str) -> float:
        """Delete a binding. Return the seconds until it is gone."""
        started = time.monotonic()
        self.cluster.delete(VSPHERE_BINDING, name, self.namespace)
        self.cluster.wait_gone(VSPHERE_BINDING, name, self.namespace, 30)
        return time.monotonic() - started

    def get(self, kind: tuple[str, str], name: str) -> Object:
        """Return an object that exists."""
        live = self.cluster.get(kind, name, self.namespace)
        assert live is not None
        return live

    def pod(self, script: str) -> Object:
        """Return a pod template that runs *script* once."""
        container = {"name": "main", "image": self.image, "command": ["sh", "-c", script]}
        return {"spec": {"restartPolicy": "Never", "containers": [container]}}

    def job(self, name: str, script: str, **labels: str) -> Object:
        """Return a Job that runs *script* once."""
        spec = {"backoffLimit": 0, "template": self.pod(script)}
        return {"apiVersion": JOB[0], "kind": "Job", "metadata": {"name": name, "labels": labels}, "spec": spec}

    def wait_complete(self, name: str) -> Object:
        """Return a Job once it succeeded."""

        def complete() -> Object | None:
            live = self.get(JOB, name)
            conditions = {entry["type"]: entry["status"] for entry in live.get("status", {}).get("conditions") or ()}
            assert conditions.get("Failed") != "True", f"the Job {name} failed, bound: {is_bound(live)}"
            return live if conditions.get("Complete") == "True" else None

        return self.cluster.until(complete, f"the Job {name} is complete", 90)


@pytest.fixture(scope="module")
def place(cluster: Cluster, namespace: str, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """config/sources, and a namespace with the Secret."""
    install(cluster, image, tmp_path_factory.mktemp("sources"))
    own = f"{namespace}-bindings"
    cluster.create_namespace(own)
    cluster.apply(credentials(own))
    created = Place(cluster, own, image)
    created.bind(JOB, "cron-jobs", role="cron")
    created.apply(cron_job(created))
    yield created
    for binding in cluster.every(VSPHERE_BINDING, own):
        cluster.delete(VSPHERE_BINDING, binding["metadata"]["name"], own)
        cluster.wait_gone(VSPHERE_BINDING, binding["metadata"]["name"], own)
    cluster.delete_namespace(own)


def cron_job(place: Place) -> Object:
    """Return a CronJob whose Jobs use the login."""
    template = {"metadata": {"labels": {"role": "cron"}}, "spec": place.job("", USES_LOGIN + USES_FILES)["spec"]}
    spec = {"schedule": "* * * * *", "concurrencyPolicy": "Forbid", "jobTemplate": template}
    return {"apiVersion": CRON_JOB[0], "kind": "CronJob", "metadata": {"name": "cron"}, "spec": spec}


def test_job_uses_the_login(place: Place, report_figure: Callable[[str], None]) -> None:
    """The predecessor's first test: the binding is ready without a Job, and then one is created."""
    ready = place.bind(JOB, "jobs", role="login")
    place.apply(place.job("login", USES_LOGIN + USES_FILES, role="login"))
    assert is_bound(place.get(JOB, "login"))
    place.wait_complete("login")
    seconds = place.unbind("jobs")

    report_figure(
        f"binding of Jobs: ready {ready:.1f} s after it was applied, gone {seconds:.1f} s after it was deleted"
    )
    assert is_bound(place.get(JOB, "login"))
    assert seconds < 5


def test_ksvc_applied_again_has_one_revision(place: Place) -> None:
    place.bind(SERVICE, "services", app="display")
    place.apply(display(place))
    place.cluster.wait_ready(SERVICE, "display", place.namespace)
    first = place.get(SERVICE, "display")
    for _ in range(3):
        place.apply(display(place))
    again = place.get(SERVICE, "display")
    place.apply(display(place, LOG_LEVEL="DEBUG"))
    place.cluster.wait_ready(SERVICE, "display", place.namespace)
    changed = place.get(SERVICE, "display")

    assert is_bound(first)
    assert again["metadata"]["generation"] == first["metadata"]["generation"] == 1
    assert is_bound(changed)
    assert len(place.cluster.every(("serving.knative.dev/v1", "Revision"), place.namespace)) == 2
    place.unbind("services")
    assert is_unbound(place.get(SERVICE, "display"))
    place.cluster.delete(SERVICE, "display", place.namespace)


def display(place: Place, revision: str = "", **environ: str) -> Object:
    """Return a Knative Service of the function `display`, perhaps with a name for its revision."""
    env = [{"name": name, "value": value} for name, value in {"FUNCTION": "display", **environ}.items()]
    template: Object = {"spec": {"containers": [{"image": place.image, "env": env}]}}
    if revision:
        template["metadata"] = {"name": revision}
    return {
        "apiVersion": SERVICE[0],
        "kind": "Service",
        "metadata": {"name": "display", "labels": {"app": "display"}},
        "spec": {"template": template},
    }


def test_named_revision_is_bound_when_it_is_renamed(place: Place) -> None:
    place.apply(display(place, "display-one"))
    place.cluster.wait_ready(SERVICE, "display", place.namespace)
    place.apply(bindings.binding(SERVICE, "named", selector={"matchLabels": {"app": "display"}}))
    entry = wait_condition(place.cluster, VSPHERE_BINDING, "named", place.namespace, "Ready", "BindingFailed", 30)
    touch = {"metadata": {"labels": {"touched": "true"}}}  # as `kubectl apply` does: it sends what changed
    place.cluster.patch(SERVICE, "display", place.namespace, touch)
    unchanged = place.get(SERVICE, "display")
    place.apply(display(place, "display-two"))
    place.cluster.wait_ready(VSPHERE_BINDING, "named", place.namespace, 30)
    place.cluster.patch(SERVICE, "display", place.namespace, {"metadata": {"labels": {"touched": None}}})
    renamed = place.get(SERVICE, "display")
    seconds = place.unbind("named")

    assert "Remove spec.template.metadata.name" in entry["message"]
    assert is_unbound(unchanged)
    assert is_bound(renamed)
    assert renamed["metadata"]["generation"] == 2
    assert seconds < 5
    place.cluster.delete(SERVICE, "display", place.namespace)


def test_deployment_is_bound_and_released(place: Place) -> None:
    deployment: Any = {
        "apiVersion": DEPLOYMENT[0],
        "kind": "Deployment",
        "metadata": {"name": "shell", "labels": {"app": "shell"}},
        "spec": {"selector": {"matchLabels": {"app": "shell"}}, "template": place.pod("sleep 600")},
    }
    deployment["spec"]["template"]["metadata"] = {"labels": {"app": "shell"}}
    deployment["spec"]["template"]["spec"] |= {"restartPolicy": "Always", "terminationGracePeriodSeconds": 0}
    place.apply(deployment)
    before = place.get(DEPLOYMENT, "shell")
    place.bind(DEPLOYMENT, "deployments", app="shell")
    place.cluster.until(lambda: is_bound(place.get(DEPLOYMENT, "shell")) or None, "the Deployment is bound", 10)
    place.cluster.wait_ready(DEPLOYMENT, "shell", place.namespace)
    bound = place.get(DEPLOYMENT, "shell")
    place.unbind("deployments")
    after = place.get(DEPLOYMENT, "shell")

    assert bound["metadata"]["generation"] == before["metadata"]["generation"] + 1
    assert after["spec"]["template"] == before["spec"]["template"]
    place.cluster.delete(DEPLOYMENT, "shell", place.namespace)


def expire_certificate(cluster: Cluster) -> None:
    """Replace the webhook's certificates by some that have expired a month ago, and that the API server trusts not."""
    issued = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=60)
    expired = issue([f"{CONTROLLER}.{SYSTEM}.svc"], issued)
    content = {
        "ca-cert.pem": expired.authorities,
        "ca-key.pem": expired.authority_key,
        "server-cert.pem": expired.certificate,
        "server-key.pem": expired.key,
    }
    data = {name: base64.b64encode(pem).decode() for name, pem in content.items()}
    cluster.patch(("v1", "Secret"), "vsphere-webhook-certs", SYSTEM, {"data": data})


def test_only_bound_jobs_need_the_controller(
    place: Place, namespace: str, report_figure: Callable[[str], None]
) -> None:
    """Its certificate expires while it is down. It renews it before it serves."""
    elsewhere = Place(place.cluster, namespace, place.image)
    place.bind(JOB, "blocking", role="blocked")
    place.bind(DEPLOYMENT, "repaired", app="repaired")
    scale_controller(place.cluster, 0)
    expire_certificate(place.cluster)
    try:
        elsewhere.apply(elsewhere.job("free", "true"))
        started = time.monotonic()
        with pytest.raises(ApiException, match="failed calling webhook"):
            place.cluster.create(place.placed(place.job("blocked", "true", role="blocked")))
        seconds = time.monotonic() - started
    finally:
        scale_controller(place.cluster, 1)
    with timed() as bound:
        place.apply(place.job("blocked", USES_LOGIN + USES_FILES, role="blocked"))
    report_figure(f"Controller back with an expired certificate: a Job is bound after {bound['seconds']:.1f} s")
    assert is_bound(place.wait_complete("blocked"))
    assert seconds < 5
    elsewhere.wait_complete("free")
    for name in ("blocking", "repaired"):
        place.unbind(name)


def test_jobs_of_a_cron_job_are_bound(place: Place) -> None:
    """The last test, because a CronJob creates its first Job up to a minute after itself."""

    def created() -> str | None:
        jobs = place.cluster.every(JOB, place.namespace, "role=cron")
        return jobs[0]["metadata"]["name"] if jobs else None

    name = place.cluster.until(created, "the CronJob creates a Job", 100)
    place.cluster.patch(CRON_JOB, "cron", place.namespace, {"spec": {"suspend": True}})
    assert is_bound(place.wait_complete(name))
    place.unbind("cron-jobs")

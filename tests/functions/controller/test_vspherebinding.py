"""Tests of bindings against a real API server: what the webhook binds, what the controller repairs, what both undo."""

import datetime
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest

from functions.controller.certificates import SERVER_LIFE
from functions.controller.vspherebinding import FINALIZER
from tests.support.api_server import ApiServer, Rejected, free_port
from tests.support.bindings import (
    CONFIGURATION,
    DEPLOYMENT,
    JOB,
    KINDS,
    KSVC,
    STATEFUL_SET,
    binding,
    install_configuration,
    install_knative_kinds,
    is_bound,
    is_unbound,
    running_webhook,
    subject,
    webhook_entries,
)
from tests.support.controller import API_VERSION, condition, events, new_namespace, running_controller, wait_condition
from tests.support.waiting import wait_until

pytestmark = pytest.mark.cluster

BINDING = "VSphereBinding"
MUTABLE = [kind for kind in KINDS if kind != JOB]


@pytest.fixture(scope="module")
def server(kinds: ApiServer) -> ApiServer:
    """An API server with the kinds, Knative's and the webhook's configuration."""
    install_knative_kinds(kinds)
    install_configuration(kinds)
    return kinds


@pytest.fixture
def namespace(server: ApiServer) -> Iterator[str]:
    """A namespace of the test's own. No binding and no entry of the configuration stays."""
    yield new_namespace(server)
    server.patch(*CONFIGURATION, "", {"webhooks": None})
    for stored in server.request("GET", f"/apis/{API_VERSION}/vspherebindings")["items"]:
        name, place = stored["metadata"]["name"], stored["metadata"]["namespace"]
        server.patch(API_VERSION, BINDING, name, place, {"metadata": {"finalizers": None}})
        if "deletionTimestamp" not in stored["metadata"]:
            server.delete(API_VERSION, BINDING, name, place)


def ready(server: ApiServer, namespace: str, name: str = "b", status: str = "True", reason: str = "") -> str:
    """Wait for a binding's condition. Return its message."""
    return wait_condition(server, BINDING, name, namespace, "Ready", status, reason).message


def get(server: ApiServer, kind: tuple[str, str], namespace: str, name: str = "x") -> Any:
    return server.get(*kind, name, namespace)


def wait_gone(server: ApiServer, namespace: str, name: str = "b") -> float:
    """Delete a binding. Return the seconds until it is gone."""
    started = time.monotonic()
    server.delete(API_VERSION, BINDING, name, namespace)
    wait_until(lambda: server.get(API_VERSION, BINDING, name, namespace) is None, 10, "the binding is gone")
    return time.monotonic() - started


# ── binding ──


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[1])
def test_new_objects_are_bound_by_selector(server: ApiServer, namespace: str, kind: tuple[str, str]) -> None:
    with running_webhook(server, namespace):
        server.create(binding(kind, selector={"matchLabels": {"app": "a"}}), namespace)
        ready(server, namespace)
        created = server.create(subject(kind, "x", labels={"app": "a"}), namespace)
        other = server.create(subject(kind, "y", labels={"app": "b"}), namespace)

    assert is_bound(created)
    assert is_unbound(other)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[1])
def test_objects_are_bound_by_name(server: ApiServer, namespace: str, kind: tuple[str, str]) -> None:
    with running_webhook(server, namespace):
        server.create(binding_of(kind, "b", "x"), namespace)
        message = ready(server, namespace, status="False", reason="SubjectMissing")
        wait_until(lambda: is_called_for(server, kind), 10, "the API server notices the webhook")
        created = server.create(subject(kind, "x"), namespace)
        other = server.create(subject(kind, "y"), namespace)
        ready(server, namespace)

    assert message.endswith('"x" not found')
    assert is_bound(created)
    assert is_unbound(other)


def binding_of(kind: tuple[str, str], name: str, of: str) -> Any:
    """Return a binding of the object *of*."""
    selecting = binding(kind, name)
    subject_ = {"apiVersion": kind[0], "kind": kind[1], "name": of}
    return {**selecting, "spec": {**selecting["spec"], "subject": subject_}}


def is_called_for(server: ApiServer, kind: tuple[str, str]) -> bool:
    """Return whether the API server calls the webhook for a new object of *kind*. Creates nothing."""
    namespaces = [
        name
        for entry in webhook_entries(server)
        for expression in entry["namespaceSelector"]["matchExpressions"]
        if expression["key"] == "kubernetes.io/metadata.name"
        for name in expression["values"]
    ]
    return bool(namespaces) and is_bound(server.create(subject(kind, "x"), namespaces[0], "dryRun=All"))


@pytest.mark.parametrize("kind", MUTABLE, ids=lambda kind: kind[1])
def test_older_objects_are_bound_and_released(server: ApiServer, namespace: str, kind: tuple[str, str]) -> None:
    before = server.create(subject(kind), namespace)
    with running_webhook(server, namespace):
        server.create(binding(kind), namespace)
        wait_until(lambda: is_bound(get(server, kind, namespace)), 10, "the object is bound")
        ready(server, namespace)
        bound = get(server, kind, namespace)
        wait_gone(server, namespace)
        after = get(server, kind, namespace)

    assert bound["metadata"]["generation"] == before["metadata"]["generation"] + 1
    assert after["spec"]["template"] == before["spec"]["template"]


def test_a_bound_object_is_written_once(server: ApiServer, namespace: str) -> None:
    server.create(subject(DEPLOYMENT), namespace)
    with running_webhook(server, namespace) as running:
        server.create(binding(DEPLOYMENT), namespace)
        ready(server, namespace)
        bound = get(server, DEPLOYMENT, namespace)
        running.work.look_again()
        server.patch(*DEPLOYMENT, "x", namespace, {"metadata": {"labels": {"changed": "true"}}})
        server.create(subject(DEPLOYMENT, "last"), namespace)
        wait_until(lambda: len(status(server, namespace)["subjects"]) == 2, 10, "both are recorded")

    assert get(server, DEPLOYMENT, namespace)["metadata"]["generation"] == bound["metadata"]["generation"]


def status(server: ApiServer, namespace: str, name: str = "b") -> Any:
    return (server.get(API_VERSION, BINDING, name, namespace) or {}).get("status") or {"subjects": []}


def test_what_somebody_removes_is_put_back(server: ApiServer, namespace: str) -> None:
    with running_webhook(server, namespace) as running:
        server.create(binding(DEPLOYMENT), namespace)
        ready(server, namespace)
        server.create(subject(DEPLOYMENT), namespace)
        assert running.admission
        running.admission.close()
        plain = subject(DEPLOYMENT)["spec"]["template"]["spec"]["containers"]
        stripped = server.patch(
            *DEPLOYMENT, "x", namespace, {"spec": {"template": {"spec": {"containers": plain, "volumes": None}}}}
        )
        wait_until(lambda: is_bound(get(server, DEPLOYMENT, namespace)), 10, "the object is bound again")

    assert is_unbound(stripped)


def test_a_changed_address_reaches_bound_objects(server: ApiServer, namespace: str) -> None:
    with running_webhook(server, namespace):
        server.create(binding(DEPLOYMENT), namespace)
        ready(server, namespace)
        server.create(subject(DEPLOYMENT), namespace)
        server.patch(API_VERSION, BINDING, "b", namespace, {"spec": {"address": "https://other.example"}})
        wait_until(
            lambda: is_bound(get(server, DEPLOYMENT, namespace), "https://other.example"), 10, "the address changes"
        )


# ── Jobs ──


def test_a_job_made_right_after_ready_is_bound(server: ApiServer, namespace: str) -> None:
    """The predecessor's test creates its Job as soon as the binding is ready. Each round has entries of its own."""
    namespaces = [namespace, *(new_namespace(server) for _ in range(5))]
    with running_webhook(server, *namespaces):
        for name in namespaces:
            server.create(binding(JOB, selector={"matchLabels": {"job-name": "x"}}), name)
            wait_condition(server, BINDING, "b", name, "Ready", "True")
            job = subject(JOB, "x", labels={"job-name": "x"})
            assert is_bound(server.create(job, name)), name


def test_a_job_applied_again_stays_as_it_is(server: ApiServer, namespace: str) -> None:
    """Server-side apply removes what the manifest lacks, and the template of a Job cannot change."""
    with running_webhook(server, namespace):
        server.create(binding(JOB), namespace)
        ready(server, namespace)
        first = server.apply(subject(JOB), namespace)
        again = server.apply(subject(JOB, labels={"changed": "true"}), namespace)

    assert is_bound(first)
    assert again["metadata"]["labels"]["changed"] == "true"
    assert again["spec"] == first["spec"]


def test_an_older_job_is_reported_and_harms_nothing(server: ApiServer, namespace: str) -> None:
    server.create(subject(JOB, "older"), namespace)
    finish(server, server.create(subject(JOB, "finished"), namespace), namespace)
    with running_webhook(server, namespace):
        server.create(binding(JOB), namespace)
        message = ready(server, namespace)
        server.patch(API_VERSION, BINDING, "b", namespace, {"spec": {"address": "https://other.example"}})
        wait_until(lambda: status(server, namespace)["observedGeneration"] == 2, 10, "the change is observed")
        assert ready(server, namespace) == message
        patched = server.patch(*JOB, "older", namespace, {"metadata": {"labels": {"changed": "true"}}})

    assert message == "1 Job was made before the binding and runs without it: older"
    assert is_unbound(patched)


def finish(server: ApiServer, job: Any, namespace: str) -> None:
    """Complete a Job, as its controller would."""
    now = "2026-01-01T00:00:00Z"
    types = ("SuccessCriteriaMet", "Complete")
    conditions = [{"type": type_, "status": "True", "lastTransitionTime": now} for type_ in types]
    change = {"status": {"conditions": conditions, "startTime": now, "completionTime": now, "succeeded": 1}}
    server.patch(*JOB, job["metadata"]["name"], namespace, change, "status")


def test_a_finished_job_does_not_hold_its_binding(server: ApiServer, namespace: str) -> None:
    with running_webhook(server, namespace):
        server.create(binding(JOB), namespace)
        ready(server, namespace)
        job = server.create(subject(JOB), namespace)
        finish(server, job, namespace)
        seconds = wait_gone(server, namespace)

    assert is_bound(get(server, JOB, namespace))
    assert seconds < 2


# ── Knative ──


def test_a_ksvc_applied_again_has_no_second_revision(server: ApiServer, namespace: str) -> None:
    with running_webhook(server, namespace):
        server.create(binding(KSVC), namespace)
        ready(server, namespace)
        manifest = subject(KSVC)
        server.kubectl("apply", "-n", namespace, "-f", "-", manifests=[manifest])
        first = get(server, KSVC, namespace)
        manifest["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "OWN_TOO", "value": "2"})
        server.kubectl("apply", "-n", namespace, "-f", "-", manifests=[manifest])
        changed = get(server, KSVC, namespace)
        server.kubectl("apply", "-n", namespace, "-f", "-", manifests=[manifest])
        server.kubectl("replace", "-n", namespace, "-f", "-", manifests=[manifest])
        last = get(server, KSVC, namespace)

    assert is_bound(first)
    assert is_bound(changed)
    assert first["metadata"]["generation"] == 1
    assert changed["metadata"]["generation"] == 2
    assert last["metadata"]["generation"] == 2
    assert last["spec"]["template"] == changed["spec"]["template"]


def named(name: str) -> Any:
    return subject(KSVC, "x", {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}]}})


def test_a_named_revision_is_bound_when_it_is_renamed(server: ApiServer, namespace: str) -> None:
    server.create(named("x-1"), namespace)
    with running_webhook(server, namespace):
        server.create(binding(KSVC), namespace)
        message = ready(server, namespace, status="False", reason="BindingFailed")
        unchanged = get(server, KSVC, namespace)
        renamed = server.apply(named("x-2"), namespace)
        ready(server, namespace)
        again = server.apply(named("x-2"), namespace)
        wait_gone(server, namespace)
        kept = get(server, KSVC, namespace)

    assert "Remove spec.template.metadata.name, or change it" in message
    assert is_unbound(unchanged)
    assert is_bound(renamed)
    assert again["metadata"]["generation"] == renamed["metadata"]["generation"]
    assert is_bound(kept)
    assert any(reason == "BindingKept" for _, reason, _ in events(server, namespace))


# ── several bindings, other subjects ──


def test_the_older_of_two_bindings_wins(server: ApiServer, namespace: str) -> None:
    server.create(subject(DEPLOYMENT), namespace)
    with running_webhook(server, namespace):
        server.create(binding(DEPLOYMENT, "b"), namespace)
        ready(server, namespace)
        before = get(server, DEPLOYMENT, namespace)
        younger = binding(DEPLOYMENT, "younger", {"address": "https://other.example"})
        time.sleep(1.1)  # creation times have whole seconds
        server.create(younger, namespace)
        message = ready(server, namespace, "younger", "False", "Conflict")
        during = get(server, DEPLOYMENT, namespace)
        wait_gone(server, namespace)
        ready(server, namespace, "younger")
        after = get(server, DEPLOYMENT, namespace)

    assert message == 'deployments.apps "x" is bound by VSphereBinding "b"'
    assert during["metadata"]["generation"] == before["metadata"]["generation"]
    assert is_bound(after, "https://other.example")
    assert after["metadata"]["generation"] == before["metadata"]["generation"] + 1


@pytest.mark.parametrize(
    "changed", [{"kind": "StatefulSet"}, {"selector": {"matchLabels": {"app": "other"}}}], ids=["kind", "selector"]
)
def test_a_changed_subject_is_released(server: ApiServer, namespace: str, changed: dict[str, Any]) -> None:
    server.create(subject(DEPLOYMENT), namespace)
    server.create(subject(STATEFUL_SET), namespace)
    with running_webhook(server, namespace):
        server.create(binding(DEPLOYMENT), namespace)
        ready(server, namespace)
        server.patch(API_VERSION, BINDING, "b", namespace, {"spec": {"subject": changed}})
        wait_until(lambda: is_unbound(get(server, DEPLOYMENT, namespace)), 10, "the Deployment is released")
        if "kind" in changed:
            wait_until(lambda: is_bound(get(server, STATEFUL_SET, namespace)), 10, "the other kind is bound")


def test_excluded_objects_are_never_bound(server: ApiServer, namespace: str) -> None:
    exclude = {"bindings.knative.dev/exclude": "true"}
    server.create(subject(DEPLOYMENT, "older", labels=exclude), namespace)
    with running_webhook(server, namespace):
        server.create(binding(DEPLOYMENT), namespace)
        server.create(binding_of(DEPLOYMENT, "named", "older"), namespace)
        ready(server, namespace)
        message = ready(server, namespace, "named", "False", "SubjectExcluded")
        newer = server.create(subject(DEPLOYMENT, "newer", labels=exclude), namespace)
        included = server.create(subject(DEPLOYMENT, "included"), namespace)

    assert is_unbound(get(server, DEPLOYMENT, namespace, "older"))
    assert is_unbound(newer)
    assert is_bound(included)
    assert message == 'deployments.apps "older": bindings.knative.dev/exclude: true'


def test_the_mode_inclusion_needs_the_label(server: ApiServer, namespace: str) -> None:
    server.create(subject(DEPLOYMENT, "older"), namespace)
    with running_webhook(server, namespace, VSPHERE_BINDING_SELECTION_MODE="inclusion"):
        server.create(binding(DEPLOYMENT), namespace)
        ready(server, namespace)
        plain = server.create(subject(DEPLOYMENT, "plain"), namespace)
        included = server.create(
            subject(DEPLOYMENT, "included", labels={"bindings.knative.dev/include": "true"}), namespace
        )
        labels = (server.get("v1", "Namespace", namespace) or {})["metadata"]["labels"]

    assert labels["bindings.knative.dev/include"] == "true"
    assert is_unbound(plain)
    assert is_bound(included)
    assert is_unbound(get(server, DEPLOYMENT, namespace, "older"))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (("example.com/v1", "Widget"), 'no matches for kind "Widget" in version "example.com/v1"'),
        (("v1", "ConfigMap"), "has no pods"),
    ],
    ids=["unknown", "without pods"],
)
def test_kinds_that_cannot_be_bound(server: ApiServer, namespace: str, kind: tuple[str, str], message: str) -> None:
    server.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}, namespace)
    with running_webhook(server, namespace):
        server.create(binding(kind), namespace)
        assert message in ready(server, namespace, status="False", reason="SubjectUnavailable")
        assert wait_gone(server, namespace) < 5


# ── the webhook ──


def test_entries_come_and_go_with_bindings(server: ApiServer, namespace: str) -> None:
    with running_webhook(server, namespace):
        assert webhook_entries(server) == []
        server.create(binding(JOB, "jobs"), namespace)
        server.create(binding(KSVC, "others"), namespace)
        ready(server, namespace, "jobs")
        ready(server, namespace, "others")
        both = webhook_entries(server)
        configuration = server.get(*CONFIGURATION) or {}
        wait_gone(server, namespace, "jobs")
        one = webhook_entries(server)
        wait_gone(server, namespace, "others")

    assert [entry["name"].partition(".")[0] for entry in both] == ["jobs", "job-updates", "others", "probe"]
    assert [entry["failurePolicy"] for entry in both] == ["Fail", "Ignore", "Ignore", "Ignore"]
    assert [entry["timeoutSeconds"] for entry in both] == [2, 2, 2, 2]
    assert [entry["rules"][0]["resources"] for entry in both] == [["jobs"], ["jobs"], ["services"], ["configmaps"]]
    assert [owner["kind"] for owner in configuration["metadata"]["ownerReferences"]] == ["Namespace"]
    assert [entry["name"].partition(".")[0] for entry in one] == ["others", "probe"]
    assert webhook_entries(server) == []


def test_other_namespaces_do_not_need_the_webhook(server: ApiServer, namespace: str) -> None:
    elsewhere = new_namespace(server)
    with running_webhook(server, namespace):
        for kind in (JOB, DEPLOYMENT):
            server.create(binding(kind, kind[1].lower()), namespace)
            ready(server, namespace, kind[1].lower())

    for kind in (JOB, DEPLOYMENT):
        started = time.monotonic()
        assert is_unbound(server.create(subject(kind), elsewhere))
        assert time.monotonic() - started < 1
    with pytest.raises(Rejected, match="failed calling webhook"):
        server.create(subject(JOB), namespace)
    assert is_unbound(server.create(subject(DEPLOYMENT), namespace))
    with running_webhook(server, namespace):
        wait_until(lambda: is_bound(get(server, DEPLOYMENT, namespace)), 10, "what it missed is bound")
        wait_until(lambda: is_called_for(server, JOB), 10, "the webhook is called at its new address")
        assert is_bound(server.create(subject(JOB), namespace))


def test_a_certificate_is_renewed_while_it_serves(server: ApiServer, namespace: str) -> None:
    start = datetime.datetime.now(datetime.UTC) - SERVER_LIFE * 0.9
    clock = [start]
    with running_webhook(server, namespace, now=lambda: clock[0]) as running:
        server.create(binding(JOB), namespace)
        ready(server, namespace)
        assert is_bound(server.create(subject(JOB, "before"), namespace))
        admission = running.admission
        assert admission
        first = admission._certificates
        clock[0] = datetime.datetime.now(datetime.UTC)
        admission.check_certificate()
        assert first
        assert admission._certificates
        assert admission._certificates.certificate != first.certificate
        assert admission.authorities == first.authorities
        served = ssl.get_server_certificate(("127.0.0.1", admission.port))
        assert served == admission._certificates.certificate.decode()
        assert is_bound(server.create(subject(JOB, "after"), namespace))


def test_a_certificate_that_expired_meanwhile_is_renewed(server: ApiServer, namespace: str) -> None:
    past = datetime.datetime.now(datetime.UTC) - SERVER_LIFE * 2
    with running_webhook(server, namespace, now=lambda: past):
        server.create(binding(DEPLOYMENT), namespace)
        message = wait_message(server, namespace)
    with running_webhook(server, namespace):
        assert wait_message(server, namespace, "") == ""
        assert is_bound(server.create(subject(DEPLOYMENT), namespace))

    assert "does not reach the webhook" in message


def wait_message(server: ApiServer, namespace: str, message: str | None = None) -> str:
    """Return the message of Ready once it is True, with any or one *message*."""

    def reached() -> bool:
        current = condition(server, BINDING, "b", namespace, "Ready")
        is_expected = current is not None and (bool(current.message) if message is None else current.message == message)
        return current is not None and current.status == "True" and is_expected

    wait_until(reached, 20, "the binding is ready")
    return (condition(server, BINDING, "b", namespace, "Ready") or ("", "", ""))[2]


def test_the_finalizer_is_the_predecessors(server: ApiServer, namespace: str) -> None:
    with running_webhook(server, namespace):
        server.create(binding(DEPLOYMENT), namespace)
        ready(server, namespace)
        stored = server.get(API_VERSION, BINDING, "b", namespace) or {}

    assert stored["metadata"]["finalizers"] == [FINALIZER] == ["vspherebindings.sources.tanzu.vmware.com"]


def test_what_the_predecessor_left_in_deletion_is_released(server: ApiServer, namespace: str) -> None:
    """Its controller tried to change the Job, without end."""
    left = binding(JOB)
    left["metadata"]["finalizers"] = [FINALIZER]
    server.create(subject(JOB), namespace)
    server.create(left, namespace)
    server.delete(API_VERSION, BINDING, "b", namespace)
    assert server.get(API_VERSION, BINDING, "b", namespace)

    with running_webhook(server, namespace):
        wait_until(lambda: server.get(API_VERSION, BINDING, "b", namespace) is None, 10, "the binding is gone")


@pytest.mark.parametrize("port", [None, "0"], ids=["with webhook", "without webhook"])
def test_the_predecessors_entry_is_removed(server: ApiServer, namespace: str, port: str | None) -> None:
    """Without its pod, it rejects every new Deployment of the cluster."""
    entry = {
        "name": CONFIGURATION[2],
        "clientConfig": {"service": {"namespace": "vmware-sources", "name": "vsphere-source-webhook"}},
        "rules": [
            {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["replicasets"], "operations": ["CREATE"]}
        ],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    server.patch(*CONFIGURATION, "", {"webhooks": [entry]})
    if port is None:
        with running_webhook(server, namespace):
            wait_until(lambda: not webhook_entries(server), 10, "the entry is removed")
    else:
        with running_controller(server, namespace, ADMISSION_PORT=port):
            wait_until(lambda: not webhook_entries(server), 10, "the entry is removed")


def test_without_webhook_others_are_bound_by_patches(server: ApiServer, namespace: str) -> None:
    with running_controller(server, namespace, ADMISSION_PORT="0"):
        server.create(binding(DEPLOYMENT), namespace)
        server.create(binding(JOB, "jobs"), namespace)
        assert ready(server, namespace) == ready(server, namespace, "jobs") == ""
        server.create(subject(DEPLOYMENT), namespace)
        wait_until(lambda: is_bound(get(server, DEPLOYMENT, namespace)), 10, "the Deployment is bound")

    assert webhook_entries(server) == []


def test_a_replica_that_does_not_lead_serves(server: ApiServer, namespace: str) -> None:
    """The API server is sent to the second replica all the time. The first one leads, and then ends."""
    port = str(free_port())
    url = f"https://127.0.0.1:{port}"
    with (
        running_webhook(server, namespace, holder="first", ADMISSION_URL=url) as first,
        running_webhook(server, namespace, holder="second", ADMISSION_PORT=port, ADMISSION_URL=url) as second,
    ):
        server.create(binding(JOB), namespace)
        ready(server, namespace)
        assert first.work.election.is_leader
        assert not second.work.election.is_leader
        assert first.admission
        assert second.admission
        assert first.admission.authorities == second.admission.authorities
        assert is_bound(server.create(subject(JOB, "with-two"), namespace))
        first.close()
        assert is_bound(server.create(subject(JOB, "with-one"), namespace))
        wait_until(lambda: second.work.election.is_leader, 20, "the second one leads")
        assert is_bound(server.create(subject(JOB, "with-another-leader"), namespace))


def test_a_binding_is_proved_again_after_the_last_one(server: ApiServer, namespace: str) -> None:
    """Its entries are the same as before, and were removed in between."""
    with running_webhook(server, namespace):
        for number in range(4):
            server.create(binding(JOB), namespace)
            ready(server, namespace)
            assert is_bound(server.create(subject(JOB, f"x{number}"), namespace))
            wait_gone(server, namespace)
            assert webhook_entries(server) == []


def test_a_binding_that_comes_as_another_goes_keeps_its_entry(server: ApiServer, namespace: str) -> None:
    with running_webhook(server, namespace):
        server.create(binding(JOB, "b0"), namespace)
        for number in range(8):
            ready(server, namespace, f"b{number}")
            server.delete(API_VERSION, BINDING, f"b{number}", namespace)
            server.create(binding(JOB, f"b{number + 1}"), namespace)
            ready(server, namespace, f"b{number + 1}")
            assert is_bound(server.create(subject(JOB, f"x{number}"), namespace))
        assert [entry["name"].partition(".")[0] for entry in webhook_entries(server)] == [
            "jobs",
            "job-updates",
            "probe",
        ]


def test_entries_go_also_without_a_certificate(server: ApiServer, namespace: str) -> None:
    """They would reject Jobs from then on, and no binding is left that a pass could look at."""
    with running_webhook(server, namespace):
        server.create(binding(JOB), namespace)
        server.create(binding(DEPLOYMENT, "others"), namespace)
        ready(server, namespace)
        ready(server, namespace, "others")
    with running_controller(server, namespace):
        wait_gone(server, namespace)
        assert [entry["name"].partition(".")[0] for entry in webhook_entries(server)] == ["others", "probe"]
        wait_gone(server, namespace, "others")
        assert webhook_entries(server) == []

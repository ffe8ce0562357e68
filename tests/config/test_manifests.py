"""The manifests (config/, triggers/, func.yaml) agree with each other, with `kn func`, and with the encoder."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from functions.display.settings import DisplaySettings
from pipeline import settings
from tests.support.image import image_files
from tests.support.manifests import ROOT, Object, container, environment, event_types, identity, objects_in, rendered
from tests.support.producible import can_be_produced

EVERYTHING = objects_in("config", "triggers")
SERVICES = [content for content in EVERYTHING if content["kind"] == "Service"]
ALL_SERVICES = [*SERVICES, *(content for content in objects_in("config/reactions") if content["kind"] == "Service")]
TRIGGERS = [content for content in EVERYTHING if content["kind"] == "Trigger"]
FUNC: Object = yaml.safe_load((ROOT / "func.yaml").read_text())


def only(kind: str, name: str) -> Object:
    """Return the one object of that kind and name."""
    (content,) = (content for content in EVERYTHING if identity(content) == f"{kind} {name}")
    return content


# ── all of it ──


def test_kustomize_renders_the_files_and_sets_the_image() -> None:
    (image,) = yaml.safe_load((ROOT / "config/image/kustomization.yaml").read_text())["images"]

    objects = {identity(content): content for content in rendered(ROOT / "config")}
    for service in (content for content in objects.values() if content["kind"] == "Service"):
        (its,) = service["spec"]["template"]["spec"]["containers"]
        assert its["image"] == f"{image['newName']}:{image['newTag']}"
        its["image"] = image["name"]

    assert objects == {identity(content): content for content in EVERYTHING}


@pytest.mark.parametrize("folder", ["config", "triggers"])
def test_kustomize_takes_every_file_in_the_order_of_names(folder: str) -> None:
    resources = yaml.safe_load((ROOT / folder / "kustomization.yaml").read_text())["resources"]

    files = sorted(file.name for file in (ROOT / folder).glob("*.yaml") if file.name != "kustomization.yaml")

    assert [path for path in resources if path.endswith(".yaml")] == files


@pytest.mark.parametrize("content", EVERYTHING, ids=identity)
def test_every_object_is_labelled_and_in_the_namespace(content: Object) -> None:
    metadata = content["metadata"]

    assert {"app.kubernetes.io/name", "app.kubernetes.io/part-of", "app.kubernetes.io/component"} <= set(
        metadata["labels"]
    )
    if content["kind"] != "Namespace":
        assert metadata["namespace"] == only("Namespace", "vcenter-events")["metadata"]["name"]


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_templates_hold_nothing_that_applying_again_would_reset(kind: str) -> None:
    holding = [
        identity(content)
        for content in EVERYTHING
        if content["kind"] == kind and {"data", "stringData"} & content.keys()
    ]

    assert holding == []


# ── Knative Services ──


@pytest.mark.parametrize("service", SERVICES, ids=identity)
def test_each_service_is_restricted_probed_and_limited(service: Object) -> None:
    its = container(service)

    assert its["image"] == "vcenter-events"
    assert its["securityContext"] == {
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert its["readinessProbe"]["httpGet"]["path"] == "/health/readiness"
    assert its["livenessProbe"]["httpGet"]["path"] == "/health/liveness"
    for bound in ("requests", "limits"):
        assert its["resources"][bound].keys() == {"cpu", "memory"}


@pytest.mark.parametrize("service", SERVICES, ids=identity)
def test_every_service_names_a_function_that_exists(service: Object) -> None:
    name = environment(container(service)["env"])["FUNCTION"]

    assert (ROOT / "functions" / f"{name}.py").exists() or (ROOT / "functions" / name / "__init__.py").exists()


@pytest.mark.parametrize("service", SERVICES, ids=identity)
def test_only_services_of_exactly_one_pod_skip_the_activator(service: Object) -> None:
    annotations = service["spec"]["template"]["metadata"]["annotations"]
    scale = [annotations[f"autoscaling.knative.dev/{bound}-scale"] for bound in ("min", "max")]

    assert annotations.get("autoscaling.knative.dev/target-burst-capacity") == ("0" if scale == ["1", "1"] else None)


@pytest.mark.parametrize("service", ALL_SERVICES, ids=identity)
def test_only_the_poller_has_a_token_of_the_api_server(service: Object) -> None:
    spec = service["spec"]["template"]["spec"]

    assert ("serviceAccountName" in spec) == (identity(service) == "Service vcenter-poller")
    assert spec.get("automountServiceAccountToken", True) == ("serviceAccountName" in spec)


def test_the_poller_has_a_dead_letter_sink_that_exists() -> None:
    address = environment(container(only("Service", "vcenter-poller"))["env"])["DEAD_LETTER_SINK"]

    assert urlsplit(address).hostname == "deadletter.vcenter-events.svc.cluster.local"
    assert only("Service", "deadletter")


@pytest.mark.parametrize("service", ALL_SERVICES, ids=identity)
def test_no_service_is_public(service: Object) -> None:
    assert service["metadata"]["labels"]["networking.knative.dev/visibility"] == "cluster-local"


def test_the_role_allows_the_checkpoint_and_nothing_else() -> None:
    poller = only("Service", "vcenter-poller")
    store, _, name = environment(container(poller)["env"])["CHECKPOINT"].partition(":")

    assert store == "configmap"
    assert only("ConfigMap", name)
    assert only("Role", "vcenter-poller")["rules"] == [
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [name], "verbs": ["get", "update", "patch"]}
    ]
    assert (
        only("RoleBinding", "vcenter-poller")["subjects"][0]["name"]
        == (poller["spec"]["template"]["spec"]["serviceAccountName"])
    )


def test_streams_of_the_display_end_before_knative_cuts_them() -> None:
    display = only("Service", "display")
    values = settings.read(DisplaySettings, environment(container(display)["env"]))

    assert values.stream_seconds < display["spec"]["template"]["spec"]["timeoutSeconds"]


def test_the_follow_outlasts_the_pause_between_ticks() -> None:
    every = re.fullmatch(r"\*/(\d+)( \*){5}", only("PingSource", "vcenter-poller")["spec"]["schedule"])

    assert every
    assert float(environment(container(only("Service", "vcenter-poller"))["env"])["FOLLOW_SECONDS"]) > int(every[1])


# ── Triggers ──


def test_every_trigger_has_a_file_named_after_its_subscriber() -> None:
    for trigger in TRIGGERS:
        name = trigger["metadata"]["name"]
        (in_file,) = yaml.safe_load_all((ROOT / "triggers" / f"{name}.yaml").read_text())
        assert in_file == trigger
        assert trigger["spec"]["subscriber"]["ref"]["name"] == name
        assert only("Service", name)
        assert only("Broker", trigger["spec"]["broker"])


def test_no_service_has_two_triggers() -> None:
    """The Broker handles each event once per Trigger, whether or not its filter selects the event."""
    every = [*TRIGGERS, *(manifest for manifest in objects_in("triggers/reactions") if manifest["kind"] == "Trigger")]
    subscribers = [trigger["spec"]["subscriber"]["ref"]["name"] for trigger in every]

    assert sorted(set(subscribers)) == sorted(subscribers)


def test_notify_gets_the_replies_of_reactions_for_people() -> None:
    trigger_filter = only("Trigger", "notify")["spec"]["filters"]
    prefixes = [name for name in event_types(trigger_filter) if name.startswith("dev.vcenter-events.")]

    assert prefixes == [f"dev.vcenter-events.{name}." for name in ("failover", "capacity", "preempt", "maintenance")]


@pytest.mark.parametrize("trigger", TRIGGERS, ids=identity)
def test_every_trigger_selects_a_type_that_the_encoder_produces(trigger: Object) -> None:
    expected = [event_type for field in ("filter", "filters") for event_type in event_types(trigger["spec"].get(field))]

    of_vcenter = [event_type for event_type in expected if not event_type.startswith("dev.vcenter-events.")]
    assert [event_type for event_type in of_vcenter if not can_be_produced(event_type)] == []


@pytest.mark.parametrize(
    "event_type",
    [
        "com.vmware.vsphere.VmPoweredDownEvent.v0",  # no such class
        "com.vmware.vsphere.VmEventArgument.v0",  # a class, and no event
        "com.vmware.vsphere.vmPoweredOffEvent.v0",
        "com.vmware.vsphere.VmPoweredOffEvent",
        "VmPoweredOffEvent",
    ],
)
def test_a_misspelled_type_is_noticed(event_type: str) -> None:
    assert not can_be_produced(event_type)


# ── func.yaml ──

ENV = [{"name": str, "value": str}]
RESOURCES = {"cpu": str, "memory": str}
KN_FUNC = {
    "specVersion": str, "name": str, "domain": str, "runtime": str, "registry": str, "image": str, "namespace": str,
    "created": object, "invoke": str,
    "build": {
        "git": {"url": str, "revision": str, "contextDir": str}, "builder": str, "buildpacks": [str], "pvcSize": str,
        "builderImages": {"pack": str, "s2i": str}, "buildEnvs": ENV, "remoteStorageClass": str,
    },
    "run": {
        "volumes": [{"secret": str, "configMap": str, "path": str}], "envs": ENV, "startTimeout": int,
    },
    "deploy": {
        "namespace": str, "image": str, "annotations": dict, "labels": [{"key": str, "value": str}],
        "healthEndpoints": {"liveness": str, "readiness": str}, "serviceAccountName": str,
        "subscriptions": [{"source": str, "filters": dict}],
        "options": {
            "scale": {"min": int, "max": int, "metric": str, "target": float, "utilization": float},
            "resources": {"requests": RESOURCES, "limits": {**RESOURCES, "concurrency": int}},
        },
    },
}  # fmt: skip
"""The fields of func.yaml and their types at specVersion 0.36.0 (knative/func, schema/func_yaml-schema.json)."""


def faults(value: object, schema: Any, path: str = "func.yaml") -> Iterator[str]:
    if isinstance(schema, dict) and isinstance(value, dict):
        for key, entry in value.items():
            if key in schema:
                yield from faults(entry, schema[key], f"{path}.{key}")
            else:
                yield f"{path}.{key} is not a field of kn func"
    elif isinstance(schema, list) and isinstance(value, list):
        for index, entry in enumerate(value):
            yield from faults(entry, schema[0], f"{path}[{index}]")
    elif not isinstance(schema, type) or not isinstance(value, schema):
        yield f"{path} is {value!r}"


def test_func_yaml_has_only_fields_that_kn_func_knows() -> None:
    assert list(faults(FUNC, KN_FUNC)) == []
    assert FUNC["specVersion"] == "0.36.0"
    assert FUNC["created"]


def test_func_yaml_deploys_the_same_poller_as_the_manifests() -> None:
    poller = only("Service", "vcenter-poller")
    spec = poller["spec"]["template"]["spec"]
    annotations = poller["spec"]["template"]["metadata"]["annotations"]
    its = container(poller)
    deploy, run = FUNC["deploy"], FUNC["run"]

    assert (FUNC["name"], FUNC["namespace"]) == (poller["metadata"]["name"], poller["metadata"]["namespace"])
    assert environment(run["envs"]) == environment(its["env"])
    assert [(entry.get("configMap"), entry.get("secret"), entry["path"]) for entry in run["volumes"]] == [
        (volume.get("configMap", {}).get("name"), volume.get("secret", {}).get("secretName"), mount["mountPath"])
        for volume in spec["volumes"]
        for mount in its["volumeMounts"]
        if "emptyDir" not in volume and volume["name"] == mount["name"]
    ]
    assert deploy["serviceAccountName"] == spec["serviceAccountName"]
    assert deploy["options"]["resources"] == its["resources"]
    assert deploy["options"]["scale"] == {
        bound: int(annotations[f"autoscaling.knative.dev/{bound}-scale"]) for bound in ("min", "max")
    }
    assert "annotations" not in deploy  # func puts them on the Service, too, where Serving rejects those of autoscaling
    assert {entry["key"]: entry["value"] for entry in deploy["labels"]} == poller["metadata"]["labels"]
    assert deploy["healthEndpoints"] == {
        probe: its[f"{probe}Probe"]["httpGet"]["path"] for probe in ("liveness", "readiness")
    }


def test_kn_func_takes_it_for_a_function_of_parliament() -> None:
    """By an import in a file at the top (func 0.50.1, pkg/functions/legacy_parliament.go). Otherwise it adds a
    server."""
    sources = [file.read_text() for file in ROOT.glob("*.py")]

    assert any(re.search(r"(?m)^[ \t]*(from|import)[ \t]+parliament\b", source) for source in sources)
    # Its s2i builder's own image, ubi8/python-311, would be replaced by one of Python 3.9.
    assert FUNC["build"]["builderImages"]["s2i"].startswith("registry.access.redhat.com/ubi9/")


def test_middleware_passes_on_whole_requests() -> None:
    assert FUNC["invoke"] == "http"  # pages and APIs are not events


@pytest.mark.parametrize(
    ("file", "line"), [("Procfile", "web: exec python launcher.py"), ("app.sh", "exec python launcher.py")]
)
def test_either_builder_starts_the_launcher(file: str, line: str) -> None:
    assert line in (ROOT / file).read_text().splitlines()
    assert (ROOT / "launcher.py").exists()


def test_the_image_lacks_nothing_that_it_imports() -> None:
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    started = {"func.py", "launcher.py", "requirements.txt", "Procfile", "app.sh", "pyproject.toml", "func.yaml"}

    assert {*started, *package["packages"]} <= set(image_files())
    assert not {".git", ".venv", ".cache", "docs", "tests", "config", "README.md"} & set(image_files())


def test_tar_leaves_out_what_the_builders_leave_out() -> None:
    tracked = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
    exclude = ["tar", "-t", "--exclude-from", ".funcignore"]
    names = subprocess.run(exclude, cwd=ROOT, check=True, capture_output=True, input=tracked).stdout.decode().split()

    assert {name.partition("/")[0] for name in names} <= set(image_files())
    assert "functions/display/static/index.html" in names

"""The manifests of config/sources agree with each other, with the predecessor's names, and with the code."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from cluster.resources import Resource
from functions.controller.settings import ControllerSettings
from pipeline import settings
from sources import kinds
from tests.support.manifests import ROOT, Object, container, environment, identity, objects_in, rendered

OBJECTS = objects_in("config/sources", "config/sources/010-crds")
CRDS = {content["spec"]["names"]["kind"]: content for content in OBJECTS if content["kind"].endswith("Definition")}
CLUSTER_WIDE = (
    "Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "MutatingWebhookConfiguration",
    "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
)  # fmt: skip


def only(kind: str, name: str) -> Object:
    """Return the one object of that kind and name."""
    (content,) = (content for content in OBJECTS if identity(content) == f"{kind} {name}")
    return content


def spec_schema(kind: str) -> Any:
    """Return the schema of the spec of *kind*."""
    return CRDS[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]


def without_transitions(schema: Any) -> Any:
    """Return *schema* without descriptions and without the rules of fields that may not change."""
    if isinstance(schema, list):
        return [without_transitions(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    content = {name: without_transitions(entry) for name, entry in schema.items() if not _is_text(name, entry)}
    rules = [rule for rule in content.pop("x-kubernetes-validations", []) if "oldSelf" not in rule["rule"]]
    return {**content, "x-kubernetes-validations": rules} if rules else content


def _is_text(name: str, entry: object) -> bool:
    return name == "description" and isinstance(entry, str)


# ── all of it ──


def test_kustomize_sets_the_image_of_controller_and_adapters() -> None:
    (image,) = yaml.safe_load((ROOT / "config/image/kustomization.yaml").read_text())["images"]

    objects = {identity(content): content for content in rendered(ROOT / "config/sources")}
    its = container(objects["Deployment vsphere-source-webhook"])

    assert its["image"] == f"{image['newName']}:{image['newTag']}"
    assert environment(its["env"])["ADAPTER_IMAGE"] == its["image"]
    assert objects.keys() == {identity(content) for content in OBJECTS}


def test_kustomize_takes_every_file_in_the_order_of_names() -> None:
    folder = ROOT / "config/sources"
    files = sorted(str(file.relative_to(folder)) for file in folder.rglob("*.yaml"))

    resources = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]

    assert resources == [file for file in files if file != "kustomization.yaml"]


@pytest.mark.parametrize("content", OBJECTS, ids=identity)
def test_object_is_labelled_and_in_the_predecessors_namespace(content: Object) -> None:
    metadata = content["metadata"]

    assert {"app.kubernetes.io/name", "app.kubernetes.io/part-of", "app.kubernetes.io/component"} <= set(
        metadata["labels"]
    )
    assert metadata.get("namespace") == (None if content["kind"] in CLUSTER_WIDE else "vmware-sources")


@pytest.mark.parametrize("identity", ["ConfigMap config-logging", "Secret vsphere-webhook-certs"])
def test_template_holds_nothing_that_applying_again_would_reset(identity: str) -> None:
    content = only(*identity.split())

    assert not content.keys() & {"data", "stringData"}


def test_webhook_has_no_entries_that_applying_again_would_remove() -> None:
    name = "vspherebindings.webhook.vsphere.sources.tanzu.vmware.com"

    assert "webhooks" not in only("MutatingWebhookConfiguration", name)


# ── the controller ──


def test_controller_is_restricted_probed_and_limited() -> None:
    its = container(only("Deployment", "vsphere-source-webhook"))

    assert its["securityContext"] == {
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for probe in ("readiness", "liveness"):
        assert its[f"{probe}Probe"]["httpGet"] == {"path": f"/health/{probe}", "port": "http", "scheme": "HTTP"}
    for bound in ("requests", "limits"):
        assert its["resources"][bound].keys() == {"cpu", "memory"}


def test_controller_has_the_predecessors_names() -> None:
    deployment = only("Deployment", "vsphere-source-webhook")

    assert deployment["spec"]["selector"]["matchLabels"] == {
        "app": "vsphere-source-webhook",
        "role": "vsphere-source-webhook",
    }
    assert container(deployment)["name"] == "vsphere-source-webhook"
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == "vsphere-controller"
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_controller_accepts_its_environment() -> None:
    variables = environment(container(only("Deployment", "vsphere-source-webhook"))["env"])

    values = settings.read(ControllerSettings, variables)

    assert variables["FUNCTION"] == "controller"
    assert values.admission.secret == only("Secret", "vsphere-webhook-certs")["metadata"]["name"]
    (rule,) = (rule for rule in only("Role", "vsphere-controller")["rules"] if "update" in rule["verbs"] and
               rule["resources"] == ["leases"])  # fmt: skip
    assert rule["resourceNames"] == [values.lease]


def test_webhook_is_reached_through_the_service() -> None:
    deployment = only("Deployment", "vsphere-source-webhook")
    service = only("Service", "vsphere-source-webhook")
    (port,) = service["spec"]["ports"]
    ports = {entry["name"]: entry["containerPort"] for entry in container(deployment)["ports"]}
    values = settings.read(ControllerSettings, environment(container(deployment)["env"]))

    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert port["port"] == 443
    assert ports[port["targetPort"]] == values.admission.port


# ── the kinds ──


@pytest.mark.parametrize(
    ("kind", "resource", "short", "categories"),
    [
        ("VSphereSource", kinds.VSPHERE_SOURCES, "vss", "all knative vsphere sources"),
        ("VSphereBinding", kinds.VSPHERE_BINDINGS, "vsb", "all knative vsphere"),
        ("HorizonSource", kinds.HORIZON_SOURCES, "hs", "all knative eventing horizon sources"),
    ],
)
def test_kind_has_the_predecessors_names(kind: str, resource: Resource, short: str, categories: str) -> None:
    crd = CRDS[kind]
    names = crd["spec"]["names"]

    assert crd["metadata"]["name"] == f"{resource.plural}.{resource.group}"
    assert names["plural"] == resource.plural
    assert names["singular"] == kind.lower()
    assert names["shortNames"] == [short]
    assert names["categories"] == categories.split()
    assert crd["spec"]["scope"] == "Namespaced"
    (version,) = crd["spec"]["versions"]
    assert (version["name"], version["served"], version["storage"]) == (resource.version, True, True)
    assert version["subresources"] == {"status": {}}


@pytest.mark.parametrize("kind", CRDS)
def test_no_list_of_rules_has_a_rule_twice(kind: str) -> None:
    """A server-side apply merges them by the rule."""

    def lists(schema: Any) -> Iterator[list[str]]:
        if isinstance(schema, dict):
            yield [rule["rule"] for rule in schema.get("x-kubernetes-validations", [])]
        for entry in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
            yield from lists(entry)

    assert [rules for rules in lists(CRDS[kind]) if len(rules) != len(set(rules))] == []


def test_only_sources_have_the_labels_of_sources() -> None:
    labelled = {
        kind for kind, crd in CRDS.items() if crd["metadata"]["labels"].get("duck.knative.dev/source") == "true"
    }

    assert labelled == {"VSphereSource", "HorizonSource"}
    assert all(crd["metadata"]["labels"]["knative.dev/crd-install"] == "true" for crd in CRDS.values())


@pytest.mark.parametrize("field", ["sink", "ceOverrides", "caBundle", "resources", "nodeSelector", "tolerations"])
def test_both_sources_have_the_same_schema_of(field: str) -> None:
    vsphere, horizon = (spec_schema(kind)["properties"][field] for kind in ("VSphereSource", "HorizonSource"))

    assert without_transitions(vsphere) == without_transitions(horizon)


@pytest.mark.parametrize("field", ["address", "skipTLSVerify", "secretRef"])
def test_all_kinds_have_the_same_schema_of(field: str) -> None:
    schemas = [without_transitions(spec_schema(kind)["properties"][field]) for kind in CRDS]

    assert schemas == [schemas[0]] * 3


@pytest.mark.parametrize("kind", CRDS)
def test_status_keeps_unknown_fields(kind: str) -> None:
    status = CRDS[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]

    assert status["x-kubernetes-preserve-unknown-fields"] is True

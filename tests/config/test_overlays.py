"""Overlays and samples, rendered as `kubectl apply -k` renders them, meet the same rules as config/."""

from collections.abc import Iterator

import pytest
import yaml

from tests.support.manifests import ROOT, Object, rendered

OVERLAYS = sorted(folder.name for folder in (ROOT / "overlays").iterdir())
OF_SOURCES = ("admission-policy", "sources-namespaced")
"""The overlays of config/sources, whose namespace is another one and whose kinds belong to the whole cluster."""
SAMPLES = sorted(file.name for file in (ROOT / "config/samples").glob("*.yaml"))
LABELS = {"app.kubernetes.io/name", "app.kubernetes.io/part-of", "app.kubernetes.io/component"}


def objects_of(folder: str) -> dict[tuple[str, str], Object]:
    """Return the objects that `kubectl apply -k` applies, by kind and name."""
    return {(content["kind"], content["metadata"]["name"]): content for content in rendered(ROOT / folder)}


def containers(objects: dict[tuple[str, str], Object]) -> Iterator[Object]:
    """Yield every container of a Service or Deployment."""
    for content in objects.values():
        yield from content.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_is_labelled_and_in_the_namespace(overlay: str) -> None:
    for (kind, _), content in objects_of(f"overlays/{overlay}").items():
        assert set(content["metadata"]["labels"]) >= LABELS
        if overlay in OF_SOURCES:
            assert content["metadata"].get("namespace") in (None, "vmware-sources", "team-a")
        else:
            assert kind == "Namespace" or content["metadata"]["namespace"] == "vcenter-events"


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_sample_is_labelled_and_explained(sample: str) -> None:
    text = (ROOT / "config/samples" / sample).read_text()

    assert text.startswith("# ")
    assert f"`{sample}`" in (ROOT / "docs/how-to/wiring.md").read_text()
    for content in yaml.safe_load_all(text):
        assert set(content["metadata"]["labels"]) >= LABELS


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_container_is_restricted_probed_and_limited(overlay: str) -> None:
    for container in containers(objects_of(f"overlays/{overlay}")):
        security = {name: value for name, value in container["securityContext"].items() if name != "runAsUser"}
        assert security == {
            "runAsNonRoot": True,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert {"readinessProbe", "livenessProbe"} <= container.keys()
        assert all(container["resources"][bound].keys() == {"cpu", "memory"} for bound in ("requests", "limits"))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_image_is_set_in_one_place(overlay: str) -> None:
    [base] = yaml.safe_load((ROOT / "config/image/kustomization.yaml").read_text())["images"]

    images = {container["image"] for container in containers(objects_of(f"overlays/{overlay}"))}

    assert {image for image in images if "vcsim" not in image} == {f"{base['newName']}:{base['newTag']}"}


def test_the_deployment_is_the_poller_that_always_follows() -> None:
    service = objects_of("config")["Service", "vcenter-poller"]["spec"]["template"]["spec"]
    objects = objects_of("overlays/deployment")
    deployment = objects["Deployment", "vcenter-poller"]["spec"]["template"]["spec"]

    [expected], [container] = service.pop("containers"), deployment.pop("containers")
    for variable in expected["env"]:
        if variable["name"] == "FOLLOW_SECONDS":
            variable["value"] = "always"
    for probe in ("readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"].pop("port") == "http"
    assert (container.pop("name"), container.pop("ports")) == ("poller", [{"containerPort": 8080, "name": "http"}])
    assert (container, deployment) == (expected, service)
    assert objects["SinkBinding", "vcenter-poller"]["spec"]["subject"]["kind"] == "Deployment"
    assert ("Service", "vcenter-poller") not in objects
    assert ("PingSource", "vcenter-poller") not in objects


def test_the_display_as_a_deployment_is_the_usual_one() -> None:
    service = objects_of("config")["Service", "display"]["spec"]["template"]["spec"]
    objects = objects_of("overlays/display-deployment")
    deployment = objects["Deployment", "display"]["spec"]["template"]["spec"]

    [expected], [container] = service.pop("containers"), deployment.pop("containers")
    for probe in ("readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"].pop("port") == "http"
    assert (container.pop("name"), container.pop("ports")) == ("display", [{"containerPort": 8080, "name": "http"}])
    assert service.pop("timeoutSeconds")
    assert deployment.pop("enableServiceLinks") is False
    assert (container, deployment) == (expected, service)
    assert objects["Service", "display"]["apiVersion"] == "v1"
    reference = {"apiVersion": "v1", "kind": "Service", "name": "display", "namespace": "vcenter-events"}
    assert objects["Trigger", "display"]["spec"]["subscriber"]["ref"] == reference


def test_kafka_changes_the_broker_and_disables_resending() -> None:
    base, kafka = objects_of("config"), objects_of("overlays/kafka")

    changed = {name for name in kafka if kafka[name] != base[name]}
    assert changed == {("Broker", "default"), ("Service", "vcenter-poller")}
    [poller], [usual] = (
        objects["Service", "vcenter-poller"]["spec"]["template"]["spec"]["containers"] for objects in (kafka, base)
    )
    assert [variable for variable in poller["env"] if variable not in usual["env"]] == [
        {"name": "SINK_RESEND", "value": "0"}
    ]
    broker = kafka["Broker", "default"]
    assert broker["metadata"]["annotations"] == {"eventing.knative.dev/broker.class": "Kafka"}
    assert broker["spec"]["config"]["name"] == "kafka-broker-config"
    assert broker["spec"]["delivery"] == {**base["Broker", "default"]["spec"]["delivery"], "retry": 9}

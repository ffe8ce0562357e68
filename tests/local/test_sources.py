"""VSphereSource, VSphereBinding and HorizonSource without a cluster: the controller's environment, real events."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from demo.vcsim import VCSim
from local.engine import Engine
from local.environment import Service, environment
from local.kinds.vsphere_source import VSphereSource
from local.manifests import ManifestError, load
from local.objects import Name
from sources import vspheresource
from tests.support.administrator import Administrator
from tests.support.client import get_json
from tests.support.corpus import MANIFESTS, placed
from tests.support.horizon import DOMAIN, PASSWORD, USERNAME, HorizonServer, event
from tests.support.kinds import horizon_source, vsphere_binding, vsphere_source
from tests.support.recorder import Recorder
from tests.support.waiting import wait_until

Write = Callable[..., Path]

ADAPTER = Name("default", "vcsa-source-adapter")
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "vsphere-credentials"},
    "stringData": {"username": "reader", "password": "secret word"},
}
HORIZON_SECRET = {
    **SECRET,
    "metadata": {"name": "horizon-credentials"},
    "stringData": {"domain": "example", "username": "reader", "password": "secret word"},
}
BROKER = {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "metadata": {"name": "inmem-broker"}}
URI = {"uri": "http://sink.example"}
SOURCE = placed(MANIFESTS["the issue's source"], "default")


def function(name: str, **labels: str) -> dict[str, Any]:
    """Return a Knative Service of the project's image."""
    container = {"image": "vcenter-events", "env": [{"name": "A", "value": "b"}]}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": labels},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def written(manifest: Write, *objects: dict[str, Any]) -> Path:
    """Write *objects* into one file."""
    return manifest(yaml.safe_dump_all(objects))


def errors(path: Path) -> str:
    with pytest.raises(ManifestError) as rejection:
        load([path])
    return "\n".join(rejection.value.errors)


def process_environment(path: Path, name: Name, state: Path) -> dict[str, str]:
    """Return the environment of the process of a service or adapter, as far as manifests say it."""
    objects = load([path])
    return environment(objects.of(Service)[name], objects, state, {}, {})


# ── what is read ──


def test_source_runs_the_poller_that_the_controller_deploys(manifest: Write, tmp_path: Path) -> None:
    path = written(manifest, SECRET, BROKER, SOURCE)

    values = process_environment(path, ADAPTER, tmp_path / "state")

    deployed = vspheresource.environment(SOURCE, "http://sink.invalid")
    assert {**deployed, "CHECKPOINT": values["CHECKPOINT"]}.items() <= values.items()
    assert values["CHECKPOINT"].endswith("configmaps/default/vcsa-source-configmap.json")
    assert (values["VC_URL"], values["VC_INSECURE"]) == ("https://vcenter.corp.local", "true")
    assert (values["VC_USERNAME"], values["VC_PASSWORD"]) == ("reader", "secret word")
    assert (Path(values["VC_SECRET_PATH"]) / "username").read_text() == "reader"


def test_ca_bundle_is_one_file(manifest: Write, tmp_path: Path) -> None:
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca"}, "data": {"ca": "PEM", "b": "x"}}
    source = vsphere_source("vcsa-source", caBundle={"configMapKeyRef": {"name": "ca", "key": "ca"}}, sink=URI)
    path = written(manifest, SECRET, config_map, source)

    file = Path(process_environment(path, ADAPTER, tmp_path / "state")["VC_CA_BUNDLE"])

    assert file.read_text() == "PEM"
    assert [entry.name for entry in file.parent.iterdir()] == ["ca.pem"]


def test_horizon_source_runs_its_adapter(manifest: Write, tmp_path: Path) -> None:
    source = horizon_source("horizon", secretRef={"name": "horizon-credentials"}, sink=URI)
    path = written(manifest, HORIZON_SECRET, source)

    values = process_environment(path, Name("default", "horizon-adapter"), tmp_path / "state")

    assert (values["FUNCTION"], values["HORIZON_URL"]) == ("horizon", "https://vcenter.example")
    assert (Path(values["HORIZON_SECRET_PATH"]) / "domain").read_text() == "example"


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param({"name": "tagger"}, id="by name"),
        pytest.param({"selector": {"matchLabels": {"role": "vsphere-fn"}}}, id="by label"),
        pytest.param({"selector": {}}, id="all"),
    ],
)
def test_binding_gives_a_service_the_login(manifest: Write, tmp_path: Path, subject: dict[str, Any]) -> None:
    binding = vsphere_binding(subject={"apiVersion": "serving.knative.dev/v1", "kind": "Service", **subject})
    path = written(manifest, SECRET, binding, function("tagger", role="vsphere-fn"))

    values = process_environment(path, Name("default", "tagger"), tmp_path / "state")

    assert values["A"] == "b"
    assert (values["VC_URL"], values["VC_INSECURE"]) == ("https://vcenter.example", "false")
    assert (values["VC_USERNAME"], values["VC_PASSWORD"]) == ("reader", "secret word")


def test_binding_leaves_other_services_alone(manifest: Write, tmp_path: Path) -> None:
    selector = {"selector": {"matchLabels": {"role": "vsphere-fn"}}}
    binding = vsphere_binding(subject={"apiVersion": "serving.knative.dev/v1", "kind": "Service", **selector})
    path = written(manifest, SECRET, binding, function("display", role="page"))

    assert "VC_URL" not in process_environment(path, Name("default", "display"), tmp_path / "state")


def test_first_of_two_bindings_wins(manifest: Write, tmp_path: Path) -> None:
    subject = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "selector": {}}
    first, second = (
        vsphere_binding(name, address=f"https://{name}.example", subject=subject) for name in ("z-first", "a-second")
    )
    path = written(manifest, SECRET, first, second, function("tagger"))

    values = process_environment(path, Name("default", "tagger"), tmp_path / "state")

    assert values["VC_URL"] == "https://z-first.example"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        pytest.param(vsphere_source(address="vcenter"), "spec.address: is not an http(s) URL", id="address"),
        pytest.param(vsphere_source(secretRef={}), "spec.secretRef.name: is missing", id="no Secret"),
        pytest.param(vsphere_source(sink={}), "spec.sink: has neither a ref nor an absolute http(s) uri", id="no sink"),
        pytest.param(vsphere_source(sink=URI), "there is no Secret default/vsphere-credentials", id="missing Secret"),
        pytest.param(vsphere_source(), "spec.sink: there is no Broker default/default", id="missing Broker"),
        pytest.param(
            vsphere_source(payloadEncoding="text"),
            "payloadEncoding: is not application/json or application/xml",
            id="encoding",
        ),
        pytest.param(
            vsphere_source(checkpointConfig={"maxAgeSeconds": -1}), "maxAgeSeconds: is -1, not a whole number", id="age"
        ),
        pytest.param(vsphere_source(foo=1), "spec.foo: local does not support this field", id="unknown field"),
        pytest.param(vsphere_source(caBundle={}), "must have exactly one of configMapKeyRef and secretKeyRef", id="ca"),
        pytest.param(horizon_source(address=None), "spec.address: is not an http(s) URL with a host", id="horizon"),
        pytest.param(
            vsphere_binding(subject={"apiVersion": "batch/v1", "kind": "Job", "selector": {}}),
            "spec.subject: local binds only a Knative Service",
            id="a Job",
        ),
        pytest.param(
            vsphere_binding(subject={"apiVersion": "serving.knative.dev/v1", "kind": "Service"}),
            "spec.subject: must have exactly one of name and selector",
            id="neither",
        ),
        pytest.param(vsphere_binding(), "spec.subject: there is no Service default/typo-bot", id="missing subject"),
    ],
)
def test_unusable_object_is_rejected(manifest: Write, content: dict[str, Any], error: str) -> None:
    assert error in errors(written(manifest, content))


# ── what runs ──


def test_sink_of_a_source_is_the_local_address(manifest: Write, project: Path, tmp_path: Path) -> None:
    path = written(manifest, SECRET, BROKER, SOURCE)

    with Engine([path], tmp_path / "state", root=project) as engine:
        engine.start()
        (source,) = load([path]).of(VSphereSource).values()
        environ = get_json(engine.url(source.adapter.name.name))["environ"]

    assert environ["K_SINK"].startswith("http://127.0.0.1:")
    assert environ["K_SINK"].endswith("/default/inmem-broker")


def test_events_of_a_vcenter_arrive_at_the_sink(
    manifest: Write, tmp_path: Path, vcsim: VCSim, subscriber: Callable[..., Recorder]
) -> None:
    recorder = subscriber()
    login = {**SECRET, "stringData": {"username": vcsim.username, "password": vcsim.password}}
    source = vsphere_source(
        "vcsa-source",
        address=vcsim.url.removesuffix("/sdk"),
        skipTLSVerify=True,
        sink={"uri": recorder.url},
        payloadEncoding="application/json",
        ceOverrides={"extensions": {"site": "laptop"}},
    )

    with Engine([written(manifest, login, source)], tmp_path / "state") as engine:
        engine.start()
        with Administrator(vcsim.port) as administrator:
            administrator.post("seen through a manifest")
            key = administrator.newest_key
        wait_until(lambda: key in recorder.ids, 30, "the event arrives")

    (event,) = (request.attributes for request in recorder.accepted if int(request.id) == key)
    assert event["type"] == "com.vmware.vsphere.GeneralUserEvent.v0"
    assert event["site"] == "laptop"


def test_events_of_a_horizon_server_arrive_at_the_sink(
    manifest: Write, tmp_path: Path, subscriber: Callable[..., Recorder]
) -> None:
    recorder = subscriber()
    login = {**HORIZON_SECRET, "stringData": {"domain": DOMAIN, "username": USERNAME, "password": PASSWORD}}
    with HorizonServer() as server:
        server.add(event(4711, int(time.time() * 1000)))
        source = horizon_source(
            "horizon", address=server.url, secretRef={"name": "horizon-credentials"}, sink={"uri": recorder.url}
        )

        with Engine([written(manifest, login, source)], tmp_path / "state") as engine:
            engine.start()
            wait_until(lambda: recorder.ids == [4711], 30, "the event arrives")

    (sent,) = (request.attributes for request in recorder.accepted if request.id == "4711")
    assert sent["type"] == "com.vmware.horizon.vlsi_userloggedin.v0"
    assert sent["source"] == server.url

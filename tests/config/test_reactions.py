"""The reactions as they are installed: their manifests, and a chain of them through the local Broker with a vCenter."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from demo.vcsim import VCSim
from local.engine import Engine
from pipeline.settings import read, variables
from runtime.functions import FUNCTIONS
from tests.support.administrator import Administrator
from tests.support.client import get_json, post
from tests.support.manifests import (
    AUTHORIZATION,
    BROKER_WITH_DEAD_LETTERS,
    ROOT,
    Object,
    container,
    environment,
    event_types,
    identity,
    objects_in,
)
from tests.support.producible import can_be_produced
from tests.support.waiting import wait_until
from tools.settings import function_settings, settings_classes
from vsphere.settings import VCenterSettings
from vsphere.tagging import NoSuchTag, Tagging

CONFIG, TRIGGERS = ROOT / "config" / "reactions", ROOT / "triggers" / "reactions"

OWN = sorted(folder for folder in CONFIG.iterdir() if folder.is_dir())
"""The folders that `make reaction` writes."""

OBJECTS = objects_in("config/reactions", *(str(folder.relative_to(ROOT)) for folder in OWN), "triggers/reactions")
SERVICES = [manifest for manifest in OBJECTS if manifest["kind"] == "Service"]
SELECTING = [manifest for manifest in OBJECTS if manifest["kind"] == "Trigger"]


def names(objects: list[Object]) -> set[str]:
    return {manifest["metadata"]["name"] for manifest in objects}


# ── manifests ──


@pytest.mark.parametrize("folder", [CONFIG, *OWN, TRIGGERS], ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_kustomization_lists_every_file_by_name(folder: Path) -> None:
    resources = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]

    files = sorted(file.name for file in folder.glob("*.yaml") if file.name != "kustomization.yaml")
    assert [name for name in resources if name.endswith(".yaml")] == files


def test_every_kustomization_has_its_image_from_one_place() -> None:
    """So that an image of one's own is set once."""
    for folder in (ROOT / "config", ROOT / "config/sources", CONFIG, *OWN):
        kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
        [component] = kustomization["components"]
        assert (folder / component).resolve() == ROOT / "config/image"
        assert "images" not in kustomization


OF_SOURCES = {"controller", "horizon"}
"""Functions that `config/sources` installs or its controller."""


def test_every_function_is_installed_by_one_manifest() -> None:
    installed = [environment(container(manifest)["env"])["FUNCTION"] for manifest in SERVICES]
    base = [
        environment(container(manifest)["env"])["FUNCTION"]
        for manifest in objects_in("config")
        if manifest["kind"] == "Service"
    ]

    assert sorted(installed + base) == sorted(set(FUNCTIONS) - OF_SOURCES)


@pytest.mark.parametrize("manifest", OBJECTS, ids=identity)
def test_every_object_is_labelled_and_in_the_namespace(manifest: Object) -> None:
    metadata = manifest["metadata"]

    assert {"app.kubernetes.io/name", "app.kubernetes.io/part-of", "app.kubernetes.io/component"} <= set(
        metadata["labels"]
    )
    assert metadata["namespace"] == "vcenter-events"
    assert not {"data", "stringData"} & manifest.keys()


@pytest.mark.parametrize("service", SERVICES, ids=identity)
def test_each_reaction_is_restricted_and_scales_to_zero(service: Object) -> None:
    notify = next(manifest for manifest in objects_in("config") if identity(manifest) == "Service notify")
    template, its, model = service["spec"]["template"], container(service), container(notify)

    assert {
        name: its[name] for name in ("image", "readinessProbe", "livenessProbe", "resources", "securityContext")
    } == {name: model[name] for name in ("image", "readinessProbe", "livenessProbe", "resources", "securityContext")}
    assert template["metadata"]["annotations"]["autoscaling.knative.dev/min-scale"] == "0"
    assert service["metadata"]["labels"]["networking.knative.dev/visibility"] == "cluster-local"


@pytest.mark.parametrize("trigger", SELECTING, ids=identity)
def test_every_trigger_has_a_subscriber_and_an_existing_type(trigger: Object) -> None:
    subscriber = trigger["spec"]["subscriber"]["ref"]["name"]
    assert subscriber in names(SERVICES) | {"notify"}

    # An EventEx's type is its eventTypeId, which no schema lists; a prefix is of a reaction's replies.
    selected = event_types(trigger["spec"]["filters"])
    classes = [
        name for name in selected if not name.startswith(("dev.vcenter-events.", "com.vmware.vsphere.com.vmware."))
    ]
    assert [name for name in classes if not can_be_produced(name)] == []


# ── documentation ──


def test_pages_list_every_sample_once_and_existing_settings() -> None:
    page = (ROOT / "docs/how-to/move-from-veba.md").read_text() + (ROOT / "docs/reference/reactions.md").read_text()
    samples = re.findall(r"^\| (kn-\S+) \| .+ \| (.+) \|$", page, re.MULTILINE)
    known = {
        variable.name
        for _, module in function_settings()
        for cls in settings_classes(module)
        for variable in variables(cls)
    }

    assert len(samples) == len({name for name, _ in samples}) == 34
    named = set(
        re.findall(r"\b(?:NOTIFY|WEBHOOK|TAG|ATTRIBUTE|FAILOVER|PREEMPT|DEADLETTER|DISPLAY|VC)_[A-Z_]+\b", page)
    )
    assert named - known == set()
    used = {name for _, here in samples for name in re.findall(r"`(\w+)`", here)}
    assert {name for name in used if name in FUNCTIONS} == {
        *("notify", "capacity", "failover", "maintenance", "tag", "attribute", "preempt", "webhook"),
    }


# ── through a Broker ──

ACCESS = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: vcenter, namespace: vcenter-events}}
data: {{VC_URL: "{url}", VC_INSECURE: "true"}}
---
apiVersion: v1
kind: Secret
metadata: {{name: vcenter-reactions, namespace: vcenter-events}}
stringData: {{username: user, password: pass}}
"""


def tagged(vcsim: VCSim) -> set[tuple[str, str]]:
    """Return the objects with the tag of config/reactions/310-tag.yaml."""
    tagging = Tagging(read(VCenterSettings, vcsim.environ))
    try:
        return tagging.objects_with("lifecycle", "new")
    except NoSuchTag:
        return set()
    finally:
        tagging.close()


def owners(vcsim: VCSim) -> list[list[str]]:
    """The attribute values of every vm."""
    with Administrator(vcsim.port) as administrator:
        return [[attribute.value for attribute in vm.customValue] for vm in administrator.vms]


def created(vcsim: VCSim, vm: str) -> tuple[dict[str, str], bytes]:
    headers = {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "4711",
        "ce-source": vcsim.url,
        "ce-type": "com.vmware.vsphere.VmCreatedEvent.v0",
        "ce-time": "2026-11-20T15:45:13Z",
    }
    data = {"UserName": "alice", "Vm": {"Name": "web-01", "Vm": {"Type": "VirtualMachine", "Value": vm}}}
    return headers, json.dumps(data).encode()


def test_redrive_after_an_outage_reaches_two_reactions(vcsim: VCSim, tmp_path: Path) -> None:
    with Administrator(vcsim.port) as administrator:
        vm = administrator.vms[0]._moId
    plumbing = tmp_path / "plumbing.yaml"
    plumbing.write_text(BROKER_WITH_DEAD_LETTERS + ACCESS.format(url=vcsim.url))
    files = [
        ROOT / "config" / "130-deadletter.yaml",
        *(CONFIG / name for name in ("310-tag.yaml", "320-attribute.yaml")),
        *(TRIGGERS / name for name in ("tag.yaml", "attribute.yaml")),
    ]
    vcsim.stop()

    with Engine([*files, plumbing], tmp_path / "state") as engine:
        engine.start()
        dead_letters = f"{engine.url('deadletter')}/api/dead-letters"
        assert post(engine.broker_url("vcenter-events", "default"), *created(vcsim, vm))[0] == 202

        # Both reactions fail twice, with 503; one event, two dead letters.
        wait_until(lambda: get_json(dead_letters)["counts"]["waiting"] == 2, 20)
        kept: list[dict[str, Any]] = get_json(dead_letters)["deadLetters"]
        assert {dead_letter["code"] for dead_letter in kept} == {503}
        assert all(vcsim.url.removesuffix("/sdk") in dead_letter["response"] for dead_letter in kept)

        vcsim.start()
        status, _ = post(
            f"{dead_letters}/redrive", {"content-type": "application/json", **AUTHORIZATION}, b'{"all": true}'
        )
        assert status == 200
        wait_until(lambda: tagged(vcsim) == {("VirtualMachine", vm)}, 20)
        wait_until(lambda: ["alice", "2026-11-20T15:45:13Z"] in owners(vcsim), 20)
        assert get_json(dead_letters)["counts"] == {"waiting": 0, "redriven": 2, "dropped": 0, "unstored": 0}

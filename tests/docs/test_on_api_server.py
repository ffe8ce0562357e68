"""Commands and manifests of the documentation, on a real API server, in a checkout.

Knative is not there. Its kinds accept everything, and a thread reports that each object is ready, so that what waits
for that goes on. `tests/e2e` runs the most important pages on a real Knative.
"""

import base64
import contextlib
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.test_blocks import YAML
from tests.support import api_server as kubernetes_api
from tests.support.api_server import ApiServer, Rejected
from tests.support.documentation import ROOT, Block, command_with, commands
from tests.support.kinds import vsphere_source

pytestmark = pytest.mark.cluster

NAMESPACE = "vcenter-events"
KNATIVE = {
    "serving.knative.dev/v1": {"Service": ("services", "ksvc"), "Revision": ("revisions", "rev")},
    "eventing.knative.dev/v1": {"Broker": ("brokers", ""), "Trigger": ("triggers", "")},
    "messaging.knative.dev/v1": {"InMemoryChannel": ("inmemorychannels", "imc"), "Subscription": ("subscriptions", "")},
    "sources.knative.dev/v1": {"PingSource": ("pingsources", ""), "SinkBinding": ("sinkbindings", "")},
}
"""API version → kind → plural and short name."""

AWAITED = (
    *((version, kind) for version, kinds in KNATIVE.items() for kind in kinds),
    ("apps/v1", "Deployment"),
)
MARK_SECONDS = 0.5


def definition(version: str, kind: str, plural: str, short: str) -> dict[str, Any]:
    """Return a CustomResourceDefinition that accepts every object."""
    group, _, number = version.partition("/")
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "shortNames": [short] if short else []}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    one = {"name": number, "served": True, "storage": True, "schema": schema, "subresources": {"status": {}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [one]},
    }


def mark_ready(server: ApiServer, ended: threading.Event) -> None:
    """Report each object of `AWAITED` as ready and available, until *ended*."""
    change = {"status": {"conditions": [{"type": name, "status": "True"} for name in ("Ready", "Available")]}}
    while not ended.wait(MARK_SECONDS):
        for version, kind in AWAITED:
            root, _, plural = server.path(
                kubernetes_api.reference(version, kind, ""), "default", named=False
            ).partition("/namespaces/default/")
            with contextlib.suppress(Rejected):  # a kind that is not served yet, or an object that was deleted
                for item in server.request("GET", f"{root}/{plural}")["items"]:
                    if not item.get("status", {}).get("conditions"):
                        metadata = item["metadata"]
                        server.patch(version, kind, metadata["name"], metadata["namespace"], change, "status")


class Page:
    """A checkout, beside a cluster."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        for name in ("config", "triggers", "overlays"):
            shutil.copytree(ROOT / name, folder / name)

    def paste(self, *texts: str) -> str:
        """Run the commands, one block after the other. Return the output of the last one."""
        output = ""
        for text in texts:
            output = self.server.shell(text, self.folder)
        return output

    def data(self, kind: str, name: str) -> dict[str, str]:
        """Return the data of a ConfigMap or a Secret."""
        content = self.server.get("v1", kind, name, NAMESPACE)
        assert content is not None
        data = content.get("data", {})
        return data if kind == "ConfigMap" else {key: base64.b64decode(text).decode() for key, text in data.items()}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """By the commands of the guide, in its order."""
    with kubernetes_api.running() as server:
        definitions = [
            definition(version, kind, plural, short)
            for version, kinds in KNATIVE.items()
            for kind, (plural, short) in kinds.items()
        ]
        server.kubectl("apply", "-f", "-", manifests=definitions)
        server.kubectl("wait", "--for=condition=Established", "--timeout=20s", "crd", "--all")
        server.run_controllers("garbage-collector-controller", "namespace-controller")
        ended = threading.Event()
        marking = threading.Thread(target=mark_ready, args=(server, ended), daemon=True)
        marking.start()
        page = Page(server, tmp_path_factory.mktemp("checkout"))
        guide = "docs/how-to/install.md"
        page.paste(*commands(guide, "1. Install"), *commands(guide, "2. Fill in vCenter"))
        page.paste(command_with("docs/how-to/sources.md", "config/image"))
        page.paste(
            commands(guide, "3. Set the receiver of notifications")[0],
            *commands(guide, "4. Wait until everything is ready"),
        )
        yield page
        ended.set()
        marking.join()


def test_guide_installs(installed: Page) -> None:
    assert installed.data("ConfigMap", "vcenter") == {"VC_URL": "https://vcenter.example/sdk"}
    account = {"username": "events-reader@vsphere.local", "password": "a long password"}
    assert installed.data("Secret", "vcenter-credentials") == account
    assert installed.data("Secret", "notify") == {"NOTIFY_URLS": "ntfy://ntfy.example/vcenter"}
    assert len(installed.data("Secret", "deadletter")["DEADLETTER_TOKEN"]) == 64
    service = installed.server.get("serving.knative.dev/v1", "Service", "display", NAMESPACE)
    assert service is not None
    [container] = service["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example/team/vcenter-events:1.0"
    installed.paste("kubectl apply -k config")  # again: what was filled in stays
    assert installed.data("Secret", "vcenter-credentials") == account


def test_readme_installs(installed: Page) -> None:
    installed.paste(*commands("README.md", "Install"))

    assert installed.data("ConfigMap", "vcenter")["VC_URL"] == "https://vcenter.example"


@pytest.mark.parametrize("block", YAML, ids=lambda block: f"{block.page}:{block.heading}")
def test_manifest_is_accepted(installed: Page, block: Block) -> None:
    if "apiVersion" in block.text:
        (installed.folder / "block.yaml").write_text(block.text)
        installed.paste("kubectl apply --dry-run=server --validate=strict -f block.yaml")


def test_guides_work_after_the_installation(installed: Page) -> None:
    """In an order that each of them can start from."""
    paste, guides = installed.paste, "docs/how-to"
    paste(*commands("docs/tutorials/message.md", "3. On a cluster"))
    (installed.folder / "ca.pem").write_text("certificate")
    paste(command_with(f"{guides}/certificates.md", "create configmap"))
    assert installed.data("ConfigMap", "vcenter")["ca.pem"] == "certificate"
    paste(*commands(f"{guides}/certificates.md", "Proxies"))
    assert "admin:" in paste(
        commands(f"{guides}/publish-the-page.md")[0].replace("get ksvc display", "get ksvc display >&2")
    )
    paste(*commands("docs/reference/reactions.md", "Install"))
    assert installed.data("Secret", "vcenter-reactions")["username"] == "reactions@vsphere.local"
    paste(*commands(f"{guides}/troubleshoot.md"), *commands("docs/reference/log-messages.md"))
    installed.server.kubectl("create", "namespace", "monitoring")
    paste(*commands(f"{guides}/install.md", "Networks"), *commands(f"{guides}/install.md", "Other variants"))
    assert installed.server.get("eventing.knative.dev/v1", "Broker", "default", "mine") is not None
    paste(*commands(f"{guides}/kafka.md"))
    broker = installed.server.get("eventing.knative.dev/v1", "Broker", "default", NAMESPACE)
    assert broker is not None
    assert broker["metadata"]["annotations"]["eventing.knative.dev/broker.class"] == "Kafka"
    change = {"data": {"checkpoint": '{"lastEventKey": 7}'}}
    installed.server.patch("v1", "ConfigMap", "vcenter-poller-configmap", NAMESPACE, change)
    paste(*commands(f"{guides}/checkpoint.md", "Back up"))
    paste(commands(f"{guides}/install.md", "3. Set the receiver of notifications")[1])
    paste(*commands(f"{guides}/install.md", "Uninstall"))
    assert installed.server.get("v1", "Namespace", NAMESPACE) is None
    restore, maximum_age = commands(f"{guides}/checkpoint.md", "Restore")
    paste(restore, *commands(f"{guides}/install.md", "1. Install"), maximum_age)
    assert installed.data("ConfigMap", "vcenter-poller-configmap")["checkpoint"] == '{"lastEventKey": 7}'
    paste(*commands(f"{guides}/checkpoint.md", "Start over"))
    assert installed.data("ConfigMap", "vcenter-poller-configmap") == {}


def without_rollout(text: str) -> str:
    """Remove the wait for a rollout, because the pods of the Deployment do not run here."""
    return "\n".join(line for line in text.splitlines() if " rollout status " not in line)


def test_guides_of_the_kinds_work(installed: Page) -> None:
    paste, guides = installed.paste, "docs/how-to"
    server = installed.server
    server.kubectl("create", "namespace", "vmware-functions")
    server.create(vsphere_source("vcsa-source"), "vmware-functions")
    server.kubectl("-n", "vmware-functions", "create", "secret", "generic", "vcsa-ro-creds")
    server.kubectl("-n", "vmware-functions", "create", "configmap", "vcsa-source-configmap")
    paste(*commands(f"{guides}/move-from-veba.md", "Move from VEBA"))
    assert server.get("sources.tanzu.vmware.com/v1alpha1", "VSphereSource", "vcsa-source", "vmware-functions") is None
    paste(without_rollout(command_with(f"{guides}/move-from-vspheresource.md", "before.yaml")))
    paste(*(text.replace("NAME", "name") for text in commands("docs/reference/vspheresource.md")))
    paste(*commands("docs/reference/horizonsource.md"))
    pause, everything = commands(f"{guides}/sources.md", "Uninstall")
    paste(pause, command_with(f"{guides}/sources.md", "config/image"), everything)
    assert server.get("v1", "Namespace", "vmware-sources") is None

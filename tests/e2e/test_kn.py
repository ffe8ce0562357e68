"""The kn commands of docs/how-to/install-with-kn.md, each run as it stands there, make what config/ makes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from demo import golang
from tests.e2e import programs
from tests.e2e.cluster import BROKER, PINGSOURCE, SERVICE, SINKBINDING, TRIGGER, Cluster, Object
from tests.e2e.installation import ROOT, ClusterRecorder, rows
from tests.e2e.shell import INSTALL, Shell, one_by_one
from tests.support.administrator import Administrator
from tests.support.documentation import command_with, commands
from tests.support.manifests import rendered
from tests.support.requirements import give_up

pytestmark = pytest.mark.cluster

SECRET = "vcenter-credentials"

PAGE = "docs/how-to/install-with-kn.md"
CONFIG_MAP = ("v1", "ConfigMap")


class Installation:
    """A namespace in which everything was made with kn."""

    def __init__(self, cluster: Cluster, shell: Shell, output: str) -> None:
        self.cluster = cluster
        self.shell = shell
        self.namespace = shell.namespace
        self.output = output
        """The output of the commands."""
        self._expected = rendered(shell.checkout / "config")

    def live(self, kind: tuple[str, str], name: str) -> Object:
        """An object as it is."""
        live = self.cluster.get(kind, name, self.namespace)
        assert live is not None
        return live

    def expected(self, kind: tuple[str, str], name: str) -> Object:
        """An object as config/ has it."""
        [manifest] = [
            manifest
            for manifest in self._expected
            if (manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"]) == (*kind, name)
        ]
        return manifest


@pytest.fixture(scope="module")
def installed_with_kn(
    cluster: Cluster,
    installed: str,
    image: str,
    recorder: ClusterRecorder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Installation]:
    """The page's commands, in its order, with the simulated vCenter of the other namespace."""
    try:
        kn, func = programs.kn(), programs.func()
    except golang.NotBuilt as error:
        give_up(f"neither on PATH nor built: {error}")
    values = {
        "https://vcenter.example/sdk": f"https://vcsim.{installed}.svc/sdk",
        "events-reader@vsphere.local": "user",
        "a long password": "pass",
        "ntfy://ntfy.example/vcenter": f"{recorder.address.replace('http', 'json')}/kn",
    }
    shell = Shell(tmp_path_factory.mktemp("kn"), f"{installed}-kn", image, values, kn, func)
    shell.move()
    needed, pipeline, subscribers, *_ = commands(PAGE)
    vcenter = command_with(INSTALL, "patch configmap")
    try:
        shell.paste(needed)
        cluster.patch(CONFIG_MAP, "vcenter", shell.namespace, {"data": {"VC_INSECURE": "true"}})
        shell.paste(vcenter[: vcenter.index("kubectl -n vcenter-events get ")])
        output = shell.paste(pipeline) + shell.paste(subscribers)
        for name in ("display", "notify"):
            cluster.wait_ready(TRIGGER, name, shell.namespace)
        cluster.wait_subscribed(shell.namespace)
        yield Installation(cluster, shell, output)
    finally:
        cluster.delete_namespace(shell.namespace)


def lacking(expected: Any, live: Any, path: str = "") -> list[str]:
    """Return where *live* lacks a value of *expected*. It may have more in its objects."""
    if isinstance(expected, dict) and isinstance(live, dict):
        return [
            difference
            for key, value in expected.items()
            for difference in lacking(value, live.get(key), f"{path}.{key}")
        ]
    return [] if expected == live else [f"{path} is {live!r}, not {expected!r}"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (BROKER, "default"),
        (SINKBINDING, "vcenter-poller"),
        (SINKBINDING, "deadletter"),
        (PINGSOURCE, "vcenter-poller"),
        (TRIGGER, "display"),
        (TRIGGER, "notify"),
    ],
)
def test_kn_makes_what_config_has(installed_with_kn: Installation, kind: tuple[str, str], name: str) -> None:
    live, expected = installed_with_kn.live(kind, name), installed_with_kn.expected(kind, name)

    assert lacking(expected["spec"], live["spec"]) == []
    assert live["spec"].get("filter", {}) == expected["spec"].get("filter", {})
    assert lacking(expected["metadata"].get("annotations", {}), live["metadata"]["annotations"]) == []


def contained(service: Object) -> Object:
    """The only container."""
    [container] = service["spec"]["template"]["spec"]["containers"]
    return dict(container)


def environment(service: Object) -> dict[str, str]:
    """The variables that have a value of their own."""
    return {variable["name"]: variable.get("value", "") for variable in contained(service)["env"]}


@pytest.mark.parametrize("name", ["vcenter-poller", "deadletter", "display", "notify"])
def test_services_are_those_of_config(installed_with_kn: Installation, name: str) -> None:
    live, expected = installed_with_kn.live(SERVICE, name), installed_with_kn.expected(SERVICE, name)
    template, meant = live["spec"]["template"], expected["spec"]["template"]
    visibility = "networking.knative.dev/visibility"

    assert lacking(environment(expected), environment(live)) == []
    if name != "display":  # its Secret is optional, which kn cannot say: docs/how-to/install-with-kn.md
        assert contained(live).get("envFrom") == contained(expected).get("envFrom")
    annotations = {**meant["metadata"]["annotations"]}
    if name == "vcenter-poller":
        # func cannot set these. docs/how-to/install-with-kn.md says what that means.
        del annotations["autoscaling.knative.dev/target-burst-capacity"]
        del annotations["serving.knative.dev/progress-deadline"]
    assert lacking(annotations, template["metadata"]["annotations"]) == []
    assert live["metadata"].get("labels", {}).get(visibility) == expected["metadata"]["labels"].get(visibility)
    restricted = {**contained(expected)["securityContext"]}
    del restricted["readOnlyRootFilesystem"]  # neither kn nor func can ask for it
    assert lacking(restricted, contained(live)["securityContext"]) == []


def test_func_yaml_is_the_poller_of_config(installed_with_kn: Installation) -> None:
    live, expected = (
        installed_with_kn.live(SERVICE, "vcenter-poller"),
        installed_with_kn.expected(SERVICE, "vcenter-poller"),
    )
    its = contained(live)

    assert lacking(expected["metadata"]["labels"], live["metadata"]["labels"]) == []
    assert lacking(contained(expected)["resources"], its["resources"]) == []
    for probe in ("readinessProbe", "livenessProbe"):
        assert lacking(contained(expected)[probe], its[probe]) == []
    pod = live["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == expected["spec"]["template"]["spec"]["serviceAccountName"]
    mounted = {volume["name"]: volume for volume in pod["volumes"]}
    assert {mount["mountPath"]: mounted[mount["name"]] for mount in its["volumeMounts"]} == {
        "/etc/vcenter": {"name": "config-map-vcenter", "configMap": {"name": "vcenter"}},
        "/var/bindings/vsphere": {
            "name": "secret-vcenter-credentials",
            "secret": {"secretName": "vcenter-credentials"},
        },
    }
    assert all(mount["readOnly"] for mount in its["volumeMounts"])
    assert environment(live)["K_SINK"].endswith(f"/{installed_with_kn.namespace}/default")


def test_func_reads_func_yaml_as_it_is(installed_with_kn: Installation) -> None:
    written = yaml.safe_load((installed_with_kn.shell.checkout / "func.yaml").read_text())
    text = (ROOT / "func.yaml").read_text()
    ours = yaml.safe_load(
        text.replace("deadletter.vcenter-events.svc", f"deadletter.{installed_with_kn.namespace}.svc")
    )

    assert lacking({**ours, "namespace": installed_with_kn.namespace}, written) == []
    assert set(written) - set(ours) == {"image"}
    assert set(written["deploy"]) - set(ours["deploy"]) == {"image", "namespace"}
    assert (installed_with_kn.shell.checkout / ".gitignore").read_text() == (ROOT / ".gitignore").read_text()
    assert "deprecated" not in installed_with_kn.output


def test_events_go_all_the_way(
    installed_with_kn: Installation, administrator: Administrator, recorder: ClusterRecorder, cluster: Cluster
) -> None:
    vm = administrator.vms[0]

    def notifications() -> int:
        """Return how many say that the VM is off: the poller also reads what happened shortly before it started."""
        titles = [json.loads(notification.body)["title"] for notification in recorder.box("kn")]
        return titles.count(f"VM powered off: {vm.name}")

    before = notifications()
    administrator.power_off(vm)
    administrator.power_on(vm)

    def shown(rows: list[dict[str, str]]) -> bool:
        return any(vm.name in row["message"] for row in rows)

    cluster.until(lambda: shown(rows(cluster, installed_with_kn.namespace, shown)), "event on the display", 60)
    cluster.until(lambda: notifications() > before, "notification", 60)


def test_lists_name_what_there_is(installed_with_kn: Installation) -> None:
    services, triggers, sources = one_by_one(commands(PAGE)[3])

    assert first_words(installed_with_kn.shell.paste(services)) == ["deadletter", "display", "notify", "vcenter-poller"]
    assert first_words(installed_with_kn.shell.paste(triggers)) == ["display", "notify"]
    assert first_words(installed_with_kn.shell.paste(sources)) == ["deadletter", "vcenter-poller", "vcenter-poller"]


def first_words(table: str) -> list[str]:
    """The first column below its title, sorted."""
    return sorted(line.split()[0] for line in table.splitlines()[1:])


def test_a_new_version_gets_half_and_nothing_again(
    installed_with_kn: Installation, administrator: Administrator, recorder: ClusterRecorder, cluster: Cluster
) -> None:
    """With kn, and with kubectl. The first revision is the one that `kn service create` created."""
    with_kn, with_kubectl = [
        block
        for block in commands("docs/how-to/upgrade.md", "A new version, half of the traffic at first")
        if "50" in block
    ]
    change, split, back = one_by_one(with_kn)

    def traffic() -> list[tuple[str, int | None, str | None]]:
        cluster.wait_ready(SERVICE, "notify", installed_with_kn.namespace)
        status = installed_with_kn.live(SERVICE, "notify")["status"]
        return sorted(
            (target["revisionName"], target.get("percent"), target.get("tag")) for target in status["traffic"]
        )

    installed_with_kn.shell.paste(change)
    assert traffic() == [("notify-00002", 100, None)]
    vm = administrator.vms[0]

    def the_new_one_tells() -> bool:
        before = len(recorder.box("kn"))
        administrator.power_off(vm)
        notification = cluster.until(lambda: recorder.box("kn")[before:], "notification", 60)
        administrator.power_on(vm)
        return bool(json.loads(notification[0].body)["title"] == f"VM powered off: {vm.name} (new)")

    cluster.until(the_new_one_tells, "notification of the new version", 60)  # an ingress may lag behind the status

    installed_with_kn.shell.paste(split)
    assert traffic() == [("notify-00001", 50, "before"), ("notify-00002", 50, "after")]
    tagged = installed_with_kn.live(SERVICE, "notify")["status"]["traffic"]
    assert f"http://after-notify.{installed_with_kn.namespace}.svc.cluster.local" in [
        target["url"] for target in tagged
    ]

    installed_with_kn.shell.paste(back)
    assert traffic() == [("notify-00001", 100, "before"), ("notify-00002", 0, "after")]

    split, back = with_kubectl.replace("\n ", " ").strip().splitlines()
    installed_with_kn.shell.paste(split)
    assert traffic() == [("notify-00001", 50, "before"), ("notify-00002", 50, "after")]
    installed_with_kn.shell.paste(back)
    assert traffic() == [("notify-00001", 100, None)]

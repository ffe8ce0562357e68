"""The kn commands of docs/deploy.md, each run as it stands there, make what config/ makes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from demo import golang
from tests.e2e import programs
from tests.e2e.cluster import BROKER, PINGSOURCE, SERVICE, SINKBINDING, TRIGGER, Cluster, Object
from tests.e2e.installation import ROOT, ClusterRecorder, rows
from tests.e2e.shell import Shell, commands, one_by_one
from tests.support.administrator import Administrator
from tests.support.manifests import rendered
from tests.support.requirements import give_up

pytestmark = pytest.mark.cluster

CONFIG_MAP = ("v1", "ConfigMap")


class Made:
    """A namespace in which everything was made with kn."""

    def __init__(self, cluster: Cluster, shell: Shell, said: str) -> None:
        self.cluster = cluster
        self.shell = shell
        self.namespace = shell.namespace
        self.said = said
        """The output of the commands."""
        self._wanted = rendered(shell.checkout / "config")

    def live(self, kind: tuple[str, str], name: str) -> Object:
        """An object as it is."""
        found = self.cluster.get(kind, name, self.namespace)
        assert found is not None
        return found

    def wanted(self, kind: tuple[str, str], name: str) -> Object:
        """An object as config/ has it."""
        [found] = [
            each
            for each in self._wanted
            if (each["apiVersion"], each["kind"], each["metadata"]["name"]) == (*kind, name)
        ]
        return found


@pytest.fixture(scope="module")
def made(
    cluster: Cluster,
    installed: str,
    image: str,
    recorder: ClusterRecorder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Made]:
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
    needed, pipeline, subscribers, _, *_ = commands("The same with kn")
    [vcenter] = [block for block in commands("Install") if "patch configmap" in block]
    try:
        shell.paste(needed)
        cluster.patch(CONFIG_MAP, "vcenter", shell.namespace, {"data": {"VC_INSECURE": "true"}})
        shell.paste(vcenter[: vcenter.index("kubectl -n vcenter-events get ")])
        said = shell.paste(pipeline) + shell.paste(subscribers)
        for name in ("display", "notify"):
            cluster.wait_ready(TRIGGER, name, shell.namespace)
        cluster.wait_subscribed(shell.namespace)
        yield Made(cluster, shell, said)
    finally:
        cluster.delete_namespace(shell.namespace)


def lacking(wanted: Any, live: Any, path: str = "") -> list[str]:
    """Where *live* has not what *wanted* has; it may have more in its objects."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return [fault for key, each in wanted.items() for fault in lacking(each, live.get(key), f"{path}.{key}")]
    return [] if wanted == live else [f"{path} is {live!r}, not {wanted!r}"]


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
def test_kn_makes_what_config_has(made: Made, kind: tuple[str, str], name: str) -> None:
    live, wanted = made.live(kind, name), made.wanted(kind, name)

    assert lacking(wanted["spec"], live["spec"]) == []
    assert live["spec"].get("filter", {}) == wanted["spec"].get("filter", {})
    assert lacking(wanted["metadata"].get("annotations", {}), live["metadata"]["annotations"]) == []


def contained(service: Object) -> Object:
    """The only container."""
    [container] = service["spec"]["template"]["spec"]["containers"]
    return dict(container)


def environment(service: Object) -> dict[str, str]:
    """The variables that have a value of their own."""
    return {each["name"]: each.get("value", "") for each in contained(service)["env"]}


@pytest.mark.parametrize("name", ["vcenter-poller", "deadletter", "display", "notify"])
def test_services_are_those_of_config(made: Made, name: str) -> None:
    live, wanted = made.live(SERVICE, name), made.wanted(SERVICE, name)
    template, meant = live["spec"]["template"], wanted["spec"]["template"]
    visibility = "networking.knative.dev/visibility"

    assert lacking(environment(wanted), environment(live)) == []
    assert contained(live).get("envFrom") == contained(wanted).get("envFrom")
    assert lacking(meant["metadata"]["annotations"], template["metadata"]["annotations"]) == []
    assert live["metadata"].get("labels", {}).get(visibility) == wanted["metadata"]["labels"].get(visibility)
    restricted = {**contained(wanted)["securityContext"]}
    del restricted["readOnlyRootFilesystem"]  # neither kn nor func can ask for it
    assert lacking(restricted, contained(live)["securityContext"]) == []


def test_func_yaml_is_the_poller_of_config(made: Made) -> None:
    live, wanted = made.live(SERVICE, "vcenter-poller"), made.wanted(SERVICE, "vcenter-poller")
    its = contained(live)

    assert lacking(wanted["metadata"]["labels"], live["metadata"]["labels"]) == []
    assert lacking(contained(wanted)["resources"], its["resources"]) == []
    for probe in ("readinessProbe", "livenessProbe"):
        assert lacking(contained(wanted)[probe], its[probe]) == []
    pod = live["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == wanted["spec"]["template"]["spec"]["serviceAccountName"]
    assert [(each["secret"]["secretName"]) for each in pod["volumes"]] == ["vcenter-credentials"]
    assert [(each["mountPath"], each["readOnly"]) for each in its["volumeMounts"]] == [("/var/bindings/vsphere", True)]
    assert environment(live)["K_SINK"].endswith(f"/{made.namespace}/default")


def test_func_reads_func_yaml_as_it_is(made: Made) -> None:
    written = yaml.safe_load((made.shell.checkout / "func.yaml").read_text())
    ours = yaml.safe_load((ROOT / "func.yaml").read_text())

    assert lacking({**ours, "namespace": made.namespace}, written) == []
    assert set(written) - set(ours) == {"image"}
    assert set(written["deploy"]) - set(ours["deploy"]) == {"image", "namespace"}
    assert (made.shell.checkout / ".gitignore").read_text() == (ROOT / ".gitignore").read_text()
    assert "deprecated" not in made.said


def test_events_go_all_the_way(
    made: Made, administrator: Administrator, recorder: ClusterRecorder, cluster: Cluster
) -> None:
    machine = administrator.vms[0]

    administrator.power_off(machine)
    administrator.power_on(machine)

    def shown(found: list[dict[str, str]]) -> bool:
        return any(machine.name in row["message"] for row in found)

    cluster.until(lambda: shown(rows(cluster, made.namespace, shown)), "event on the display", 60)
    [told] = cluster.until(lambda: recorder.box("kn"), "notification", 60)
    assert json.loads(told.body)["title"] == f"VM powered off: {machine.name}"


def test_lists_name_what_there_is(made: Made) -> None:
    services, triggers, sources = one_by_one(commands("The same with kn")[3])

    assert first_words(made.shell.paste(services)) == ["deadletter", "display", "notify", "vcenter-poller"]
    assert first_words(made.shell.paste(triggers)) == ["display", "notify"]
    assert first_words(made.shell.paste(sources)) == ["deadletter", "vcenter-poller", "vcenter-poller"]


def first_words(table: str) -> list[str]:
    """The first column below its title, sorted."""
    return sorted(line.split()[0] for line in table.splitlines()[1:])


def test_a_new_version_gets_half_and_nothing_again(
    made: Made, administrator: Administrator, recorder: ClusterRecorder, cluster: Cluster
) -> None:
    """With kn, and with kubectl; the first revision is the one that `kn service create` made."""
    with_kn, with_kubectl = [
        block for block in commands("A new version, half of the traffic at first") if "50" in block
    ]
    change, split, back = one_by_one(with_kn)

    def traffic() -> list[tuple[str, int | None, str | None]]:
        cluster.wait_ready(SERVICE, "notify", made.namespace)
        status = made.live(SERVICE, "notify")["status"]
        return sorted((each["revisionName"], each.get("percent"), each.get("tag")) for each in status["traffic"])

    made.shell.paste(change)
    assert traffic() == [("notify-00002", 100, None)]
    machine = administrator.vms[0]

    def the_new_one_tells() -> bool:
        before = len(recorder.box("kn"))
        administrator.power_off(machine)
        told = cluster.until(lambda: recorder.box("kn")[before:], "notification", 60)
        administrator.power_on(machine)
        return bool(json.loads(told[0].body)["title"] == f"VM powered off: {machine.name} (new)")

    cluster.until(the_new_one_tells, "notification of the new version", 60)  # an ingress may lag behind the status

    made.shell.paste(split)
    assert traffic() == [("notify-00001", 50, "before"), ("notify-00002", 50, "after")]
    tagged = made.live(SERVICE, "notify")["status"]["traffic"]
    assert f"http://after-notify.{made.namespace}.svc.cluster.local" in [each["url"] for each in tagged]

    made.shell.paste(back)
    assert traffic() == [("notify-00001", 100, "before"), ("notify-00002", 0, "after")]

    split, back = with_kubectl.replace("\n ", " ").strip().splitlines()
    made.shell.paste(split)
    assert traffic() == [("notify-00001", 50, "before"), ("notify-00002", 50, "after")]
    made.shell.paste(back)
    assert traffic() == [("notify-00001", 100, None)]

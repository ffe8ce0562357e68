"""Tests of what the predecessor's plugin lacked: describe, wait, formats, privileges, Horizon, completion."""

import json
from pathlib import Path

import pytest

from demo.vcsim import VCSim
from kn_vsphere import address, ages, jsonpath, selector
from tests.plugin.contract import BY_NAME, CREATE_BINDING, CREATE_SOURCE, SINK
from tests.support.api_server import ApiServer
from tests.support.kinds import API_VERSION
from tests.support.plugin import Outcome, kn_vsphere, kubeconfig

ITEMS = {"items": [{"name": "a", "n": 1, "x.y": "z"}, {"name": "b", "n": 2}]}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{.items[*].name}", "a b"),
        (".items[0].name", "a"),
        ('{range .items[*]}{.name}{"\\n"}{end}', "a\nb\n"),
        ("{.items[?(@.n==2)].name}", "b"),
        ('{.items[?(@.name=="a")].n}', "1"),
        ("{.items[-1:].name}", "b"),
        ("{.items[0].x\\.y}", "z"),
        ("{..name}!", "a b!"),
        ("{.items[*]['name','n']}", "a 1 b 2"),
    ],
)
def test_jsonpath_is_that_of_kubectl(template: str, text: str) -> None:
    assert jsonpath.render(jsonpath.parse(template), ITEMS) == text


@pytest.mark.parametrize("template", ["{.a", "{range .a}", "{end}", "{.a ^}"])
def test_template_that_cannot_be_parsed_is_an_error(template: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        jsonpath.parse(template)


def test_selector_has_every_operator() -> None:
    parsed = selector.parse("a=b,c!=d,e in (f, g),h,!i,j notin (k)")

    assert parsed["matchLabels"] == {"a": "b"}
    assert [entry["operator"] for entry in parsed["matchExpressions"]] == [
        "NotIn", "In", "Exists", "DoesNotExist", "NotIn"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("127.0.0.1:8989", "https://127.0.0.1:8989/sdk"),
        ("https://vcenter.example/", "https://vcenter.example/sdk"),
        ("http://u:p@vc/sdk", "http://vc/sdk"),
    ],
)
def test_address_of_a_vcenter_is_completed(text: str, url: str) -> None:
    assert address.of_vcenter(text) == url


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (5, "5s"),
        (119, "119s"),
        (353, "5m53s"),
        (660, "11m"),
        (7 * 3600 + 60, "7h1m"),
        (90000, "25h"),
        (86400 * 9, "9d"),
    ],
)
def test_ages_are_those_of_kubectl(seconds: int, text: str) -> None:
    assert ages.duration(seconds) == text


def test_unreachable_cluster_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "config"
    content = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a"}}],
        "clusters": [{"name": "a", "cluster": {"server": "https://127.0.0.1:1"}}],
    }
    file.write_text(json.dumps(content))

    outcome = kn_vsphere(f"source list --kubeconfig {file}")

    assert outcome.err.startswith("Error: list sources: the cluster at https://127.0.0.1:1 cannot be reached: ")
    assert (outcome.status, outcome.out, outcome.err.count("\n")) == (1, "", 1)


class Place:
    """A namespace, which is the context's."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self.server = server
        self.namespace = server.create_namespace()
        self._file = kubeconfig(server, folder, self.namespace)

    def run(self, line: str) -> Outcome:
        """Run a command line."""
        return kn_vsphere(line, {"KUBECONFIG": str(self._file)})


@pytest.fixture
def place(kinds: ApiServer, tmp_path: Path) -> Place:
    """A namespace of the test's own."""
    return Place(kinds, tmp_path)


@pytest.mark.cluster
def test_describe_shows_conditions_checkpoint_and_spec(place: Place) -> None:
    place.run(f"{CREATE_SOURCE} {SINK}")
    record = {"lastEventKey": 7, "lastEventType": "VmPoweredOffEvent", "lastEventKeyTimestamp": "2026-11-25T00:00:00Z"}
    data = {"checkpoint": json.dumps({**record, "createdTimestamp": "2026-11-25T00:00:01.5Z"})}
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "spring-configmap"}, "data": data}
    place.server.create(config_map, place.namespace)
    condition = {"type": "Ready", "status": "False", "reason": "SinkNotFound", "message": "no sink"}
    times = {"lastTransitionTime": "2026-11-25T00:00:00Z"}
    status = {"status": {"observedGeneration": 1, "conditions": [{**condition, **times}]}}
    place.server.patch(API_VERSION, "VSphereSource", "spring", place.namespace, status, "status")

    outcome = place.run("source describe spring")

    assert outcome.status == 0, outcome.err
    for text in (
        "Credentials:", "Secret street-creds", "!!", "SinkNotFound : no sink", "VmPoweredOffEvent, key 7",
        "1.5 s from the event to its record",
    ):  # fmt: skip
        assert text in outcome.out
    place.run(f"{CREATE_BINDING} {BY_NAME}")
    assert "Job (batch/v1) report" in place.run("binding describe spring").out
    absent = place.run("source describe --name none").err
    assert absent.startswith(
        'Error: failed to describe source: vspheresources.sources.tanzu.vmware.com "none" not found'
    )


@pytest.mark.cluster
def test_wait_ends_with_the_reason(place: Place) -> None:
    outcome = place.run(f"{CREATE_SOURCE} {SINK} --wait --wait-timeout 1s")

    assert (outcome.status, outcome.out) == (1, "Created source\n")
    assert "Waiting for VSphereSource spring: its controller has not looked at it yet\n" in outcome.err
    assert "Error: VSphereSource spring is not ready" in outcome.err


@pytest.mark.cluster
def test_formats_and_completion_have_the_names(place: Place) -> None:
    place.run(f"{CREATE_SOURCE} {SINK}")

    assert place.run("source list -o name").out == "vspheresource.sources.tanzu.vmware.com/spring\n"
    assert place.run("source list -o jsonpath={.items[*].metadata.name}").out == "spring"
    assert place.run("source list -o yaml").out.startswith("apiVersion: sources.tanzu.vmware.com/v1alpha1\nitems:\n")
    assert "allowed formats are: " in place.run("source list -o xml").err
    completed = place.run("__complete source delete --name s").out
    assert completed == "spring\thttps://my-vsphere.example.com\n:4\n"
    assert place.run("__complete source list -n ''").out.count(place.namespace) == 1


@pytest.mark.cluster
def test_horizon_sources_are_created_and_deleted(place: Place) -> None:
    login = place.run("auth create --name creds --domain corp --username user --password pass")
    created = place.run(f"horizon create --name h --address https://horizon.example --secret-ref creds {SINK}")

    secret = place.server.get("v1", "Secret", "creds", place.namespace)
    assert (login.status, created.out, created.err) == (0, "Created Horizon source\n", "")
    assert secret is not None
    assert set(secret["data"]) == {"domain", "username", "password"}
    assert "https://horizon.example" in place.run("horizon list").out
    assert place.run("horizon delete --name h").out == "Deleted Horizon source\n"


@pytest.mark.cluster
def test_auth_check_lists_the_privileges(place: Place, vcsim: VCSim) -> None:
    place.run("auth create --name creds --username user --password pass")

    outcome = place.run(f"auth check --name creds --vc-address {vcsim.url} -k")
    unknown = place.run("auth check --name creds")

    assert "++ System.Read" in outcome.out, outcome
    assert (outcome.status, outcome.out.splitlines()[-1]) == (0, "The account can read all events.")
    assert "name the vCenter with the --vc-address option" in unknown.err

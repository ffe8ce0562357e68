"""The predecessor's cases C1 to C77, run in this process. tests/e2e/test_kn_vsphere.py runs some through kn."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from demo.vcsim import VCSim
from kn_vsphere import version
from kn_vsphere.tree import ROOT
from runtime import VERSION
from tests.plugin.contract import (
    AT_API_SERVER,
    BY_NAME,
    CREATE_AUTH,
    CREATE_BINDING,
    CREATE_SOURCE,
    FLAWED,
    SINK,
    Case,
    Reference,
)  # fmt: skip
from tests.support.api_server import ApiServer
from tests.support.kinds import API_VERSION
from tests.support.plugin import Outcome, kn_vsphere, kubeconfig

NUMBERS_ELSEWHERE = {"C1", "C2", "C3", "C22", "C41", "C46", "C48", "C70", "C75"}
"""Cases that are tests of their own here."""


def identity(case: Case) -> str:
    """Return the name of a case in the report."""
    return f"{case.number}-{'-'.join(re.findall(r'[a-z]+', case.line)[:2])}"


# ── the tree and the version ──


def test_c1_program_has_its_name_and_commands() -> None:
    assert ROOT.name == "kn-vsphere"
    assert {"auth", "source", "binding", "version"} <= {command.name for command in ROOT.commands}


def test_c2_version_prints_three_lines() -> None:
    outcome = kn_vsphere("version")

    assert re.fullmatch(r"Version:      v\S+\nBuild Date:   \S+\nGit Revision: \S+\n", outcome.out)
    assert (outcome.status, outcome.err) == (0, "")
    assert version.current().version == f"v{VERSION}"


def test_flags_that_kn_hands_on_are_accepted() -> None:
    assert kn_vsphere("--plugins-dir /plugins --config /kn.yaml version").out == kn_vsphere("version").out


@pytest.mark.parametrize(
    ("group", "commands"),
    [
        ("auth", {"create", "delete"}),
        ("source", {"create", "delete", "list"}),
        ("binding", {"create", "delete", "list"}),
    ],
    ids=["C3", "C22", "C48"],
)
def test_groups_have_their_commands_and_namespace(group: str, commands: set[str]) -> None:
    outcome = kn_vsphere(group)
    command = ROOT.child(group)

    assert command is not None
    assert commands <= {child.name for child in command.commands}
    assert "-n, --namespace string" in outcome.out
    assert (outcome.status, outcome.err) == (0, "")
    assert kn_vsphere(f"{group} unknown").out == outcome.out


@pytest.mark.parametrize("group", ["source", "binding"], ids=["C41", "C70"])
def test_list_has_its_alias_and_flag(group: str) -> None:
    outcome = kn_vsphere(f"{group} ls --help")

    assert "list, ls" in outcome.out
    assert "-A, --all-namespaces" in outcome.out


# ── without a cluster ──


@pytest.mark.parametrize("case", FLAWED, ids=identity)
def test_flawed_command_needs_no_cluster(case: Case) -> None:
    outcome = kn_vsphere(case.line)

    assert outcome.err.startswith(f"Error: {case.err}")
    assert (outcome.status, outcome.out) == (1, "")


def test_every_case_of_the_contract_is_there() -> None:
    numbers = {case.number for case in (*FLAWED, *AT_API_SERVER)} | NUMBERS_ELSEWHERE

    assert numbers == {f"C{number}" for number in range(1, 78)}


# ── at a real API server ──


class Place(NamedTuple):
    """Where a case is run: two namespaces of its own, the kubeconfigs, and a simulated vCenter."""

    server: ApiServer
    folder: Path
    context: str
    other: str
    vcsim: VCSim

    def run(self, line: str, config: str = "", stdin: str = "") -> Outcome:
        """Run a command line of the table."""
        words = {"NS": self.other, "VCSIM": self.vcsim.url, "HOST": f"127.0.0.1:{self.vcsim.port}"}
        filled = re.sub(r"\b(NS|VCSIM|HOST)\b", lambda match: words[match[0]], line)
        return kn_vsphere(filled, {"KUBECONFIG": str(self.folder / (config or "config"))}, stdin)

    def find(self, created: Reference) -> dict[str, Any] | None:
        """Return an object, or None."""
        kind, name, namespace = created
        api_version = "v1" if kind == "Secret" else API_VERSION
        return self.server.get(api_version, kind, name, self.other if namespace else self.context)

    def filled(self, value: Any) -> Any:
        """Return what the table expects with the names of the namespaces."""
        return json.loads(
            json.dumps(value).replace('"NS"', f'"{self.other}"').replace('"CONTEXT"', f'"{self.context}"')
        )


@pytest.fixture(scope="module")
def running_vcsim(vcsim_program: Path) -> Iterator[VCSim]:
    """A simulated vCenter for all cases."""
    with VCSim() as running:
        yield running


@pytest.fixture
def place(kinds: ApiServer, running_vcsim: VCSim, tmp_path: Path) -> Place:
    """A place for one case."""
    context, other = kinds.create_namespace("a"), kinds.create_namespace("b")
    kinds.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "me"}}, context)
    kubeconfig(kinds, tmp_path, context, kinds.service_account_token(context, "me")).rename(tmp_path / "powerless")
    kubeconfig(kinds, tmp_path, context)
    (tmp_path / "broken").write_text("contexts: []")
    return Place(kinds, tmp_path, context, other, running_vcsim)


@pytest.mark.cluster
@pytest.mark.parametrize("case", AT_API_SERVER, ids=identity)
def test_command_has_its_output_and_effect(case: Case, place: Place) -> None:
    for line in case.before:
        assert place.run(line).status == 0, line

    outcome = place.run(case.line, case.config, case.stdin)

    assert outcome.status == bool(case.err), outcome
    assert case.err in outcome.err
    assert outcome.err.startswith("Error: ") if case.err else outcome.err == ""
    if case.table:
        assert_table(outcome.out, place.filled(case.table))
    else:
        assert outcome.out == case.out
    if case.created:
        created = place.find(case.created)
        assert created is not None
        assert {field: created[field] for field in case.fields} == place.filled(dict(case.fields))
    assert case.absent is None or place.find(case.absent) is None


def assert_table(text: str, expected: list[list[str]]) -> None:
    """Assert that *text* has the rows *expected*, among rows of other tests' namespaces."""
    titles, *rows = [re.split(r" {2,}", line) for line in text.splitlines()]
    age = titles.index("AGE")
    assert titles == expected[0]
    assert all(re.fullmatch(r"\d+s", row[age]) for row in rows)
    blank = [[*row[:age], "", *row[age + 1 :]] for row in rows]
    assert [row for row in expected[1:] if row not in blank] == []
    if "NAMESPACE" not in titles:
        assert blank == expected[1:]


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("group", "command"),
    [("source", f"{CREATE_SOURCE} {SINK}"), ("binding", f"{CREATE_BINDING} {BY_NAME}")],
    ids=["C46", "C75"],
)
def test_json_of_all_namespaces_has_every_item(group: str, command: str, place: Place) -> None:
    place.run(command)
    place.run(f"{command} -n NS")

    outcome = place.run(f"{group} list -A -o json")

    document = json.loads(outcome.out)
    kind = f"VSphere{group.title()}"
    items = {(item["metadata"]["namespace"], item["metadata"]["name"]): item for item in document["items"]}
    assert (document["apiVersion"], document["kind"]) == (API_VERSION, f"{kind}List")
    assert outcome.out.startswith('{\n    "apiVersion"')
    for namespace in (place.context, place.other):
        item = items[namespace, "spring"]
        assert (item["apiVersion"], item["kind"]) == (API_VERSION, kind)
        assert "managedFields" not in item["metadata"]


@pytest.mark.cluster
def test_password_is_in_no_message(place: Place) -> None:
    secret = "pass-4711"
    create = CREATE_AUTH.replace("--password pass", f"--password {secret}")
    verify = f"{create} --verify-url VCSIM --verify-insecure"

    outcomes = [place.run(create, "powerless"), place.run(create, "broken"), place.run(verify), place.run(create)]
    outcomes += [place.run(f"{create} --verbose"), place.run(f"{create} --unknown"), place.run("source list -o yaml")]

    assert [outcome.status for outcome in outcomes] == [1, 1, 1, 0, 1, 1, 0]
    assert all(secret not in outcome.out + outcome.err for outcome in outcomes)

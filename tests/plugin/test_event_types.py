"""`kn vsphere events list` and `show`: the catalogue on the command line."""

import io
import json

import pytest
import yaml

from kn_vsphere.errors import CheckError
from kn_vsphere.events import example, lines, values
from kn_vsphere.program import run
from pipeline.cloudevents import STRICT, HTTPMessage, create, from_http
from pipeline.times import utc
from tools.catalog import event_classes
from vsphere import catalog

NOW = utc("2026-11-25T08:00:00Z")


def output(*words: str) -> str:
    """Return what a command that succeeds prints."""
    status, out, err = outcome(*words)
    assert (status, err) == (0, "")
    return out


def outcome(*words: str) -> tuple[int, str, str]:
    """Return exit status, output and errors of `kn-vsphere events`, without a vCenter in the environment."""
    out, err = io.StringIO(), io.StringIO()
    status = run(["events", *words], {}, (io.StringIO(), out, err))
    return status, out.getvalue(), err.getvalue()


# ── list ──


def test_list_has_all_types_in_a_table() -> None:
    head, *rows = output("list").splitlines()

    assert head.split() == ["NAME", "CATEGORY", "TITLE"]
    assert len(rows) == len(catalog.built_in()) > 443


def test_list_selects_by_category_and_words() -> None:
    names = output("list", "--category", "error", "--search", "Power VM", "-o", "name").splitlines()

    assert {"VmFailedToPowerOffEvent", "VmFailedToPowerOnEvent"} <= set(names)
    assert {catalog.built_in().category(name) for name in names} == {"error"}


def test_list_is_json_for_pipes() -> None:
    entries = json.loads(output("list", "-o", "json", "--category", "user,warning"))

    assert {entry["category"] for entry in entries} == {"user", "warning"}


def test_list_without_a_match_says_so() -> None:
    assert outcome("list", "--search", "nonsense") == (0, "", "No event types found.\n")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["list", "--category", "fatal"], "--category has fatal, not one of: error, warning, info, user"),
        (["list", "-o", "xml"], "--output is 'xml', not one of: json, name"),
        (["show"], "name one event type, for example VmPoweredOffEvent"),
        (["show", "VmPowerdOffEvent"], "Did you mean VmPoweredOffEvent or"),
        (["show", "Xylophone"], "has no event type 'Xylophone'. `kn vsphere events list` has all"),
        (["tail"], "no vCenter is named: use --vc-address, or the variable VC_URL"),
        (["tail", "-a", "vc.example"], "no login is given: use --username"),
        (["tail", "-a", "vc.example", "-u", "u", "-p", "secret", "--entity", "x"], "--entity is 'x', not of the form"),
        (["tail", "-a", "vc.example", "-u", "u", "-p", "secret", "--type", "X"], "--type names 'X', which is not an"),
        (["replay", "--since", "1h"], "--sink is '', not a URL such as"),
        (["replay", "--sink", "broker", "--since", "1h"], "--sink is 'broker', not a URL"),
        (["replay", "--sink", "http://b.example"], "name the period with --since"),
        (["replay", "--sink", "http://b.example", "--resume", "--type", "X"], "it excludes --type"),
    ],
)
def test_wrong_flag_is_one_line(words: list[str], error: str) -> None:
    status, out, err = outcome(*words)

    assert (status, out) == (1, "")
    assert error in err.splitlines()[0]
    assert "secret" not in err


def test_unreachable_vcenter_is_one_line_with_advice() -> None:
    status, _, err = outcome("tail", "-a", "https://u:hidden@127.0.0.1:1", "-u", "u", "-p", "secret")

    assert status == 1
    [line] = err.splitlines()
    assert line.startswith("Error: log in to https://127.0.0.1:1/sdk as u: ")
    assert "Connection refused. Check the address (--vc-address or VC_URL)" in line
    assert "secret" not in line
    assert "hidden" not in line


# ── show ──


def test_show_explains_with_example_and_trigger() -> None:
    text = output("show", "vmpoweredoff", "--broker", "inmem", "--sink", "audit")

    assert text.startswith("VM powered off  (info)\n")
    assert "Type:  com.vmware.vsphere.VmPoweredOffEvent.v0" in text
    assert "Cause: Somebody powered the VM off." in text
    assert "  Do:  Nothing if it was intended." in text
    assert '"FullFormattedMessage": "VM powered off"' in text
    assert (
        "kn trigger create vm-powered-off --broker inmem "
        "--filter type=com.vmware.vsphere.VmPoweredOffEvent.v0 --sink ksvc:audit" in text
    )


def test_show_is_json_with_a_valid_event_and_trigger() -> None:
    document = json.loads(output("show", "esx.problem.net.connectivity.lost", "-o", "json"))
    body = json.dumps(document["example"]).encode()
    event = from_http(HTTPMessage({"content-type": "application/cloudevents+json"}, body), STRICT)

    assert event["type"] == "com.vmware.vsphere.esx.problem.net.connectivity.lost.v0"
    assert event["eventclass"] == "eventex"
    trigger = yaml.safe_load(document["trigger"])
    assert trigger["spec"]["filter"]["attributes"] == {"type": event["type"]}
    assert trigger["metadata"]["name"] == "esx-problem-net-connectivity-lost"


def test_every_class_has_an_example_of_its_type() -> None:
    entries = [entry for name in event_classes() if (entry := catalog.built_in().find(name))]
    types = [example.cloudevent(entry)["type"] for entry in entries]

    assert types == [example.cloudevents_type(entry.name) for entry in entries]


# ── lines and values ──


def test_line_has_no_control_characters_of_an_event() -> None:
    attributes = {"source": "s", "id": "1", "type": "com.example.\x1b[2J", "time": "2026-11-25T08:00:00.5Z"}
    event = create(attributes, {"FullFormattedMessage": "a\x1b]0;evil\x07b\u202ec\nd", "Severity": "error"})

    assert lines.line(event) == "2026-11-25T08:00:00  error    com.example. [2J            a ]0;evil b c d"
    assert lines.line(event, colored=True).startswith("2026-11-25T08:00:00  \x1b[31;1merror  \x1b[0m  com")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", "2026-11-25T06:00:00Z"),
        ("1h30m", "2026-11-25T06:30:00Z"),
        ("2026-11-24T10:00:00+02:00", "2026-11-24T08:00:00Z"),
        ("2026-11-24", "2026-11-24T00:00:00Z"),
    ],
)
def test_moment_is_a_duration_or_a_time(text: str, expected: str) -> None:
    assert values.moment("since", text, NOW) == utc(expected)


@pytest.mark.parametrize("text", ["", "2", "-1h", "yesterday", "2026-13-01", "99999999999h"])
def test_odd_moment_is_an_error(text: str) -> None:
    with pytest.raises(CheckError, match="--since is"):
        values.moment("since", text, NOW)

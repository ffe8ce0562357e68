"""The commands of docs/how-to/dead-letters.md, run against the real function."""

import json
import subprocess

from tests.support.documentation import commands
from tests.support.manifests import TOKEN
from tests.support.recorder import Recorder
from tests.support.serving import Served

PAGE = "docs/how-to/dead-letters.md"
DESTINATION = "http://tag.vcenter-events.svc.cluster.local/"


def dead_letter(number: int) -> str:
    event = {
        "specversion": "1.0",
        "id": str(number),
        "type": "com.vmware.vsphere.VmPoweredOffEvent.v0",
        "source": "https://vcenter.example/sdk",
        "knativeerrordest": DESTINATION,
        "knativeerrorcode": "503",
        "knativearrivaltime": "2026-11-24T08:00:00Z",
        "data": {},
    }
    return json.dumps(event)


def test_commands_list_redrive_and_drop() -> None:
    _, listing, changes = commands(PAGE)
    with Recorder() as broker, Served("deadletter", DEADLETTER_TOKEN=TOKEN, K_SINK=broker.url) as function:
        for number in range(1, 10):
            function.request("POST", "/", dead_letter(number), {"content-type": "application/cloudevents+json"})

        output = paste(listing, function) + paste(changes, function)

        assert DESTINATION in output
        assert {request.id for request in broker.accepted} == {str(number) for number in range(1, 10)}
        _, dropped = function.request("GET", "/api/dead-letters/7")
        assert json.loads(dropped)["state"] == "dropped"


def paste(block: str, function: Served) -> str:
    """Run *block*. The token is that of the function, in place of the cluster's Secret."""
    script = f"kubectl() {{ printf %s '{TOKEN}'; }}\n" + block.replace("localhost:8080", f"127.0.0.1:{function.port}")
    command = ["bash", "-euo", "pipefail", "-c", script.replace("curl ", "curl --silent --show-error --fail ")]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout

"""`make doctor`: check this machine, the cluster and the account in vCenter, and say what to do.

The cluster is the one of kubectl's context, and the account that of `VC_URL`, `VC_USERNAME` and `VC_PASSWORD`. What is
not there is skipped. Nothing is changed. The exit status is 1 if a check failed.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipeline import settings
from pipeline.errors import VCenterEventsError
from vsphere import privileges
from vsphere.session import Session
from vsphere.settings import VCenterSettings

KNATIVE_MINIMUM = (1, 18)
"""The oldest Knative that the workflow `e2e` tests."""

NAMESPACE = "vcenter-events"

PROGRAMS = {
    "go": "nothing, if pip can fetch Go. Otherwise install Go 1.21 or newer, to build the simulated vCenter",
    "chromium": "apt install chromium, to run the tests of the page",
    "kubectl": "install kubectl, to use a cluster",
}


class Check(NamedTuple):
    """The result of one check. *advice* says what to do, and is "" if nothing is wrong."""

    name: str
    result: str
    advice: str = ""


def local_programs() -> Iterator[Check]:
    """Check what `make demo` and `make test` need."""
    version = ".".join(map(str, sys.version_info[:3]))
    old = sys.version_info < (3, 11)
    yield Check("Python", version, "use Python 3.11 or newer: make PYTHON=python3.12" if old else "")
    for program, advice in PROGRAMS.items():
        path = shutil.which(program)
        yield Check(program, path or "not on PATH", "" if path else advice)


def kubectl(*arguments: str) -> tuple[int, str]:
    """Return the exit status and the output of kubectl, or its error in one line."""
    command = ["kubectl", "--request-timeout", "10s", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout if done.returncode == 0 else " ".join(done.stderr.split())).strip()


def cluster() -> Iterator[Check]:
    """Check the cluster of kubectl's context: Knative, the class of its Brokers, and our installation."""
    status, output = kubectl("version", "--output", "json")
    if status:
        yield Check("cluster", "not reachable", f"set KUBECONFIG or kubectl's context, unless you need none: {output}")
        return
    yield Check("cluster", json.loads(output)["serverVersion"]["gitVersion"])
    for part in ("serving", "eventing"):
        yield knative(part, *kubectl("get", "namespace", f"knative-{part}", "--output", "json"))
    yield broker_class(*kubectl("-n", "knative-eventing", "get", "configmap", "config-br-defaults", "-o", "json"))
    status, output = kubectl("-n", NAMESPACE, "get", "ksvc,trigger,broker", "--output", "json")
    items = json.loads(output)["items"] if status == 0 else []
    if not items:
        yield Check("installation", f"none in the namespace {NAMESPACE}")
    for item in items:
        yield readiness(item)
    if items:
        yield from filled_in()


def knative(part: str, status: int, output: str) -> Check:
    """Check the version of a *part* of Knative, from kubectl's answer about its namespace."""
    labels = json.loads(output)["metadata"].get("labels", {}) if status == 0 else {}
    version = labels.get("app.kubernetes.io/version", "")
    if status:
        return Check(f"Knative {part}", "not installed", f"install Knative {part.capitalize()}, or run `make kind`")
    numbers = tuple(int(number) for number in version.split(".")[:2] if number.isdecimal())
    old = bool(numbers) and numbers < KNATIVE_MINIMUM
    minimum = ".".join(map(str, KNATIVE_MINIMUM))
    return Check(f"Knative {part}", version or "of unknown version", f"upgrade to {minimum} or newer" if old else "")


def broker_class(status: int, output: str) -> Check:
    """Check that Brokers have a default class, from kubectl's answer about config-br-defaults."""
    text = json.dumps(json.loads(output).get("data", {})) if status == 0 else ""
    present = "MTChannelBasedBroker" in text
    advice = "" if present else "install mt-channel-broker, or set the class of your Broker in config/040-broker.yaml"
    return Check("Broker class", "MTChannelBasedBroker" if present else "not the default", advice)


def readiness(item: Mapping[str, object]) -> Check:
    """Check that an object of our installation is ready."""
    metadata, status = item["metadata"], item.get("status")
    assert isinstance(metadata, Mapping)  # noqa: S101 - the API server's
    conditions = status.get("conditions", []) if isinstance(status, Mapping) else []
    ready = next((condition for condition in conditions if condition["type"] == "Ready"), {"status": "Unknown"})
    name = f"{item['kind']} {metadata['name']}"
    if ready["status"] == "True":
        return Check(name, "ready")
    reason = ready.get("message") or ready.get("reason") or "its controller has not looked at it"
    advice = f"kubectl -n {NAMESPACE} describe {str(item['kind']).lower()} {metadata['name']}"
    return Check(name, f"not ready: {reason}", advice)


def filled_in() -> Iterator[Check]:
    """Check that the templates of the installation have what the functions need."""
    for kind, name, key in (
        ("configmap", "vcenter", "VC_URL"),
        ("secret", "vcenter-credentials", "username"),
        ("secret", "notify", "NOTIFY_URLS"),
        ("secret", "deadletter", "DEADLETTER_TOKEN"),
    ):
        template = f'{{{{if index .data "{key}"}}}}set{{{{end}}}}'  # never the value
        _, output = kubectl("-n", NAMESPACE, "get", kind, name, "--output", f"go-template={template}")
        advice = "" if output == "set" else f"kubectl -n {NAMESPACE} patch {kind} {name}: see the comment in config/"
        yield Check(f"{key} in {kind} {name}", "set" if output == "set" else "not set", advice)


def vcenter(environ: Mapping[str, str]) -> Iterator[Check]:
    """Check that the account of *environ* can log in and may read all events."""
    if not environ.get("VC_URL"):
        yield Check("vCenter", "not checked: VC_URL is not set")
        return
    try:
        account = settings.read(VCenterSettings, environ)
        session = Session(account, 20)
        try:
            session.connect()
            lacking = privileges.missing(session, privileges.READ_EVENTS)
        finally:
            session.close()
    except VCenterEventsError as error:
        yield Check("vCenter", "cannot be read", str(error))
        return
    yield Check("vCenter", f"logged in to {account.sdk_url}")
    advice = "give the account the role Read-only on the root folder, and let it propagate" if lacking else ""
    yield Check("privileges", f"missing: {', '.join(lacking)}" if lacking else "enough to read events", advice)


def main(environ: Mapping[str, str]) -> int:
    """Print every check. Return 1 if one needs an action."""
    failed = 0
    parts = [local_programs(), cluster() if shutil.which("kubectl") else iter(()), vcenter(environ)]
    for check in (check for part in parts for check in part):
        print(f"{'TO DO' if check.advice else 'ok':5}  {check.name}: {check.result}", flush=True)
        if check.advice:
            failed += 1
            print(f"       → {check.advice}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(os.environ))

"""The manifests of this repository, and those that several tests run on `local/`."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.support.requirements import require

ROOT = Path(__file__).parent.parent.parent

Object = dict[str, Any]

TOKEN = "token of the tests"
"""The `DEADLETTER_TOKEN` of deadletter functions in tests."""

AUTHORIZATION = {"authorization": f"Bearer {TOKEN}"}
"""The header of requests that redrive, drop and hand over."""

BROKER_WITH_DEAD_LETTERS = (
    f"""
apiVersion: v1
kind: Secret
metadata: {{name: deadletter, namespace: vcenter-events}}
stringData: {{DEADLETTER_TOKEN: {TOKEN}}}
---
"""
    """
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default, namespace: vcenter-events}
spec:
  delivery:
    retry: 1
    backoffPolicy: exponential
    backoffDelay: PT0.1S
    deadLetterSink:
      ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: deadletter}
---
apiVersion: sources.knative.dev/v1
kind: SinkBinding
metadata: {name: deadletter, namespace: vcenter-events}
spec:
  subject: {apiVersion: serving.knative.dev/v1, kind: Service, name: deadletter}
  sink:
    ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: default}
---
"""
)
"""The Broker of config/ with a quick retry: what it cannot deliver goes to deadletter, and is redriven to it."""


def objects_in(*folders: str) -> list[Object]:
    """Return the objects in *folders* below the root, in order of file names, without Kustomizations."""
    files = [file for folder in folders for file in sorted((ROOT / folder).glob("*.yaml"))]
    objects = [content for file in files for content in yaml.safe_load_all(file.read_text())]
    return [content for content in objects if content["kind"] != "Kustomization"]


def rendered(folder: Path) -> list[Object]:
    """Return the objects that `kubectl apply -k` applies. Skips or fails the test without kubectl."""
    kubectl = require("kubectl")
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def identity(content: Object) -> str:
    """Return kind and name, as `Service notify`."""
    return f"{content['kind']} {content['metadata']['name']}"


def container(service: Object) -> Object:
    """Return the only container of a Service."""
    (only,) = service["spec"]["template"]["spec"]["containers"]
    return dict(only)


def environment(variables: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return name → value of the variables that have both."""
    return {variable["name"]: variable["value"] for variable in variables if {"name", "value"} <= variable.keys()}


def event_types(trigger_filter: object) -> Iterator[str]:
    """Yield each exact `type` anywhere in a Trigger's filter or filters."""
    if isinstance(trigger_filter, dict):
        for key, value in trigger_filter.items():
            if key == "type" and isinstance(value, str):
                yield value
            else:
                yield from event_types(value)
    elif isinstance(trigger_filter, list):
        for nested in trigger_filter:
            yield from event_types(nested)

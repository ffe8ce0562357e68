"""A Service's environment: where each value comes from, and which files stand in for volumes."""

import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local.environment import Service, cluster_addresses, environment
from local.manifests import load
from local.objects import Name

OBJECTS = """
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: poller}
spec:
  template:
    spec:
      containers:
        - image: vcenter-events
          envFrom:
            - configMapRef: {name: vcenter}
            - secretRef: {name: absent, optional: true}
            - secretRef: {name: credentials}
              prefix: LOGIN_
          env:
            - {name: FUNCTION, value: poller}
            - {name: VC_INSECURE, value: "true"}
            - {name: USERNAME, valueFrom: {secretKeyRef: {name: credentials, key: user}}}
            - {name: ABSENT, valueFrom: {configMapKeyRef: {name: vcenter, key: none, optional: true}}}
            - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
            - {name: VC_SECRET_PATH, value: /var/bindings/vsphere}
            - {name: SCRATCH, value: /var/bindings/vsphere/scratch/file}
            - {name: NEAR, value: /var/bindings/vsphere2}
            - {name: DEAD_LETTERS, value: "http://deadletter.other.svc.cluster.local/api"}
            - {name: ELSEWHERE, value: "http://deadletter.other.svc.cluster.localhost"}
            - {name: CHECKPOINT, value: "configmap:poller-configmap"}
          volumeMounts:
            - {name: credentials, mountPath: /var/bindings/vsphere, readOnly: true}
            - {name: scratch, mountPath: /var/bindings/vsphere/scratch}
            - {name: tmp, mountPath: /tmp}
      volumes:
        - {name: credentials, secret: {secretName: credentials}}
        - {name: scratch, emptyDir: {sizeLimit: 1Mi}}
        - {name: tmp, emptyDir: {}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: vcenter}, data: {VC_URL: "https://vc/sdk", VC_INSECURE: "false"}}
---
{apiVersion: v1, kind: Secret, metadata: {name: credentials}, stringData: {user: bob}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: poller-configmap}, data: {checkpoint: '{"lastEventKey": 7}'}}
"""
OWN = {"HOME": "/tmp/home", "PATH": "/bin", "VC_PASSWORD": "the engine's own", "TMPDIR": "/elsewhere"}


@pytest.fixture
def environ(manifest: Callable[..., Path], tmp_path: Path) -> dict[str, str]:
    objects = load([manifest(OBJECTS)])
    [service] = objects.of(Service).values()
    return environment(service, objects, tmp_path / "state", OWN, {"K_SINK": "http://broker/"})


def test_values_come_from_the_manifest_and_the_binding(environ: dict[str, str]) -> None:
    assert environ["FUNCTION"] == "poller"
    assert environ["VC_URL"] == "https://vc/sdk"
    assert environ["VC_INSECURE"] == "true"
    assert environ["LOGIN_user"] == environ["USERNAME"] == "bob"
    assert environ["POD"] == "default"
    assert environ["K_SINK"] == "http://broker/"
    assert "ABSENT" not in environ


def test_process_gets_little_of_the_engines_environment(environ: dict[str, str]) -> None:
    assert environ["HOME"] == "/tmp/home"
    assert environ["PATH"] == f"{Path(sys.executable).parent}:/bin"
    assert "VC_PASSWORD" not in environ


def test_volume_is_a_private_folder_that_variables_point_at(environ: dict[str, str], tmp_path: Path) -> None:
    folder = Path(environ["VC_SECRET_PATH"])

    assert (folder / "user").read_text() == "bob"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "user").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert environ["SCRATCH"] == str(tmp_path / "state/volumes/default/poller/scratch/file")
    assert environ["TMPDIR"] == str(tmp_path / "state/volumes/default/poller/tmp")
    assert environ["NEAR"] == "/var/bindings/vsphere2"


def test_checkpoint_is_a_file_with_what_the_config_map_had(environ: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "state/configmaps/default/poller-configmap.json"

    assert environ["CHECKPOINT"] == f"file:{path}"
    assert path.read_text() == '{"lastEventKey": 7}'


def test_checkpoint_of_an_earlier_run_is_kept(manifest: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "state/configmaps/default/poller-configmap.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"lastEventKey": 99}')
    objects = load([manifest(OBJECTS)])
    [service] = objects.of(Service).values()

    environment(service, objects, tmp_path / "state", OWN, {})

    assert path.read_text() == '{"lastEventKey": 99}'


def test_cluster_address_of_a_service_becomes_the_local_one(manifest: Callable[..., Path], tmp_path: Path) -> None:
    objects = load([manifest(OBJECTS)])
    [service] = objects.of(Service).values()
    addresses = cluster_addresses({Name("other", "deadletter"): "http://127.0.0.1:4711"})

    environ = environment(service, objects, tmp_path / "state", OWN, {}, addresses)

    assert environ["DEAD_LETTERS"] == "http://127.0.0.1:4711/api"
    assert environ["ELSEWHERE"] == "http://deadletter.other.svc.cluster.localhost"

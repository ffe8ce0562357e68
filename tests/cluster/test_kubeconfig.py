"""Tests of kubeconfig: files are merged as kubectl does, and every way to log in is used."""

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster.client import ClusterClient
from cluster.connection import Connection
from cluster.errors import ClusterError
from cluster.kubeconfig import Kubeconfig, merge, paths, read
from cluster.resources import NAMESPACES
from tests.support.api_server import ApiServer

Entry = dict[str, Any]


def document(name: str = "test", user: Entry | None = None, **cluster: Any) -> Entry:
    """Return a kubeconfig with one context, cluster and user, all of one name."""
    return {
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": f"{name}-ns"}}],
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example", **cluster}}],
        "users": [{"name": name, "user": user or {}}],
    }


def connection(folder: Path, user: Entry | None = None, **cluster: Any) -> Connection:
    """Return the connection of a kubeconfig in *folder* with one user."""
    return merge([(folder / "config", document(user=user, **cluster))]).connection("", {"PATH": os.environ["PATH"]})


def test_first_file_that_names_something_wins(tmp_path: Path) -> None:
    second = {**document("b"), "clusters": [*document("b")["clusters"], *document("test", server="x")["clusters"]]}

    merged = merge([(tmp_path / "a", document("test")), (tmp_path / "b", second)])

    assert merged.connection("", {}).url == "https://test.example"
    assert (merged.connection("b", {}).url, merged.connection("b", {}).namespace) == ("https://b.example", "b-ns")


def test_files_that_do_not_exist_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "b").write_text(json.dumps(document("b")))
    setting = os.pathsep.join([str(tmp_path / "absent"), str(tmp_path / "b")])

    assert read(paths(setting, tmp_path)).current_context == "b"
    assert read(paths("", tmp_path)) == Kubeconfig()
    assert paths("", tmp_path) == [tmp_path / ".kube" / "config"]


def test_paths_are_relative_to_their_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")

    result = connection(tmp_path, {"tokenFile": "token"}, **{"certificate-authority": "ca.crt"})

    assert result.ca_file == str(tmp_path / "ca.crt")
    assert result.authorization() == "Bearer secret"


@pytest.mark.parametrize(
    ("user", "header"),
    [
        ({"token": "t"}, "Bearer t"),
        ({"username": "u", "password": "p"}, f"Basic {base64.b64encode(b'u:p').decode()}"),
        ({"auth-provider": {"name": "oidc", "config": {"id-token": "i"}}}, "Bearer i"),
        ({}, None),
    ],
)
def test_user_has_the_header_of_the_login(tmp_path: Path, user: Entry, header: str | None) -> None:
    assert connection(tmp_path, user).authorization() == header


def program(status: Entry, **settings: Any) -> Entry:
    """Return a user whose program prints an ExecCredential with *status*."""
    credential = json.dumps({"kind": "ExecCredential", "status": status})
    return {"exec": {"command": sys.executable, "args": ["-c", f"print({credential!r})"], **settings}}


def test_program_logs_in(tmp_path: Path) -> None:
    user = program({"token": "t", "clientCertificateData": "C", "clientKeyData": "K"})

    result = connection(tmp_path, user)

    assert (result.authorization(), result.client_certificate) == ("Bearer t", ("C", "K"))


def test_program_runs_again_when_the_token_expires(tmp_path: Path) -> None:
    script = """\
import datetime, json, os, pathlib
file = pathlib.Path(os.environ["COUNT"]); count = len(file.read_text()) if file.exists() else 0
file.write_text("x" * (count + 1))
print(json.dumps({"status": {"token": str(count), "expirationTimestamp": "2020-01-01T00:00:00Z"}}))"""
    entries = [{"name": "COUNT", "value": str(tmp_path / "count")}]

    result = connection(tmp_path, {"exec": {"command": sys.executable, "args": ["-c", script], "env": entries}})

    assert [result.authorization(), result.authorization()] == ["Bearer 1", "Bearer 2"]


@pytest.mark.parametrize(
    ("user", "message"),
    [
        ({"exec": {"command": "no-such-program", "installHint": "Get it"}}, "no-such-program is not installed: Get it"),
        ({"exec": {"command": "false"}}, "log in to the cluster by false: exit status 1"),
        ({"exec": {"command": "true"}}, "true printed no ExecCredential"),
        ({"auth-provider": {"name": "gcp"}}, 'auth provider "gcp" of the kubeconfig has no token'),
        ({"client-certificate-data": "é", "client-key-data": "x"}, "client-certificate-data .* is not base64"),
        ({"client-certificate": "absent", "client-key": "absent"}, "absent, which the kubeconfig names"),
    ],
)
def test_login_that_fails_says_what_to_do(tmp_path: Path, user: Entry, message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        connection(tmp_path, user)


def test_unknown_names_are_answered_with_the_known_ones(tmp_path: Path) -> None:
    merged = merge([(tmp_path / "a", document("a")), (tmp_path / "b", document("b"))])

    with pytest.raises(ClusterError, match=r'no context "c"\. It has: a, b'):
        merged.connection("c", {})
    with pytest.raises(ClusterError, match="no current context"):
        Kubeconfig().connection("", {})


@pytest.mark.parametrize("text", ["a: [", "[1, 2]", "contexts: [{context: {}}]", "contexts: 5"])
def test_file_of_another_form_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)

    with pytest.raises(ClusterError, match=str(tmp_path / "config")):
        read([tmp_path / "config"])


# ── at a real API server ──


@pytest.mark.cluster
def test_embedded_authority_and_server_name_are_used(api_server: ApiServer, tmp_path: Path) -> None:
    authority = base64.b64encode(api_server.ca_file.read_bytes()).decode()
    cluster = {"server": api_server.url, "certificate-authority-data": authority}
    user = {"token": api_server.token}

    for name in ("127.0.0.1", "kubernetes.default"):
        with ClusterClient(connection(tmp_path, user, **cluster, **{"tls-server-name": name})) as client:
            assert client.get(NAMESPACES, "", "default")["metadata"]["name"] == "default"
    wrong = connection(tmp_path, user, **cluster, **{"tls-server-name": "other.example"})
    with ClusterClient(wrong) as client, pytest.raises(ClusterError, match="match"):
        client.get(NAMESPACES, "", "default")
    with ClusterClient(connection(tmp_path, user, server=api_server.url)) as client:  # noqa: SIM117
        with pytest.raises(ClusterError, match="certificate"):
            client.get(NAMESPACES, "", "default")

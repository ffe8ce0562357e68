"""`kn vsphere` in this process: a command line in, its status, output and errors out."""

import io
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kn_vsphere.program import run
from tests.support.api_server import ApiServer


class Outcome(NamedTuple):
    """The end of a command."""

    status: int
    out: str
    err: str


def kn_vsphere(line: str, environ: Mapping[str, str] | None = None, stdin: str = "") -> Outcome:
    """Run a command line, which is split as a shell does."""
    out, err = io.StringIO(), io.StringIO()
    status = run(shlex.split(line), environ or {}, (io.StringIO(stdin), out, err))
    return Outcome(status, out.getvalue(), err.getvalue())


def kubeconfig(server: ApiServer, folder: Path, namespace: str = "", token: str = "", url: str = "") -> Path:
    """Write a kubeconfig for *server* into *folder*, of an administrator unless *token* is another one's."""
    context: dict[str, Any] = {"cluster": "test", "user": "test", **({"namespace": namespace} if namespace else {})}
    cluster = {"server": url or server.url, "certificate-authority": str(server.ca_file)}
    file = folder / "config"
    content = {
        "current-context": "test",
        "contexts": [{"name": "test", "context": context}],
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": {"token": token or server.token}}],
    }
    file.write_text(json.dumps(content))
    return file

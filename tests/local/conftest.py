"""Fixtures of the tests of `local/`: manifests in a folder, and a project whose function is a small server."""

from collections.abc import Callable
from pathlib import Path

import pytest

SERVER = """
import http.server, json, os, signal, subprocess, sys

mode = os.environ.get("MODE", "")
if mode == "invalid":
    print("COLOUR is not set")
    sys.exit(2)
if mode == "crash-once" and not os.path.exists(os.environ["MARK"]):
    open(os.environ["MARK"], "w").close()
    print("first run fails", flush=True)
    sys.exit(1)
if mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "600"]) if mode == "child" else None

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"pid": os.getpid(), "child": child and child.pid, "environ": dict(os.environ)}).encode()
        self.send_response(200 if mode != "unready" else 503)
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/die":
            os._exit(1)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        print("got", self.headers["ce-type"], self.headers["ce-id"], body.decode(), flush=True)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass

print("listening", flush=True)
http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Callable[..., Path]:
    """Write a manifest file. Return its path."""

    def write(text: str, name: str = "objects.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose `web:` line runs a small server, which MODE makes behave or not."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "server.py").write_text(SERVER)
    (root / "Procfile").write_text("release: true\nweb: python server.py\n")
    return root

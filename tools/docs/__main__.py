"""`python -m tools.docs`: build the documentation's site, and check it. `--serve` shows it."""

import argparse
import functools
import http.server
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.docs.site import faults

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ROOT / ".cache/docs/packages"
"""The folder into which the Makefile installs Zensical."""

PROJECT = ROOT / ".cache/docs/project"
"""Zensical's project. It is apart from this one, because Zensical deletes the folder `.cache` beside its settings."""

SITE = PROJECT / "site"


def main(arguments: Sequence[str]) -> int:
    """Build and check the site. Return 0 if it has no faults."""
    parser = argparse.ArgumentParser(prog="python -m tools.docs", description=__doc__)
    parser.add_argument("--serve", action="store_true", help="then serve it on the loopback, until Ctrl-C")
    options = parser.parse_args(arguments)
    status = build()
    if status:
        return status
    problems = faults(SITE, ROOT / "docs")
    if problems:
        print(*problems, sep="\n", file=sys.stderr)
        return 1
    print(f"{len(list(SITE.rglob('*.html')))} pages in {SITE.relative_to(ROOT)}, no broken links or anchors")
    if options.serve:
        serve()
    return 0


def build() -> int:
    """Build the site. Return the exit status of Zensical."""
    shutil.rmtree(PROJECT, ignore_errors=True)
    shutil.copytree(ROOT / "docs", PROJECT / "docs")
    shutil.copy(Path(__file__).with_name("zensical.toml"), PROJECT)
    environ = {**os.environ, "PYTHONPATH": str(PACKAGES)}
    command = [sys.executable, "-m", "zensical", "build"]
    return subprocess.run(command, cwd=PROJECT, env=environ, check=False).returncode


def serve() -> None:
    """Serve the site on a free port of the loopback."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=SITE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        print(f"http://127.0.0.1:{server.server_port}/", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

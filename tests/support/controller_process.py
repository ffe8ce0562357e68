"""The controller as a process of its own, as the image runs it, at a test's API server.

`python -m tests.support.controller_process URL CA_FILE TOKEN_FILE NAMESPACE` runs the launcher with the settings in the
environment. The four arguments stand for what a pod finds in its file system.
"""

import os
import sys
from pathlib import Path

import launcher
from cluster.connection import Connection, TokenFile
from functions import controller


def main(arguments: list[str]) -> int:
    """Run the launcher until a signal. Returns its exit code."""
    url, ca_file, token_file, namespace = arguments
    own = Connection(url, ca_file, TokenFile(Path(token_file)), namespace=namespace)
    vars(controller)["connect"] = lambda _environ: own  # a pod's file system is the one thing that it lacks here
    return launcher.main([], os.environ)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

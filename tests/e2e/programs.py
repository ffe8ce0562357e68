"""kn and func, which some tests run: the user's own, or built from the Go modules in `kn/` and `func/`.

`python -m tests.e2e.programs` builds what is missing. `make e2e` and `.ci/run` do this before the tests: the cluster's
network may lack the way to the modules.
"""

import shutil
import sys
from pathlib import Path

from demo import golang

HERE = Path(__file__).parent


def kn() -> Path:
    """Knative's client. Raises `golang.NotBuilt`."""
    on_path = shutil.which("kn")
    return Path(on_path) if on_path else golang.build(HERE / "kn")


def func() -> Path:
    """Its plugin for functions, `kn func`. Raises `golang.NotBuilt`."""
    on_path = shutil.which("kn-func") or shutil.which("func")
    return Path(on_path) if on_path else golang.build(HERE / "func")


if __name__ == "__main__":
    try:
        kn()
        func()
    except golang.NotBuilt as error:
        sys.exit(f"SKIPPED: the tests of kn and kn func. {error}")

"""The version of the plugin, and the commit that it was built from.

The build writes `_build.py` (plugin/hatch_build.py). In the repository, where nothing is built, `runtime` has the
version.
"""

import re
from pathlib import Path
from typing import NamedTuple

from kn_vsphere.call import Call

RUNTIME = Path(__file__).parents[2] / "runtime" / "__init__.py"


class Build(NamedTuple):
    """The lines of `kn vsphere version`."""

    version: str
    """`v0.1.0`."""
    date: str
    """The time of the commit, RFC 3339."""
    revision: str


def show(call: Call) -> None:
    """Print version, build date and revision."""
    build = current()
    call.print(f"Version:      {build.version}")
    call.print(f"Build Date:   {build.date}")
    call.print(f"Git Revision: {build.revision}")


def current() -> Build:
    """Return the build that runs."""
    try:
        from kn_vsphere import _build  # type: ignore[attr-defined,unused-ignore] # noqa: PLC0415 - the build writes it
    except ImportError:
        return Build(f"v{version_in(RUNTIME.read_text(encoding='utf-8'))}", "unknown", "unknown")
    return Build(f"v{_build.VERSION}", _build.DATE, _build.REVISION)


def version_in(module: str) -> str:
    """Return the `VERSION` in the text of a *module*."""
    match = re.search(r'^VERSION = "([^"]+)"', module, re.MULTILINE)
    return match[1] if match else "0.0.0"

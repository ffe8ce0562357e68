"""The version of the plugin, and the commit that it was built from.

The build writes `_build.py` (plugin/hatch_build.py). In the repository, where nothing is built, pyproject.toml has the
version.
"""

import re
from pathlib import Path
from typing import NamedTuple

from kn_vsphere.call import Call

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


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
        return Build(f"v{version_in(PYPROJECT.read_text(encoding='utf-8'))}", "unknown", "unknown")
    return Build(f"v{_build.VERSION}", _build.DATE, _build.REVISION)


def version_in(pyproject: str) -> str:
    """Return the `version` in a *pyproject* file's text, or the one of a project that has none yet."""
    match = re.search(r'^version = "([^"]+)"', pyproject, re.MULTILINE)
    return match[1] if match else "0.1.0"

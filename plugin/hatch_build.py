"""The build hook of the plugin: it writes the version, and the commit and its time, for `kn vsphere version`."""

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):
    """Adds `kn_vsphere/_build.py` to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Write the module into a temporary folder, which the build then reads."""
        revision, date = git(self.root, "%H"), git(self.root, "%cI")
        file = Path(tempfile.mkdtemp(prefix="kn-vsphere-")) / "_build.py"
        values = {"VERSION": self.metadata.version, "DATE": date, "REVISION": revision}
        file.write_text("".join(f"{name} = {value!r}\n" for name, value in values.items()), encoding="utf-8")
        build_data["force_include"][str(file)] = "kn_vsphere/_build.py"


def git(folder: str, form: str) -> str:
    """Return a field of the commit, or `unknown` outside of a repository."""
    command = ["git", "-C", folder, "show", "--no-patch", f"--format={form}", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"

"""docs/reference/kn-vsphere.md, and the program of one file."""

import ast
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

from tools import kn_vsphere, plugin


def test_reference_is_up_to_date() -> None:
    assert kn_vsphere.PAGE.read_text(encoding="utf-8") == kn_vsphere.page(), "run: python -m tools.kn_vsphere"


def test_program_of_one_file_runs_and_is_reproducible(tmp_path: Path) -> None:
    wheel = tmp_path / "kn_vsphere.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in (plugin.PYPROJECT.parent / "kn_vsphere").rglob("*.py"):
            archive.write(file, file.relative_to(plugin.PYPROJECT.parent))
        archive.writestr("kn_vsphere/_build.py", "VERSION = '1.2.3'\nDATE = 'then'\nREVISION = 'abc'\n")

    plugin.write(wheel, tmp_path / "a")
    plugin.write(wheel, tmp_path / "b")
    done = subprocess.run([sys.executable, "-I", tmp_path / "a", "version"], capture_output=True, text=True, check=True)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert done.stdout == "Version:      v1.2.3\nBuild Date:   then\nGit Revision: abc\n"


def test_wheel_has_every_module_that_the_plugin_imports() -> None:
    build = tomllib.loads(plugin.PYPROJECT.read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    vendored = tuple(path.removeprefix("kn_vsphere/_vendor/") for path in build["force-include"].values())
    root = plugin.PYPROJECT.parent.parent
    imported = {
        node.module.replace(".", "/")
        for file in (plugin.PYPROJECT.parent / "kn_vsphere").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and (root / node.module.partition(".")[0]).is_dir()
    }

    assert "vsphere/session" in imported
    assert [module for module in sorted(imported) if not f"{module}.py".startswith(vendored)] == []

"""`python -m tools.plugin WHEEL FILE` makes the program of one file, a zipapp, from the plugin's wheel.

The packages that it needs are copied as .venv has them, and requirements.txt pins those. All parts have the same date
and a fixed order, so that equal sources make equal files.
"""

import py_compile
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parent.parent / "plugin" / "pyproject.toml"
SHEBANG = b"#!/usr/bin/env python3\n"
DATE = (2026, 1, 1, 0, 0, 0)
MAIN = """\
import sys

if sys.version_info < (3, 11):
    sys.exit("Error: kn-vsphere needs Python 3.11 or newer; %s is %s" % (sys.executable, sys.version.split()[0]))

from kn_vsphere import main

main()
"""


def write(wheel: Path, target: Path) -> None:
    """Write the program *target*, executable, from *wheel*."""
    parts = {"__main__.py": MAIN.encode(), **dict(_of_wheel(wheel))}
    for name in dependencies():
        parts.update(_of_package(name))
    with target.open("wb") as file:
        file.write(SHEBANG)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name in sorted(parts):
                archive.writestr(_entry(name), parts[name], zipfile.ZIP_DEFLATED, 9)
    target.chmod(0o755)


def dependencies() -> list[str]:
    """Return the names of the packages that the plugin needs."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    return [requirement.partition(">=")[0] for requirement in project["dependencies"]]


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, DATE)
    entry.external_attr = 0o644 << 16
    return entry


def _of_wheel(wheel: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if ".dist-info/" in name:
                continue
            content = archive.read(name)
            yield name, content
            if name.endswith(".py") and "_vendor" not in name:
                yield f"{name}c", _compiled(name, content)


def _compiled(name: str, source: bytes) -> bytes:
    """Return the bytecode of a module, which another version of Python passes over for the source."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "module.py"
        file.write_bytes(source)
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(file), str(file.with_suffix(".pyc")), name, doraise=True, invalidation_mode=mode)
        return file.with_suffix(".pyc").read_bytes()


def _of_package(name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the Python files of a package, and its license. Compiled parts cannot be imported from a zip."""
    for file in distribution(name).files or ():
        if file.suffix == ".py" or ("dist-info" in str(file) and "license" in file.name.lower()):
            yield str(file), Path(str(file.locate())).read_bytes()


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))

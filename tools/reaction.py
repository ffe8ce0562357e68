"""`python -m tools.reaction NAME`: the files of a reaction of one's own, from the example in `docs/reactions.md`.

It writes functions/NAME.py, triggers/reactions/NAME.yaml, tests/functions/test_NAME.py and a Knative Service,
config/reactions/500-NAME.yaml, and lists them where kustomize looks. The example is read from the page, so
the two cannot differ.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = "naming"
"""What the page's example is called; NAME replaces it."""


class CannotMake(Exception):
    """Why nothing was made."""


def make(root: Path, name: str) -> list[Path]:
    """Make the reaction *name* in the project at *root*; the files that are new. Raises `CannotMake`."""
    if not re.fullmatch(r"[a-z][a-z0-9]{0,30}", name):
        raise CannotMake(f"{name!r} is not lower-case letters and digits, at most 31; for example NAME=greet")
    files = {
        root / "functions" / f"{name}.py": example(root, "python", 0, name),
        root / "triggers" / "reactions" / f"{name}.yaml": example(root, "yaml", 0, name),
        root / "tests" / "functions" / f"test_{name}.py": example(root, "python", 1, name),
        root / "config" / "reactions" / f"500-{name}.yaml": service(root, name),
    }
    present = [str(path.relative_to(root)) for path in files if path.exists()]
    if present:
        raise CannotMake(f"{', '.join(present)}: there already")
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    for folder, file in (("config", f"500-{name}.yaml"), ("triggers", f"{name}.yaml")):
        kustomization = root / folder / "reactions" / "kustomization.yaml"
        enlist(kustomization, r"resources:\n(?:  - [^.].*\n)*", f"  - {file}\n", sort=True)
    return list(files)


def example(root: Path, language: str, number: int, name: str) -> str:
    """The page's block *number* in *language*, under the new name."""
    page = (root / "docs" / "reactions.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"```{language} example\n(.*?)```", page, re.DOTALL)
    return renamed(str(blocks[number]), EXAMPLE, name)


def service(root: Path, name: str) -> str:
    """notify's Knative Service under the new name, without its Secret."""
    notify = (root / "config" / "120-notify.yaml").read_text(encoding="utf-8").split("---\n")[1]
    bare = re.sub(r"          envFrom:\n(?: {12}.*\n)*", "", notify)
    bare = re.sub(r"( +max-scale:.*?|/max-scale: \S+) +#.*", r"\1", bare)
    bare = bare.replace("nobody outside may notify", "nobody outside may send any")
    return f"# The reaction `{name}`.\n{renamed(bare, 'notify', name)}"


def renamed(text: str, old: str, new: str) -> str:
    """*text* with *old* and its class, `Naming`, called *new*."""
    return re.sub(rf"\b{old.capitalize()}\b", new.capitalize(), re.sub(rf"\b{old}\b", new, text))


def enlist(path: Path, pattern: str, line: str, *, sort: bool = False) -> None:
    """Add *line* to the list that *pattern* finds in the file, at its end or in order of names."""
    text = path.read_text(encoding="utf-8")
    found = re.search(pattern, text)
    if found is None:
        raise CannotMake(f"{path}: its list has another form than this command knows")
    head, *lines = found[0].splitlines(keepends=True)
    listed = sorted([*lines, line]) if sort else [*lines, line]
    path.write_text(text.replace(found[0], "".join([head, *listed])), encoding="utf-8")


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The command line; the exit code."""
    parser = argparse.ArgumentParser(prog="make reaction", description="Make a reaction of your own.")
    parser.add_argument("name", metavar="NAME", help="lower-case letters and digits, such as greet")
    name = parser.parse_args(arguments).name
    try:
        made = make(root, name)
    except CannotMake as error:
        sys.stderr.write(f"make reaction: {error}\n")
        return 2
    for path in made:
        sys.stdout.write(f"{path.relative_to(root)}\n")
    sys.stdout.write(f"Try it: make test ARGS='-k {name}'. docs/reactions.md says what goes where.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

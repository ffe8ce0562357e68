"""`python -m tools.kn_vsphere` writes docs/reference/kn-vsphere.md, the commands of the plugin and their flags."""

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "plugin"))

from kn_vsphere import help as help_text  # noqa: E402 - its folder is on the path now
from kn_vsphere.grammar import Flag  # noqa: E402
from kn_vsphere.grammar import Path as Commands  # noqa: E402
from kn_vsphere.tree import ROOT as PROGRAM  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "kn-vsphere.md"

INTRODUCTION = """\
<!-- `python -m tools.kn_vsphere` writes this page from the code. -->

# kn vsphere

The commands of the kn plugin. [A tutorial](../tutorials/kn-vsphere.md) shows them at work.

Flags may stand anywhere in the line, as `--flag value`, `--flag=value`, `-f value` or `-f=value`. Bool flags also take
a value: `--wait`, `--wait=true`, `--wait true`. Results are on standard output. Errors are on standard error, and the
exit status is then 1, or 130 after Ctrl-C.
"""


def page() -> str:
    """Return docs/reference/kn-vsphere.md."""
    common = _table(help_text.own_flags((PROGRAM,)))
    sections = [_section(path) for path in _commands((PROGRAM,)) if path[-1].run]
    return "\n".join([INTRODUCTION, f"## Flags of every command\n\n{common}", *sections])


def _commands(path: Commands) -> Iterator[Commands]:
    """Yield the paths of all commands below *path*, in the order of the help."""
    for name, _ in help_text.visible(path[-1].commands):
        child = path[-1].child(name)
        if child:
            yield (*path, child)
            yield from _commands((*path, child))


def _section(path: Commands) -> str:
    command = path[-1]
    name = help_text.name_of(path).replace("kn-vsphere", "kn vsphere", 1)
    aliases = f"\n\nAlias: `{'`, `'.join(command.aliases)}`" if command.aliases else ""
    usage = " ".join(part for part in (name, command.arguments) if part)
    flags = [flag for flag in help_text.own_flags(path) if flag.name != "help"]
    flags += [flag for group in path[1:-1] for flag in group.persistent]
    parts = [
        f"## {name}\n",
        f"{command.long or command.help}{aliases}\n",
        f"    {usage}{' [flags]' if flags else ''}\n",
    ]
    if command.examples:
        lines = (f"    {line}".rstrip() for line in command.examples.splitlines())
        parts.append("Examples:\n\n" + "\n".join(lines) + "\n")
    return "\n".join([*parts, *([_table(flags)] if flags else [])])


def _table(flags: list[Flag]) -> str:
    rows = [
        f"| `{help_text.flag_label(flag).strip()}` | {help_text.flag_text(flag)} |" for flag in flags if not flag.hidden
    ]
    return "\n".join(["| flag | meaning |", "|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

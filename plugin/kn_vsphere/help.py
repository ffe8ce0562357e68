"""The text of `--help`, in cobra's layout. Pure but for the width of the terminal."""

import shutil
import textwrap
from collections.abc import Iterable, Sequence
from typing import TextIO

from kn_vsphere.call import Call
from kn_vsphere.grammar import HELP, Command, Flag, Kind, Path

MIN_WIDTH, MAX_WIDTH = 60, 120


def name_of(path: Path) -> str:
    """Return the name of a command, from the program's: `kn-vsphere source list`."""
    return " ".join(command.name for command in path)


def width_of(out: TextIO) -> int:
    """Return the columns that a text on *out* may have."""
    columns = shutil.get_terminal_size((MAX_WIDTH, 24)).columns if out.isatty() else MAX_WIDTH
    return max(MIN_WIDTH, min(columns, MAX_WIDTH))


def of(path: Path, width: int = MAX_WIDTH) -> str:
    """Return the help of the last command of *path*, in at most *width* columns."""
    command = path[-1]
    sections = [
        (command.long or command.help).strip(),
        _usage(path),
        _titled("Aliases", [f"  {', '.join((command.name, *command.aliases))}"] if command.aliases else []),
        _titled("Examples", textwrap.indent(command.examples, "  ").splitlines()),
        _titled("Available Commands", _rows(visible(command.commands), width)),
        _titled("Flags", _flag_rows(own_flags(path), width)),
        _titled("Global Flags", _flag_rows(inherited_flags(path), width)),
        f'Use "{name_of(path)} [command] --help" for more information about a command.' if command.commands else "",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def visible(commands: Iterable[Command]) -> list[tuple[str, str]]:
    """Return name and help of the commands that the help lists, by name."""
    return sorted((command.name, command.help.partition("\n")[0]) for command in commands if not command.hidden)


def own_flags(path: Path) -> list[Flag]:
    """Return the flags that the command of *path* defines, by name."""
    return _sorted((*path[-1].flags, *path[-1].persistent, HELP))


def inherited_flags(path: Path) -> list[Flag]:
    """Return the flags that the commands above define, by name."""
    return _sorted(flag for command in path[:-1] for flag in command.persistent)


def usage_lines(path: Path) -> list[str]:
    """Return the usage of a command: one line for itself, and one for its subcommands."""
    command = path[-1]
    if command.commands:
        return [f"{name_of(path)} [command]"]
    return [" ".join(part for part in (name_of(path), command.arguments, "[flags]") if part)]


def flag_label(flag: Flag) -> str:
    """Return a flag as the help shows it: `-n, --namespace string`."""
    label = f"-{flag.short}, --{flag.name}" if flag.short else f"    --{flag.name}"
    return label if flag.kind is Kind.BOOL else f"{label} {flag.kind.value}"


def flag_text(flag: Flag) -> str:
    """Return the help of a flag, with its default."""
    if not flag.default:
        return flag.help
    shown = f'"{flag.default}"' if flag.kind is Kind.STRING else flag.default
    return f"{flag.help} (default {shown})"


def _sorted(flags: Iterable[Flag]) -> list[Flag]:
    return sorted((flag for flag in flags if not flag.hidden), key=lambda flag: flag.name)


def _usage(path: Path) -> str:
    return _titled("Usage", [f"  {line}" for line in usage_lines(path)])


def _titled(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{title}:", *lines]) if lines else ""


def _flag_rows(flags: Iterable[Flag], width: int) -> list[str]:
    return _rows([(flag_label(flag), flag_text(flag)) for flag in flags], width)


def _rows(rows: Sequence[tuple[str, str]], width: int) -> list[str]:
    """Return rows of two columns. The second one is wrapped."""
    column = min(max((len(name) for name, _ in rows), default=0), width // 2) + 5
    lines = []
    for name, text in rows:
        first, *others = textwrap.wrap(text, width - column, break_on_hyphens=False) or [""]
        head = f"  {name}"
        if len(head) + 2 > column:  # its text begins on the next line
            lines.append(head)
            head = ""
        lines.append(f"{head:<{column}}{first}".rstrip())
        lines += [" " * column + other for other in others]
    return lines


def show(call: Call) -> None:
    """Print the help of the command that the arguments name."""
    path: Path = (call.root,)
    for word in call.flags.arguments:
        child = path[-1].child(word)
        if child is None:
            call.report(f"Unknown help topic `{' '.join(call.flags.arguments)}`")
            break
        path = (*path, child)
    call.out.write(of(path, width_of(call.out)))

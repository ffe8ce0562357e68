"""The grammar of command lines that kn's users know: pflag's, within cobra's tree of commands. Pure.

Flags may stand anywhere, also before the subcommand. The last of a repeated flag wins. `--` ends the flags.
"""

import enum
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}
"""Go's `strconv.ParseBool`."""
BOOLEAN_WORDS = frozenset(text for text in BOOLEANS if len(text) > 1)
"""Words that are taken as the value of the bool flag before them, as in `--skip-tls-verify true`."""

UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
"""Unit of a Go duration → seconds."""

Value = str | bool | float


class Kind(enum.Enum):
    """The type of a flag's value, by the name that the help prints."""

    BOOL = "bool"
    STRING = "string"
    DURATION = "duration"


@dataclass(frozen=True)
class Flag:
    """A flag of a command."""

    name: str
    help: str
    kind: Kind = Kind.STRING
    short: str = ""
    default: str = ""
    """As written on a command line. Empty is the empty string, false or zero seconds."""
    values: tuple[str, ...] = ()
    """Values for shell completion, if they are known without a cluster."""
    completes: str = ""
    """The values for shell completion that have to be looked up: a name of `candidates.LOOKUPS`."""
    hidden: bool = False

    @property
    def default_value(self) -> Value:
        """The parsed default."""
        if self.default:
            return parse_value(self, self.default)
        empty: dict[Kind, Value] = {Kind.BOOL: False, Kind.DURATION: 0.0, Kind.STRING: ""}
        return empty[self.kind]


@dataclass(frozen=True)
class Command:
    """A command, or a group of commands."""

    name: str
    help: str
    run: str = ""
    """The function that runs it: `module:function` within `kn_vsphere`. Empty for a group."""
    flags: tuple[Flag, ...] = ()
    persistent: tuple[Flag, ...] = ()
    """Flags of this command and of all below it."""
    commands: tuple["Command", ...] = ()
    aliases: tuple[str, ...] = ()
    long: str = ""
    """A longer text for its own help."""
    examples: str = ""
    arguments: str = ""
    """The arguments in the usage line, for example `TYPE`."""
    completes: str = ""
    """The arguments for shell completion that have to be looked up, as `Flag.completes`."""
    hidden: bool = False

    def child(self, name: str) -> "Command | None":
        """Return the subcommand of that name or alias."""
        return next((command for command in self.commands if name in (command.name, *command.aliases)), None)


Path = tuple[Command, ...]
"""The commands from the root to the one that is meant."""

HELP = Flag("help", "help for this command", Kind.BOOL, short="h")


class UsageError(Exception):
    """A command line that cannot be understood. The text is what the user reads."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path
        """The commands that were understood."""


@dataclass(frozen=True)
class Invocation:
    """A command line that was understood."""

    path: Path
    values: Mapping[str, Value]
    """Flag → value, with defaults."""
    given: frozenset[str]
    """The flags on the command line."""
    arguments: tuple[str, ...]
    """Words that are neither flags nor commands."""

    @property
    def command(self) -> Command:
        """The command to run."""
        return self.path[-1]

    def text(self, flag: str) -> str:
        """Return the value of a string flag."""
        return str(self.values[flag])

    def is_set(self, flag: str) -> bool:
        """Return the value of a bool flag."""
        return self.values[flag] is True

    def seconds(self, flag: str) -> float:
        """Return the value of a duration flag."""
        return float(self.values[flag])


def parse(root: Command, words: Sequence[str]) -> Invocation:
    """Return the invocation that *words* mean. Raises `UsageError`."""
    path, rest = find(root, words)
    parser = _Parser(path, rest)
    parser.run()
    values = {flag.name: flag.default_value for flag in flags_of(path)} | parser.given
    return Invocation(path, values, frozenset(parser.given), tuple(parser.arguments))


def find(root: Command, words: Sequence[str]) -> tuple[Path, list[str]]:
    """Return the commands that *words* name, from the root, and the words that are left.

    Raises `UsageError` for a word after the root that names no command.
    """
    path, rest = [root], list(words)
    position = 0
    while position < len(rest) and rest[position] != "--":
        word = rest[position]
        if word.startswith("-") and word != "-":
            position += 1 + _takes_next_word(path[-1], flags_of(path), word, rest[position + 1 : position + 2])
            continue
        child = path[-1].child(word)
        if child is None:
            if path == [root] and root.commands:
                raise UsageError(unknown_command(root, word), (root,))
            break
        del rest[position]
        path.append(child)
    return tuple(path), rest


def unknown_command(root: Command, word: str) -> str:
    """Return the text about a *word* that names no command, with commands that look alike."""
    near = [command.name for command in root.commands if not command.hidden and _is_near(word, command.name)]
    suggestion = "\n\nDid you mean this?\n" + "".join(f"\t{name}\n" for name in near) if near else ""
    return f'unknown command "{word}" for "{root.name}"{suggestion}'


def flags_of(path: Sequence[Command]) -> tuple[Flag, ...]:
    """Return the flags that hold for the last command of *path*."""
    inherited = [flag for command in path for flag in command.persistent]
    return (*path[-1].flags, *inherited, HELP)


def parse_value(flag: Flag, text: str) -> Value:
    """Return the value of *flag* that *text* means. Raises ValueError with Go's words."""
    if flag.kind is Kind.BOOL:
        if text not in BOOLEANS:
            raise ValueError(f'strconv.ParseBool: parsing "{text}": invalid syntax')
        return BOOLEANS[text]
    return parse_duration(text) if flag.kind is Kind.DURATION else text


def parse_duration(text: str) -> float:
    """Return the seconds of a Go duration such as `1h30m` or `-1.5s`. Raises ValueError with Go's words."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return 0.0
    seconds = 0.0
    parts = list(re.finditer(r"([0-9]+\.?[0-9]*|\.[0-9]+)([^0-9.]*)", rest))
    if not rest or "".join(part[0] for part in parts) != rest:
        raise ValueError(f'time: invalid duration "{text}"')
    for number, unit in (part.groups() for part in parts):
        if not unit:
            raise ValueError(f'time: missing unit in duration "{text}"')
        if unit not in UNITS:
            raise ValueError(f'time: unknown unit "{unit}" in duration "{text}"')
        seconds += float(number) * UNITS[unit]
    return sign * seconds


class _Parser:
    """One pass over the words that are not commands. `given` and `arguments` are the result."""

    def __init__(self, path: Path, words: Sequence[str]) -> None:
        self._path = path
        self._flags = flags_of(path)
        self._words = list(words)
        self.given: dict[str, Value] = {}
        self.arguments: list[str] = []

    def run(self) -> None:
        """Raises `UsageError`."""
        while self._words:
            word = self._words.pop(0)
            if word == "--":
                self.arguments.extend(self._words)
                return
            if word.startswith("--"):
                self._long(word)
            elif word.startswith("-") and word != "-":
                self._shorts(word)
            else:
                self.arguments.append(word)

    def _long(self, word: str) -> None:
        name, equals, value = word[2:].partition("=")
        if not name or name.startswith("-"):
            raise self._error(f"bad flag syntax: {word}")
        flag = next((flag for flag in self._flags if flag.name == name), None)
        if flag is None:
            raise self._error(f"unknown flag: --{name}")
        self._keep(flag, value if equals else self._next_value(flag, f"--{name}"), f"--{name}")

    def _shorts(self, word: str) -> None:
        """Take joined short flags: `-kA`, `-nx`, `-n=x` or `-n x`."""
        text = word[1:]
        while text:
            short, text = text[0], text[1:]
            flag = next((flag for flag in self._flags if flag.short == short), None)
            if flag is None:
                raise self._error(f"unknown shorthand flag: '{short}' in {word}")
            label = f"-{short}, --{flag.name}"
            if text.startswith("="):
                return self._keep(flag, text[1:], label)
            if text and flag.kind is not Kind.BOOL:
                return self._keep(flag, text, label)
            self._keep(flag, "true" if text else self._next_value(flag, f"'{short}' in {word}"), label)
        return None

    def _next_value(self, flag: Flag, label: str) -> str:
        """Return the value of *flag*, which has none of its own: the next word, or true for a bool flag."""
        if flag.kind is Kind.BOOL:
            return self._words.pop(0) if self._words and self._words[0] in BOOLEAN_WORDS else "true"
        if not self._words:
            raise self._error(f"flag needs an argument: {label}")
        return self._words.pop(0)

    def _keep(self, flag: Flag, text: str, label: str) -> None:
        try:
            self.given[flag.name] = parse_value(flag, text)
        except ValueError as error:
            raise self._error(f'invalid argument "{text}" for "{label}" flag: {error}') from error

    def _error(self, message: str) -> UsageError:
        return UsageError(message, self._path)


def _takes_next_word(command: Command, flags: Sequence[Flag], word: str, following: Sequence[str]) -> bool:
    """Return whether the word after the flag *word* is its value.

    The command that the flag belongs to may be named later, so that the flags of all commands below are considered.
    """
    known = [*flags, *_flags_below(command)]
    if "=" in word:
        return False
    if word.startswith("--"):
        kinds = [flag.kind for flag in known if flag.name == word[2:]]
    else:
        before, last = word[1:-1], word[-1]
        if any(flag.short in before and flag.kind is not Kind.BOOL for flag in known if flag.short):
            return False  # `-nx`: the rest is the value
        kinds = [flag.kind for flag in known if flag.short == last]
    is_boolean = bool(following) and following[0] in BOOLEAN_WORDS
    return any(kind is not Kind.BOOL or is_boolean for kind in kinds)


def _flags_below(command: Command) -> Iterator[Flag]:
    for child in command.commands:
        yield from (*child.flags, *child.persistent)
        yield from _flags_below(child)


def _is_near(word: str, name: str) -> bool:
    """Return whether *name* begins with *word* or differs by at most two edits, as cobra's suggestions do."""
    return name.lower().startswith(word.lower()) or _distance(word.lower(), name.lower()) <= 2


def _distance(left: str, right: str) -> int:
    """Return Levenshtein's distance."""
    row = list(range(len(right) + 1))
    for number, character in enumerate(left, 1):
        previous, row[0] = row[0], number
        for column, other in enumerate(right, 1):
            previous, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, previous + (character != other)),
            )
    return row[-1]

"""Candidates for shell completion: commands, flags, and names that are looked up."""

import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from kn_vsphere import help as help_text
from kn_vsphere.call import Call
from kn_vsphere.grammar import Command, Flag, Invocation, Kind, Path, UsageError, find, flags_of, parse

Candidate = tuple[str, str]
"""A word and its description."""

LOOKUPS = {
    "bindings": "names:bindings",
    "contexts": "names:contexts",
    "eventTypes": "events.types:event_types",
    "horizonSources": "names:horizon_sources",
    "namespaces": "names:namespaces",
    "secrets": "names:secrets",
    "serviceAccounts": "names:service_accounts",
    "sources": "names:sources",
}
"""`Flag.completes` and `Command.completes` → the function that looks the candidates up, `module:function`.

It takes the `Call` so far and returns candidates. If it raises anything, there are none.
"""


class Candidates(NamedTuple):
    """The candidates for a word."""

    items: list[Candidate]
    files: bool = False
    """True if the shell should complete files."""


def of(call: Call) -> Candidates:
    """Return the candidates for the last one of the arguments of *call*."""
    *words, current = call.flags.arguments or ("",)
    try:
        path, _ = find(call.root, words)
    except UsageError:
        return Candidates([])
    flag, prefix, start = _flag_of_value(path, words, current)
    if flag:
        of_flag = _of_flag(flag, lambda: _so_far(call, path, words))
        return Candidates([(f"{prefix}{name}", text) for name, text in _begin(of_flag.items, start)], of_flag.files)
    if current.startswith("-") and "--" not in words:
        return Candidates(_begin(_flags(path), current))
    return Candidates(_begin(_arguments(call, path, words), current))


def _flag_of_value(path: Path, words: Sequence[str], current: str) -> tuple[Flag | None, str, str]:
    """Return the flag whose value *current* is, the part of it before the value, and the value so far."""
    flags = flags_of(path)
    if "--" in words:
        return None, "", ""
    name, equals, value = current.partition("=")
    if current.startswith("--") and equals:
        return next((flag for flag in flags if f"--{flag.name}" == name), None), f"{name}=", value
    last = words[-1] if words else ""
    if not last.startswith("-") or "=" in last:
        return None, "", ""
    matching = (
        flag
        for flag in flags
        if last == f"--{flag.name}" or (flag.short and last[1:2] != "-" and last[-1] == flag.short)
    )
    return next((flag for flag in matching if flag.kind is not Kind.BOOL), None), "", current


def _of_flag(flag: Flag, so_far: Callable[[], Call]) -> Candidates:
    if flag.values:
        return Candidates([(value, "") for value in flag.values])
    if flag.completes == "files":
        return Candidates([], files=True)
    return Candidates(_look_up(flag.completes, so_far))


def _flags(path: Path) -> list[Candidate]:
    visible = [*help_text.own_flags(path), *help_text.inherited_flags(path)]
    return [(f"--{flag.name}", flag.help.partition("\n")[0]) for flag in visible]


def _arguments(call: Call, path: Path, words: Sequence[str]) -> list[Candidate]:
    command = path[-1]
    if command.run == "help:show":
        return _topics(call, words[words.index(command.name) + 1 :])
    if command.commands:
        return help_text.visible(command.commands)
    return _look_up(command.completes, lambda: _so_far(call, path, words))


def _topics(call: Call, words: Sequence[str]) -> list[Candidate]:
    command: Command | None = call.root
    for word in words:
        command = command.child(word) if command else None
    return help_text.visible(command.commands) if command else []


def _look_up(name: str, so_far: Callable[[], Call]) -> list[Candidate]:
    if name not in LOOKUPS:
        return []
    module, _, function = LOOKUPS[name].partition(":")
    try:
        return list(getattr(importlib.import_module(f"kn_vsphere.{module}"), function)(so_far()))
    except Exception:  # noqa: BLE001 - without a cluster, a login or a right there are no candidates, and no message
        return []


def _so_far(call: Call, path: Path, words: Sequence[str]) -> Call:
    """Return the call that the words before the last one make."""
    try:
        invocation = parse(call.root, words)
    except UsageError:  # the flag whose value is being typed
        try:
            invocation = parse(call.root, words[:-1])
        except UsageError:
            invocation = Invocation(path, {flag.name: flag.default_value for flag in flags_of(path)}, frozenset(), ())
    return Call(call.root, invocation, call.environ, (call.stdin, call.out, call.err))


def _begin(candidates: Iterable[Candidate], start: str) -> list[Candidate]:
    return [candidate for candidate in candidates if candidate[0].startswith(start)]

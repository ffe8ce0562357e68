"""One run of the program: parse, check, run the command, report its error."""

import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from kn_vsphere import help as help_text
from kn_vsphere.call import Call
from kn_vsphere.errors import CheckError, CommandError
from kn_vsphere.grammar import Command, Invocation, UsageError, parse
from kn_vsphere.tree import ROOT

COMPLETERS = {
    "__complete": "completion:complete",
    "__completeNoDesc": "completion:complete_without_descriptions",
}
"""The hidden commands that the scripts of `completion` run."""

INTERRUPTED = 130
"""The exit status after Ctrl-C: 128 and the number of SIGINT, as shells have it."""


def main() -> int:
    """Run the command line of this process. Return the exit status."""
    try:
        status = run(sys.argv[1:], os.environ, (sys.stdin, sys.stdout, sys.stderr), owns_process=True)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output has enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def run(
    words: Sequence[str],
    environ: Mapping[str, str],
    streams: tuple[TextIO, TextIO, TextIO],
    root: Command = ROOT,
    owns_process: bool = False,
) -> int:
    """Run the command that *words* name. *streams* are input, output and errors. Return the exit status.

    Raises KeyboardInterrupt and BrokenPipeError.
    """
    _, out, err = streams
    if words and words[0] in COMPLETERS:
        typed = Invocation((root,), {}, frozenset(), tuple(words[1:]))
        function(COMPLETERS[words[0]])(Call(root, typed, environ, streams, owns_process))
        return 0
    try:
        invocation = parse(root, words)
    except UsageError as error:
        err.write(f"Error: {error}\nRun '{help_text.name_of(error.path)} --help' for usage.\n")
        return 1
    if invocation.is_set("help") or not invocation.command.run:
        out.write(help_text.of(invocation.path, help_text.width_of(out)))
        return 0
    return _run(Call(root, invocation, environ, streams, owns_process))


def function(path: str) -> Callable[[Call], None]:
    """Return the function that `Command.run` names."""
    module, _, name = path.partition(":")
    result: Callable[[Call], None] = getattr(importlib.import_module(f"kn_vsphere.{module}"), name)
    return result


def _run(call: Call) -> int:
    invocation = call.flags
    try:
        function(invocation.command.run)(call)
    except CheckError as error:
        call.report(f"Error: {error}\nRun '{help_text.name_of(invocation.path)} --help' for usage.")
    except CommandError as error:
        call.report(f"Error: {error}")
    except BrokenPipeError:
        raise
    except Exception as error:  # whatever it is, a person reads one line
        call.report(f"Error: {_unexpected(error)}")
        if invocation.is_set("verbose"):
            raise
    else:
        return 0
    return 1


def _unexpected(error: Exception) -> str:
    """Return the line for an error that no command foresaw: the program's own have their sentence."""
    from pipeline.errors import VCenterEventsError  # noqa: PLC0415 - for errors only

    if isinstance(error, VCenterEventsError):
        return str(error)
    return f"{type(error).__name__}: {error}. This is a fault of kn-vsphere: --verbose shows where"

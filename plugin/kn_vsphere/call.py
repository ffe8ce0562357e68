"""A command that runs: its flags, its streams and its environment."""

from collections.abc import Mapping
from typing import TextIO

from kn_vsphere.grammar import Command, Invocation


class Call:
    """The argument of a command's function, which prints to `out`, and raises `CommandError` if it fails."""

    def __init__(
        self,
        root: Command,
        invocation: Invocation,
        environ: Mapping[str, str],
        streams: tuple[TextIO, TextIO, TextIO],
        owns_process: bool = False,
    ) -> None:
        self.root = root
        """All commands."""
        self.flags = invocation
        """The values of the flags, and the arguments."""
        self.environ = environ
        self.stdin, self.out, self.err = streams
        self.owns_process = owns_process
        """False in tests, which run commands in a process that is not theirs to configure."""

    def print(self, text: str = "") -> None:
        """Print a line of the result."""
        self.out.write(f"{text}\n")

    def report(self, text: str) -> None:
        """Print a line about progress, apart from the result."""
        self.err.write(f"{text}\n")
        self.err.flush()

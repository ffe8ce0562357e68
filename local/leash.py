"""`python leash.py ENGINE COMMAND...` becomes COMMAND, which the kernel kills when the process ENGINE ends, by -9 too.

A program of its own because the tie must be made in the child, after the fork, where a process with threads may run
next to nothing. Linux only. It imports nothing of the project, so that it starts in no time.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(engine: int, command: list[str]) -> None:
    """Tie this process to *engine*, then replace it by *command*."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}")
    if os.getppid() != engine:
        sys.exit("the engine ended before its service began")
    os.execvp(command[0], command)  # noqa: S606 - to become another program is what this is for


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])

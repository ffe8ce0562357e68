"""`python parent_watch.py ENGINE COMMAND...` becomes COMMAND, which the kernel kills when the process ENGINE ends.

The kernel does so after `kill -9`, too. The request must be made in the child after the fork, where a process with
threads may run almost nothing: hence a program of its own. Linux only. It imports nothing of the project, so that it
starts fast.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(engine: int, command: list[str]) -> None:
    """Have this process killed when *engine* ends, then replace it by *command*."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}")
    if os.getppid() != engine:
        sys.exit("the engine ended before its service started")
    os.execvp(command[0], command)  # noqa: S606 - becoming another program is its purpose


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])

"""vcsim, govmomi's simulator of a vCenter, as a child process: for the demonstration and for every test.

`python -m demo.vcsim` builds it if it is not there yet, which takes about a minute.
"""

import contextlib
import re
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from demo import golang
from pipeline.errors import TemporaryError, cut

VERSION = "v0.39.0"
"""Later ones do not install this way; up to 0.53.0 an EventEx about no known entity hangs all that follow."""

GO_LEAST = (1, 21)
"""What govmomi's go.mod asks for at this version."""


class VCSimStuck(TemporaryError):
    """vcsim was started and does not answer."""


class VCSim:
    """One vcsim process on a loopback port; a context manager.

    The port is picked at the first start and kept: after a restart clients find the same vCenter, its history gone.
    vcsim ends with this process, however that ends, because it reads from a pipe that only this process holds.
    """

    def __init__(
        self,
        *,
        machines: int = 4,
        username: str = "user",
        password: str = "pass",  # noqa: S107 - a simulator's
        program: Path | None = None,
    ) -> None:
        """A vCenter with *machines* in each pool; *program* takes the place of vcsim's own executable."""
        self.username = username
        self.password = password
        self._machines = machines
        self._program = program
        self._process: subprocess.Popen[str] | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """The SDK's address, as `VC_URL` takes it."""
        return f"https://127.0.0.1:{self.port}/sdk"

    @property
    def environ(self) -> dict[str, str]:
        """The settings that a process logs in with."""
        return {"VC_URL": self.url, "VC_USERNAME": self.username, "VC_PASSWORD": self.password, "VC_INSECURE": "true"}

    @property
    def port(self) -> int:
        """The port it listens on; picked at the first start."""
        if not self._port:
            raise RuntimeError("vcsim has no port before its first start")
        return self._port

    @property
    def pid(self) -> int | None:
        """The process's id, or None when it does not run."""
        return self._process.pid if self._process else None

    def start(self, timeout_seconds: float = 20) -> None:
        """Start it and wait until it answers. Raises `golang.NotBuilt` or `VCSimStuck`."""
        if self._process:
            raise RuntimeError(f"vcsim runs already, as process {self.pid}")
        deadline = time.monotonic() + timeout_seconds
        command = [
            str(self._program or build()),
            *("-l", f"127.0.0.1:{self._port}"),
            *("-username", self.username, "-password", self.password),
            *("-vm", str(self._machines)),
            "-stdinexit",
        ]
        with tempfile.TemporaryFile("w+") as complaints:  # a file, since nobody would empty a pipe
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
                process_group=0,  # a Ctrl-C at the terminal is for whoever started it, who then stops it
            )
            self._process = process
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            # Its first line names the address, once it listens: export GOVC_URL=https://user:pass@127.0.0.1:39999/sdk …
            address = re.search(r"GOVC_URL=(\S+)", process.stdout.readline())
            if not address:
                self.kill()
                complaints.seek(0)
                raise VCSimStuck(f"start vcsim: it ended with {cut(complaints.read())!r}")
        self._port = urlsplit(address[1]).port or 0
        while not answers(self.url):
            if time.monotonic() > deadline:
                self.kill()
                raise VCSimStuck(f"wait for vcsim on {self.url}: no answer in {timeout_seconds:.0f} s")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it in order; killed when that takes longer than 3 s. Does nothing when it does not run."""
        if self._process:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(3)
            self.kill()

    def kill(self) -> None:
        """End it at once, as a crash would. Does nothing when it does not run."""
        if self._process:
            self._process.kill()
            with self._process:  # waits, and closes the pipes
                pass
            self._process = None

    def restart(self) -> None:
        """End it and start it on the same port, as a vCenter that was restarted."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def answers(url: str) -> bool:
    """Whether something speaks https at *url*, whatever it says."""
    anyone = ssl._create_unverified_context()  # noqa: S323 - a simulator's certificate, made at its start
    try:
        with urllib.request.urlopen(url, timeout=2, context=anyone):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False


def build() -> Path:
    """vcsim's executable, built if it is not there yet. Raises `golang.NotBuilt`."""
    return golang.install("github.com/vmware/govmomi/vcsim", VERSION, GO_LEAST)


if __name__ == "__main__":
    try:
        build()
    except golang.NotBuilt as error:
        sys.exit(str(error))

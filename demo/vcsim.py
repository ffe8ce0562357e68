"""vcsim, govmomi's simulator of a vCenter, as a child process, for the demo and the tests.

`python -m demo.vcsim` builds it unless it exists, which takes about a minute.
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
"""Later versions cannot be installed this way. Up to 0.53.0, an EventEx about an unknown entity blocks later ones."""

GO_MINIMUM = (1, 21)
"""The Go version that govmomi's go.mod requires."""


class VCSimStuck(TemporaryError):
    """vcsim was started and does not respond."""


class VCSim:
    """A vcsim process on a loopback port. A context manager.

    The port is chosen at the first start and kept: after a restart, clients find the same vCenter with a new history.
    vcsim ends with this process, however that ends, because it reads from a pipe that only this process has open.
    """

    def __init__(
        self,
        *,
        vms: int = 4,
        empty: bool = False,
        username: str = "user",
        password: str = "pass",  # noqa: S107 - a simulator's
        program: Path | None = None,
    ) -> None:
        """Simulate a vCenter with that many *vms* in each pool. *program* replaces the executable of vcsim.

        If it is *empty*, it has no data center, and every user may log in, with any password.
        """
        self.username = username
        self.password = password
        self._vms = vms
        self._empty = empty
        self._program = program
        self._process: subprocess.Popen[str] | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """The address of the SDK, for `VC_URL`."""
        return f"https://127.0.0.1:{self.port}/sdk"

    @property
    def environ(self) -> dict[str, str]:
        """The settings with which a process logs in."""
        return {"VC_URL": self.url, "VC_USERNAME": self.username, "VC_PASSWORD": self.password, "VC_INSECURE": "true"}

    @property
    def port(self) -> int:
        """The port it listens on, which the first start chooses."""
        if not self._port:
            raise RuntimeError("vcsim has no port before its first start")
        return self._port

    @property
    def pid(self) -> int | None:
        """The id of the process, or None if it does not run."""
        return self._process.pid if self._process else None

    def start(self, timeout_seconds: float = 20) -> None:
        """Start it and wait until it responds. Raises `golang.NotBuilt` or `VCSimStuck`."""
        if self._process:
            raise RuntimeError(f"vcsim already runs, as process {self.pid}")
        deadline = time.monotonic() + timeout_seconds
        login = ("-username", self.username, "-password", self.password)
        command = [
            str(self._program or build()),
            *("-l", f"127.0.0.1:{self._port}"),
            *(("-dc", "0") if self._empty else (*login, "-vm", str(self._vms))),
            "-stdinexit",
        ]
        with tempfile.TemporaryFile("w+") as errors:  # a file, because a pipe would need a reader
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                process_group=0,  # Ctrl-C at the terminal is for the parent, which then stops it
            )
            self._process = process
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            # Its first line names the address, once it listens: export GOVC_URL=https://user:pass@127.0.0.1:39999/sdk …
            address = re.search(r"GOVC_URL=(\S+)", process.stdout.readline())
            if not address:
                self.kill()
                errors.seek(0)
                raise VCSimStuck(f"start vcsim: it ended with {cut(errors.read())!r}")
        self._port = urlsplit(address[1]).port or 0
        while not is_responding(self.url):
            if time.monotonic() > deadline:
                self.kill()
                raise VCSimStuck(f"wait for vcsim on {self.url}: no response within {timeout_seconds:.0f} s")
            time.sleep(0.02)

    def stop(self) -> None:
        """Send SIGTERM, and SIGKILL after 3 s. Does nothing if it does not run."""
        if self._process:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(3)
            self.kill()

    def kill(self) -> None:
        """Send SIGKILL, as in a crash. Does nothing if it does not run."""
        if self._process:
            self._process.kill()
            with self._process:  # waits, and closes the pipes
                pass
            self._process = None

    def restart(self) -> None:
        """Stop it and start it on the same port, as when a vCenter is restarted."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def is_responding(url: str) -> bool:
    """Return whether an HTTPS server responds at *url*, with any status."""
    any_certificate = ssl._create_unverified_context()  # noqa: S323 - the certificate of a simulator
    try:
        with urllib.request.urlopen(url, timeout=2, context=any_certificate):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False


def build() -> Path:
    """Return the executable of vcsim, and build it unless it exists. Raises `golang.NotBuilt`."""
    return golang.install("github.com/vmware/govmomi/vcsim", VERSION, GO_MINIMUM)


if __name__ == "__main__":
    try:
        build()
    except golang.NotBuilt as error:
        sys.exit(str(error))

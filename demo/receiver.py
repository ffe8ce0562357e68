"""Receivers of the demo: of notifications, in place of Slack, ntfy and others, and of the webhook.

It counts the notifications and keeps the last title. The webhook's receiver is an inventory of the company's own, which
does not let go of a VM that is in use: an event that cannot be delivered becomes a dead letter.

`python -m demo.receiver [PORT]` prints each one, until Ctrl-C.
"""

import json
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from demo.data_center import HOSTS

INVENTORY_PATH = "/inventory"
IN_USE = frozenset(name for names in HOSTS.values() for name in names)
"""The VMs that the inventory knows to be in use."""


class Receiver:
    """Listens on the loopback for notifications of apprise to a `json://` address, and for events of deleted VMs.

    A context manager. *port* 0 selects a free one. *report* is called with the title and the body of each notification.
    """

    def __init__(self, port: int = 0, report: Callable[[str, str], None] | None = None) -> None:
        self.count = 0
        self.last_title = ""
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                try:
                    document = json.loads(body)
                    if self.path == INVENTORY_PATH:
                        self._respond(*receiver._checked_out(str(document["data"]["Vm"]["Name"])))
                    else:
                        receiver._count(str(document["title"]))
                        if report:
                            report(str(document["title"]), str(document.get("message", "")))
                        self._respond(204)
                except (ValueError, KeyError, TypeError):
                    self._respond(400, "neither a notification of apprise nor an event about a VM")

            def _respond(self, status: int, words: str = "") -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(words.encode())))
                self.end_headers()
                self.wfile.write(words.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Log nothing: the status line shows the count."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="receiver", daemon=True)

    @property
    def notify_url(self) -> str:
        """The address of notifications, for `NOTIFY_URLS`."""
        return f"json://127.0.0.1:{self._server.server_port}"

    @property
    def inventory_url(self) -> str:
        """The address of the inventory, for `WEBHOOK_URL`."""
        return f"http://127.0.0.1:{self._server.server_port}{INVENTORY_PATH}"

    @staticmethod
    def _checked_out(vm: str) -> tuple[int, str]:
        """Return status and words of the response to the deletion of *vm*."""
        if vm in IN_USE:
            return 409, f"{vm} is in use by a service of the company: its owner must release it first"
        return 204, ""

    def _count(self, title: str) -> None:
        with self._lock:
            self.count += 1
            self.last_title = title

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def main(arguments: Sequence[str]) -> int:
    """Print each notification until Ctrl-C or SIGTERM."""
    port = int(arguments[0]) if arguments else 0
    ended = threading.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):  # a shell's background processes ignore the first one
        signal.signal(signal_number, lambda *_: ended.set())
    with Receiver(port, lambda *lines: print(*lines, "", sep="\n", flush=True)) as it:
        print(f"Listening. Set NOTIFY_URLS={it.notify_url}\n", flush=True)
        ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A server around a small function, for tests of the runtime."""

import contextlib
import threading
from collections.abc import Callable, Iterator

from pipeline.cloudevents import HTTPMessage
from pipeline.metrics import Metrics
from pipeline.settings import read
from runtime.adapter import FunctionAdapter, Outcome
from runtime.application import Application
from runtime.server import Server
from runtime.settings import LimitSettings
from tests.runtime.client import Client

Respond = Callable[[HTTPMessage], Outcome]


def length(message: HTTPMessage) -> Outcome:
    """Answer with the number of bytes that came."""
    return Outcome(200, {"content-type": "text/plain"}, str(len(message.body)).encode())


class Adapter(FunctionAdapter):
    """Answers by a function of the test's, in place of one that handles events."""

    def __init__(self, respond: Respond, returns_at_once: bool) -> None:
        self.name = "a test"
        self.respond = respond  # type: ignore[assignment]  # it is what this class is for
        self.returns_at_once = returns_at_once
        self.metrics = Metrics("a test", "0")

    @property
    def unready(self) -> str:
        """Empty: there is no function that might not be ready."""
        return ""


@contextlib.contextmanager
def serving(respond: Respond = length, *, on_loop: bool = True, **environ: str) -> Iterator[Client]:
    limits = read(LimitSettings, environ)
    application = Application(Adapter(respond, on_loop), threads=8)
    server = Server(application, limits, "127.0.0.1", 0)
    ended = threading.Event()
    address = server.start(ended.set)
    client = Client(int(address.rstrip("/").rpartition(":")[2]), server)
    try:
        yield client
    finally:
        server.drain(lambda: None)
        assert ended.wait(5)

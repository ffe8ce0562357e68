"""The entry point for the Functions middleware (func-python): `new()`, the contract of `kn func` 1.18 and later.

The middleware's server takes the place of `launcher.py`, with limits of its own. With `invoke: http` it passes requests
on as they are. With `invoke: cloudevent` it reads the event itself, and answers everything else with 400, pages too.
"""

import json
import os
import signal
import threading
from collections.abc import Mapping
from typing import Any

from pipeline import logs, settings
from pipeline.asgi import Receive, Scope, Send
from pipeline.cloudevents import CloudEvent, HTTPMessage, create, to_structured
from pipeline.threads import UnexpectedEnds
from runtime.application import Application, send_outcome
from runtime.build import build
from runtime.functions import open_function


class MiddlewareFunction:
    """The function that the environment names, for the middleware."""

    def __init__(self) -> None:
        self._function: Any = None
        self._application: Application | None = None

    def start(self, cfg: Mapping[str, str]) -> None:
        """Open the function with the settings in *cfg*. Raises `SettingsError` with every error."""
        environ = settings.complete(cfg)
        server = settings.read(settings.ServerSettings, environ)
        logs.configure(server.log_level)
        ends = UnexpectedEnds()
        ends.watch_threads()
        ends.subscribe(lambda _: os.kill(os.getpid(), signal.SIGTERM))
        self._function = open_function(server.function, environ)
        self._application = build(server.function, self._function, server.threads)
        ends.subscribe(self._application.fail)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        assert self._application is not None, "the middleware calls start first"  # noqa: S101 - a fault of the middleware
        if "event" in scope:
            message = to_structured(_event(scope["event"]))
            outcome = await self._application.respond(HTTPMessage(*message))
            # The middleware's send takes events. What it wraps takes ASGI messages.
            await send_outcome(getattr(send, "http", send), outcome)
        else:
            await self._application(scope, receive, send)

    def alive(self) -> tuple[bool, str]:
        """Report that the process answers."""
        return True, "alive\n"

    def ready(self) -> tuple[bool, str]:
        """Report whether the function is open and able to work."""
        reason = "starting" if self._application is None else self._application.unready
        return not reason, f"{reason or 'ready'}\n"

    def stop(self) -> None:
        """Close the function."""
        if self._function is not None:
            # In a thread, because the middleware may call this on its event loop, and a function may need one.
            closing = threading.Thread(target=self._function.close, name="close")
            closing.start()
            closing.join()


def new() -> MiddlewareFunction:
    """Return the function. The middleware calls this once."""
    return MiddlewareFunction()


def _event(event: Any) -> CloudEvent:
    """Our event from the SDK's. It parsed JSON data, which is written again."""
    attributes = {name: _text(value) for name, value in event.get_attributes().items() if value is not None}
    return create(attributes, event.get_data())


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else json.dumps(value)


__all__ = ["MiddlewareFunction", "new"]

"""From a function to its ASGI application."""

from functions import Function, HasStreams
from runtime.adapter import FunctionAdapter
from runtime.application import Application


def build(name: str, function: Function, threads: int) -> Application:
    """Return the application of *function*, which serves events in at most so many *threads*."""
    adapter, routes = FunctionAdapter(name, function), None
    if function.blueprint is not None:
        from runtime import wsgi  # noqa: PLC0415 - importing Flask takes a tenth of a second, for some functions only

        routes = wsgi.routes(function.blueprint, adapter.metrics)
    streams = function.streams if isinstance(function, HasStreams) else {}
    return Application(adapter, threads, streams, routes)

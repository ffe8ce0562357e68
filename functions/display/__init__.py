"""The display: the page that shows events as they arrive, what was refused, and why.

`headers` says which headers are shown, `row` summarizes events, `history` holds them (`store` in a file), `stream` and
`page` serve them, `send` sends some, `letters` asks the deadletter function, `static/` is the page itself. What never
belongs here: choosing which events arrive (a Trigger does), acting on them.
"""

from collections.abc import Mapping

from flask import Blueprint

from functions.display import document, page, row
from functions.display.auth import Guard
from functions.display.headers import without_attributes
from functions.display.history import History
from functions.display.letters import DeadLetters
from functions.display.metrics import DisplayMetrics
from functions.display.refused import RefusedRequests
from functions.display.send import Sender
from functions.display.settings import DisplaySettings
from functions.display.sources import Sources
from functions.display.store import SQLiteStore
from functions.display.stream import EventStream, Viewers
from pipeline import settings
from pipeline.asgi import ASGIApplication
from pipeline.cloudevents import LENIENT, CloudEvent, HTTPMessage, NotACloudEvent, events_from_http, to_binary
from pipeline.settings import Environ


class Display:
    """Keeps what arrives and shows it. Never refuses an event for what it contains."""

    def __init__(self, history: History, refused: RefusedRequests, viewers: Viewers) -> None:
        self._history = history
        self.metrics = DisplayMetrics(history, viewers)
        self._refused = refused
        self.blueprint: Blueprint | None = None
        self.streams: Mapping[str, ASGIApplication] = {}

    def receive(self, headers: Mapping[str, str], body: bytes) -> Mapping[str, object]:
        """Take the events of a request into the ring; returns at once, however many viewers there are.

        Returns what to log of it. Raises `PermanentError` with every fault of a request that is no event, and keeps it.
        """
        try:
            events = events_from_http(HTTPMessage(headers, body), LENIENT)
        except NotACloudEvent as error:
            self._refused.add(str(error), headers, body)
            self._history.refused()
            raise
        self._history.add_all([(event, row.summary(event)) for event in events], without_attributes(headers))
        if len(events) != 1:
            return {"events": len(events)}
        return {name: events[0].attributes[name] for name in ("id", "type", "source")}

    def handle(self, event: CloudEvent) -> None:
        """Take one event that was read already."""
        headers, data = to_binary(event)
        self.receive(headers, data or b"")

    def close(self) -> None:
        """End every stream."""
        self._history.close()


def create(environ: Environ) -> Display:
    """The display with the settings in *environ*. Raises `SettingsError` with every fault."""
    wanted = settings.read(DisplaySettings, environ)
    store = SQLiteStore(wanted.file) if wanted.file is not None else None
    history, refused = History(wanted.events, wanted.megabytes * 1_000_000, store), RefusedRequests()
    viewers, guard = Viewers(history, wanted.viewers), Guard(wanted.token, wanted.login)
    display = Display(history, refused, viewers)
    display.streams = {"/api/events": EventStream(history, viewers, guard, wanted.stream_seconds)}
    display.blueprint = page.blueprint(
        Sources(
            history=history,
            refused=refused,
            viewers=viewers,
            document=document.assemble(),
            guard=guard,
            service=wanted.service,
            sender=Sender(wanted.sink, display.receive) if wanted.allow_send else None,
            dead_letters=DeadLetters(wanted.dead_letters) if wanted.dead_letters is not None else None,
        )
    )
    return display

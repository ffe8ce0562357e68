"""The display: the page that shows events as they arrive, and the rejected requests with their reasons.

`columns` defines the columns and `row` summarizes an event in them. `history` keeps events, in a `ring` and a `store`.
`stream` and `viewers` keep pages current. `routes/` has the HTTP API and `static/` the page. What never belongs here:
selecting the events that arrive, which a Trigger does, and acting on them.
"""

from collections.abc import Mapping

from flask import Blueprint

from functions.display import document, routes, row
from functions.display.app_state import AppState
from functions.display.authenticator import Authenticator
from functions.display.dead_letters import DeadLetterClient
from functions.display.headers import without_attributes
from functions.display.history import History
from functions.display.metrics import DisplayMetrics
from functions.display.origin import Hosts
from functions.display.rejected import RejectedRequests
from functions.display.routes.stream import EventStream
from functions.display.send import Sender
from functions.display.settings import DisplaySettings
from functions.display.store import SQLiteStore
from functions.display.viewers import Viewers
from pipeline import settings
from pipeline.asgi import ASGIApplication
from pipeline.cloudevents import LENIENT, HTTPMessage, NotACloudEvent, events_from_http
from pipeline.settings import Environ


class Display:
    """Stores the events that arrive and shows them. Never rejects an event because of its content."""

    def __init__(self, history: History, rejected: RejectedRequests, viewers: Viewers, hosts: Hosts) -> None:
        self._history = history
        self._rejected = rejected
        self._hosts = hosts
        self.metrics = DisplayMetrics(history, viewers)
        self.blueprint: Blueprint | None = None
        self.streams: Mapping[str, ASGIApplication] = {}

    def receive(self, headers: Mapping[str, str], body: bytes) -> Mapping[str, object]:
        """Store the events of a request and return what to log. Does not wait for viewers.

        Raises `NotACloudEvent` with every problem of a request without a valid event, and keeps the request. Raises
        `ForeignOrigin` for the request of another website's page, which is not kept.
        """
        self._hosts.check_origin({name.lower(): value for name, value in headers.items()})
        try:
            _check_encoding(headers)
            events = events_from_http(HTTPMessage(headers, body), LENIENT)
        except NotACloudEvent as error:
            self._rejected.add(str(error), headers, body)
            self._history.reject()
            raise
        self._history.add([(event, row.summary(event)) for event in events], without_attributes(headers))
        if len(events) != 1:
            return {"events": len(events)}
        return {name: events[0].attributes[name] for name in ("id", "type", "source")}

    def close(self) -> None:
        """End every stream."""
        self._history.close()


def _check_encoding(headers: Mapping[str, str]) -> None:
    """Raise `NotACloudEvent` for a compressed body, whose content nobody could read."""
    encoding = next((value for name, value in headers.items() if name.lower() == "content-encoding"), "identity")
    if encoding.lower() not in ("", "identity"):
        raise NotACloudEvent([f"the body has the content-encoding {encoding[:40]!r}; send it without"])


def create(environ: Environ) -> Display:
    """Return the display with the settings in *environ*. Raises `SettingsError` with every error."""
    display_settings = settings.read(DisplaySettings, environ)
    file = display_settings.file
    store = SQLiteStore(file, display_settings.file_megabytes * 1_000_000) if file is not None else None
    history = History(display_settings.events, display_settings.megabytes * 1_000_000, store)
    rejected, viewers = RejectedRequests(), Viewers(history, display_settings.viewers)
    authenticator = Authenticator(display_settings.token, display_settings.login)
    # A browser sends a login only to the name for which a person entered it, so another name learns nothing.
    hosts = Hosts(display_settings.hosts or (), any_name=display_settings.is_protected)
    display = Display(history, rejected, viewers, hosts)
    event_stream = EventStream(history, viewers, authenticator, hosts, display_settings.stream_seconds)
    display.streams = {"/api/events": event_stream}
    dead_letters = display_settings.dead_letters
    display.blueprint = routes.blueprint(
        AppState(
            history=history,
            rejected=rejected,
            viewers=viewers,
            document=document.assemble(),
            authenticator=authenticator,
            hosts=hosts,
            service=display_settings.service,
            triggers=display_settings.triggers or (),
            file=file,
            sender=Sender(display_settings.sink, display.receive) if display_settings.allow_send else None,
            dead_letters=DeadLetterClient(dead_letters, display_settings.dead_letters_token)
            if dead_letters is not None
            else None,
        )
    )
    return display

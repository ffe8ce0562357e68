"""The display: the page that shows events as they arrive.

`history.py` holds the events, `page.py` serves them, `static/` is the page itself: files as the browser takes them, no
build step and nothing from outside. What never belongs here: choosing which events arrive (a Trigger does), acting on
them.
"""

from cloudevents.conversion import to_json
from cloudevents.http import CloudEvent

from functions import Environ
from functions.display import page
from functions.display.history import History, Summary
from pipeline import payload, settings

MESSAGE_CHARACTERS = 200
"""What a row shows of a message; the whole event is a click away."""

VIEWER_SHARE = 0.75
"""The part of THREADS that viewers may hold; the rest stays for arriving events."""


class Display:
    """Keeps what arrives and shows it. Never refuses an event for what it contains."""

    def __init__(self, history: History, viewers: int) -> None:
        self._history = history
        self.blueprint = page.blueprint(history, viewers)

    def handle(self, event: CloudEvent) -> None:
        """Take *event* into the ring. Returns at once, however many viewers there are."""
        self._history.add(
            key=(event["source"], event["id"]),
            summary=Summary(
                time=str(event.get("time") or "")[:40],
                type=str(event["type"])[:200],
                subject=str(event.get("subject") or "")[:200],
                message=payload.message(event, MESSAGE_CHARACTERS),
            ),
            document=to_json(event),
        )

    def close(self) -> None:
        """End every stream."""
        self._history.close()


def create(environ: Environ) -> Display:
    """The display with the settings in *environ*. Raises `SettingsError` with every fault."""
    wanted = settings.read(settings.DisplaySettings, environ)
    threads = settings.read(settings.ServerSettings, environ).threads
    history = History(wanted.events, wanted.megabytes * 1_000_000)
    return Display(history, viewers=max(1, int(threads * VIEWER_SHARE)))

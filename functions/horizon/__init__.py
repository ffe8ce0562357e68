"""The adapter of HorizonSource: reads a Horizon server's audit events and delivers them to the sink.

It reads without end from its start on, and needs no ticks. An event that is posted to it makes it ask at once.

| module | content |
|---|---|
| `reader` | the loop that reads |
| `session` | login, refresh, logout, and one page of events |
| `cursor` | which page to ask for, and what is new in it |
| `event`, `checkpoint` | an event as a CloudEvent, and the record of the position |
| `metrics`, `settings`, `errors` | its description to the outside |

The package `delivery` sends the events and saves the position.
"""

from delivery.checkpoint_writer import Destination
from delivery.checkpointed_sink import CheckpointedSink
from delivery.progress import Progress
from delivery.stores import Store, open_store
from functions.horizon.checkpoint import HorizonCheckpoint
from functions.horizon.cursor import Position
from functions.horizon.metrics import HorizonMetrics
from functions.horizon.reader import Reader
from functions.horizon.session import Session
from functions.horizon.settings import HorizonSettings
from pipeline.cloudevents import CloudEvent
from pipeline.settings import Environ, read
from pipeline.status_events import StatusEvents


def create(environ: Environ) -> "Horizon":
    """Return the adapter of the settings in *environ*. It reads already. Raises `SettingsError`."""
    settings = read(HorizonSettings, environ)
    return Horizon(settings, Session(settings.server), open_store(settings.checkpoint.address))


class Horizon:
    """One Horizon server's history to one sink."""

    blueprint: None = None

    def __init__(self, settings: HorizonSettings, session: Session, store: Store) -> None:
        url = settings.server.url
        progress: Progress[Position] = Progress()
        destination = Destination(
            settings.sink, settings.checkpoint, store, HorizonCheckpoint(url), StatusEvents(url, "horizon")
        )
        output = CheckpointedSink(destination, progress)
        self._session = session
        self._reader = Reader(url, session, output, progress)
        self.metrics = HorizonMetrics(session, output, progress)

    @property
    def unready(self) -> str:
        """The reason why the adapter never logged in to Horizon so far. Empty once it did."""
        if self._session.has_logged_in:
            return ""
        error = self._reader.error
        return f"not logged in to Horizon yet: {error}" if error else "not logged in to Horizon yet"

    def handle(self, event: CloudEvent) -> None:  # noqa: ARG002 - a tick, whatever its content
        """Ask Horizon at once. Raises the error that keeps the adapter from its work."""
        self._reader.wake()
        if self._reader.error is not None:
            raise self._reader.error

    def close(self) -> None:
        """End: events already read are delivered, the checkpoint is saved, the session ends."""
        self._reader.close()

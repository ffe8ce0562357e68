"""deadletter: the Broker's dead-letter sink, which keeps events that could not be delivered until they are redriven.

`sink.py` handles events, `store.py` keeps them, `failure.py` reads why a delivery failed, `api.py` lists, redrives and
drops them, `redrive.py` sends them to the Broker, `handover.py` transfers them to the next pod, `document.py` is their
JSON form, and `metrics.py` counts.

It accepts every event: if it returned an error, the Broker would retry and then lose the event. It redrives nothing by
itself and never replies, so dead letters cannot loop. Repairing the reason of a failure does not belong here.
"""

import sqlite3
from collections.abc import Callable
from datetime import datetime

import structlog

from functions.deadletter import api
from functions.deadletter.handover import Successor
from functions.deadletter.settings import DeadLetterSettings
from functions.deadletter.sink import DeadLetterSink, utc_now
from functions.deadletter.store import DeadLetterStore
from pipeline import settings
from pipeline.errors import SettingsError
from pipeline.settings import Environ

log = structlog.get_logger()


def create(environ: Environ, clock: Callable[[], datetime] = utc_now) -> DeadLetterSink:
    """Return the dead-letter sink that *environ* configures. Raises `SettingsError` with every error."""
    configured = settings.read(DeadLetterSettings, environ)
    max_bytes = configured.megabytes * 1_000_000
    try:
        store = DeadLetterStore(configured.file, configured.max_events, max_bytes, configured.age_seconds)
    except sqlite3.Error as error:
        raise SettingsError([f"DEADLETTER_FILE is {configured.file}, which cannot be opened: {error}"]) from error
    successor = Successor(configured.handover_url, configured.token) if configured.handover_url else None
    if successor is not None and configured.token is None:
        log.warning("Dead letters will not be handed over: DEADLETTER_TOKEN is not set")
    sink = DeadLetterSink(store, configured.broker_url, successor, clock)
    sink.blueprint = api.blueprint(sink, store, configured.token)
    return sink

"""The checkpoint: the position up to which a server's history was delivered. Pure.

The function that reads the history defines the record, by a `CheckpointFormat`. `stores` keeps it.
"""

import dataclasses
import datetime
from typing import Generic, Protocol, TypeVar
from urllib.parse import urlsplit

from pipeline.errors import PermanentError

P = TypeVar("P")


class CheckpointUnreadable(PermanentError):
    """The record is not a checkpoint."""


@dataclasses.dataclass(frozen=True, slots=True)
class Checkpoint(Generic[P]):
    """A position in the history of one server."""

    server: str
    """The server's host name. Empty in a record that names none."""
    position: P | None
    """The last acknowledged event. None in a record that holds only a time."""
    begin: datetime.datetime | None = None
    """The time from which to read if there is no position (the server's clock, UTC)."""
    saved: datetime.datetime | None = None
    """When it was saved (the reader's clock, UTC). None if the record does not say it."""


class CheckpointFormat(Protocol[P]):
    """The record of one server's checkpoint, as text."""

    server: str
    """The server's host name."""

    def encode(self, position: P, now: datetime.datetime) -> str:
        """Return the record of *position*, created at *now*."""

    def decode(self, record: str) -> Checkpoint[P]:
        """Return the checkpoint in *record*, which may be any text. Raises `CheckpointUnreadable` with the reason."""


def host_name(url: str) -> str:
    """Return the name of the server at *url* in its record, which is its host."""
    return urlsplit(url).hostname or ""

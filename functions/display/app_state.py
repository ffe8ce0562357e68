"""The state that the routes share."""

from dataclasses import dataclass
from pathlib import Path

from functions.display.authenticator import Authenticator
from functions.display.dead_letters import DeadLetterClient
from functions.display.document import Document
from functions.display.history import History
from functions.display.origin import Hosts
from functions.display.rejected import RejectedRequests
from functions.display.send import Sender
from functions.display.triggers import Source
from functions.display.viewers import Viewers


@dataclass(frozen=True)
class AppState:
    """The parts of a display."""

    history: History
    rejected: RejectedRequests
    viewers: Viewers
    document: Document
    authenticator: Authenticator
    hosts: Hosts
    service: str
    """Name of the Knative Service."""
    triggers: Source = ()
    """The place where the Triggers are read."""
    file: Path | None = None
    """The file that keeps the events, if there is one."""
    sender: Sender | None = None
    """Sends events, if the page may."""
    dead_letters: DeadLetterClient | None = None
    """The deadletter function, if the page shows its dead letters."""

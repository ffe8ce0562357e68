"""What the routes show."""

from dataclasses import dataclass

from functions.display.auth import Guard
from functions.display.document import Document
from functions.display.history import History
from functions.display.letters import DeadLetters
from functions.display.refused import RefusedRequests
from functions.display.send import Sender
from functions.display.stream import Viewers


@dataclass(frozen=True)
class Sources:
    """Everything that a display is made of."""

    history: History
    refused: RefusedRequests
    viewers: Viewers
    document: Document
    guard: Guard
    service: str
    """The name of the Knative Service."""
    sender: Sender | None = None
    """What sends events, if the page may."""
    dead_letters: DeadLetters | None = None
    """The deadletter function, if the page is to show its letters."""

"""What the routes show."""

from dataclasses import dataclass
from typing import Any

from functions.display.auth import Guard
from functions.display.document import Document
from functions.display.history import History
from functions.display.refused import RefusedRequests
from functions.display.stream import Viewers


@dataclass(frozen=True)
class Sources:
    """Everything that a display is made of."""

    history: History
    refused: RefusedRequests
    viewers: Viewers
    document: Document
    guard: Guard
    about: dict[str, Any]
    """What the page has to know about its display: `api/about`."""

"""How far everything is acknowledged, whatever order the acknowledgements come in: pure, and the reason no event is
lost.

Positions are added in the order of the history. Deliveries overtake each other, so acknowledgements come in any order;
the position that may be saved is the last one before the first that is still open.
"""

from collections import deque
from typing import Generic, TypeVar

P = TypeVar("P")


class AcknowledgedPrefix(Generic[P]):
    """The longest run of acknowledged positions from the beginning. It holds what lies beyond, and nothing else."""

    def __init__(self) -> None:
        self._beyond: deque[tuple[P | None, bool]] = deque()
        self._first_ticket = 0
        self.position: P | None = None
        """The last position up to which everything is acknowledged; None before the first."""

    def __len__(self) -> int:
        """How many positions were added and lie beyond the prefix, acknowledged or not: what is held in memory."""
        return len(self._beyond)

    @property
    def oldest_open(self) -> P | None:
        """The first position that is not acknowledged; None if all are."""
        return self._beyond[0][0] if self._beyond else None

    def add(self, position: P | None) -> int:
        """Add the history's next position, or None for what moves nowhere; returns the ticket to acknowledge it by."""
        self._beyond.append((position, False))
        return self._first_ticket + len(self._beyond) - 1

    def acknowledge(self, ticket: int) -> bool:
        """Acknowledge a ticket; whether the prefix grew. A ticket of the prefix, or an acknowledged one, changes
        nothing."""
        index = ticket - self._first_ticket
        if index >= len(self._beyond):
            raise ValueError(f"ticket {ticket} was never given out")
        if index < 0:
            return False
        self._beyond[index] = (self._beyond[index][0], True)
        before = self._first_ticket
        while self._beyond and self._beyond[0][1]:
            position, _ = self._beyond.popleft()
            self.position = self.position if position is None else position
            self._first_ticket += 1
        return self._first_ticket > before

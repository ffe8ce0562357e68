"""The acknowledgement tracker: which position is safe to save, whatever order the acknowledgements come in. Pure.

Positions are added in the order of the history. Deliveries overtake each other, so acknowledgements come in any order.
The position that is safe to save is the last one before the first that is still open. No event is lost because of this.
"""

from collections import deque
from typing import Generic, TypeVar

P = TypeVar("P")


class AcknowledgementTracker(Generic[P]):
    """The position up to which everything is acknowledged. It holds only the entries after it."""

    def __init__(self) -> None:
        self._entries: deque[tuple[P | None, bool]] = deque()
        self._first_number = 0
        self.position: P | None = None
        """The last position up to which everything is acknowledged. None before the first."""

    def __len__(self) -> int:
        """Return the number of entries held in memory: all from the first open one on, acknowledged or not."""
        return len(self._entries)

    @property
    def oldest_open(self) -> P | None:
        """The position of the first entry that is not acknowledged. None if all are, or if that entry has none."""
        return self._entries[0][0] if self._entries else None

    def add(self, position: P | None) -> int:
        """Add the next entry of the history and return its sequence number.

        An entry with *position* None is waited for like any other and does not move the position.
        """
        self._entries.append((position, False))
        return self._first_number + len(self._entries) - 1

    def is_open(self, number: int) -> bool:
        """Return True if the entry with the sequence number *number* is not acknowledged."""
        index = number - self._first_number
        return index >= 0 and not self._entries[index][1]

    def acknowledge(self, number: int) -> bool:
        """Acknowledge the entry with the sequence number *number* and return True if entries were completed by it.

        Acknowledging an entry twice changes nothing. Raises `ValueError` for a number that `add` never returned.
        """
        index = number - self._first_number
        if index >= len(self._entries):
            raise ValueError(f"sequence number {number} was never assigned")
        if index < 0:
            return False
        self._entries[index] = (self._entries[index][0], True)
        before = self._first_number
        while self._entries and self._entries[0][1]:
            position, _ = self._entries.popleft()
            self.position = self.position if position is None else position
            self._first_number += 1
        return self._first_number > before

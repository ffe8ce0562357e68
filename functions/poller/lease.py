"""How long a poll may follow: ticks extend it."""

import threading
import time


class Lease:
    """How long a poll may follow: ticks extend it, and once it ran out it stays so."""

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._until = time.monotonic() + seconds
        self._over = False

    def extend(self, seconds: float) -> bool:
        """Follow for *seconds* from now; False if it is over already."""
        with self._lock:
            if not self._over:
                self._until = time.monotonic() + seconds
            return not self._over

    def is_over(self) -> bool:
        """Whether it ran out; from then on for good."""
        with self._lock:
            self._over = self._over or time.monotonic() >= self._until
            return self._over

    def end(self) -> None:
        """Let it run out now."""
        with self._lock:
            self._over = True

    def remaining_seconds(self) -> float:
        """What is left; 0 or less when it has run out."""
        return self._until - time.monotonic()

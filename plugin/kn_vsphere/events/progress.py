"""The progress of a replay: one line that is written over on a terminal, otherwise a line each few seconds."""

import time

from kn_vsphere.call import Call
from kn_vsphere.events.state import Replay
from pipeline.times import rfc3339

TERMINAL_SECONDS, LOG_SECONDS = 0.1, 5.0
_CLEAR = "\r\x1b[K"
"""Moves to the beginning of the line and empties it."""


class Progress:
    """Writes to the standard error of a call."""

    def __init__(self, call: Call, replay: Replay) -> None:
        self._call = call
        self._replay = replay
        self._is_terminal = call.err.isatty()
        self._started = time.monotonic()
        self._sent_before = replay.sent
        self._shown_at = self._started

    def show(self) -> None:
        """Show the progress, if the last time is long enough ago."""
        now = time.monotonic()
        if now - self._shown_at < (TERMINAL_SECONDS if self._is_terminal else LOG_SECONDS):
            return
        self._shown_at = now
        text = f"{self._percent():3.0f} %  {self.events()}, up to {self._last_time()}, {self._rate(now):.0f} events/s"
        if self._is_terminal:
            self._call.err.write(f"{_CLEAR}{text}")
            self._call.err.flush()
        else:
            self._call.report(text)

    def report(self, text: str) -> None:
        """Write a line of its own."""
        self.end()
        self._call.report(text)

    def end(self) -> None:
        """Remove the line that is written over."""
        if self._is_terminal:
            self._call.err.write(_CLEAR)
            self._call.err.flush()

    def events(self) -> str:
        """Return the number of events in words."""
        replay = self._replay
        rejected = f" ({replay.rejected} rejected)" if replay.rejected else ""
        return f"{replay.sent} event{'' if replay.sent == 1 else 's'}{rejected}"

    def summary(self) -> str:
        """Return the result."""
        replay = self._replay
        seconds = time.monotonic() - self._started
        return f"Sent {self.events()} of {rfc3339(replay.since)} to {rfc3339(replay.until)} in {seconds:.1f} s"

    def _rate(self, now: float) -> float:
        return (self._replay.sent - self._sent_before) / max(now - self._started, 0.001)

    def _last_time(self) -> str:
        position = self._replay.position
        return rfc3339(position.created_time) if position else ""

    def _percent(self) -> float:
        """Return how much of the period's time is done, from 0 to 100."""
        replay = self._replay
        if replay.position is None:
            return 0.0
        share = (replay.position.created_time - replay.since) / (replay.until - replay.since)
        return 100 * min(1.0, max(0.0, share))

"""Posting events to a sink, one after the other, by the poller's rules of retries."""

import random
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

import urllib3

from delivery.retry import Failure, RetryPolicy, is_acknowledged, parse_retry_after
from pipeline.cloudevents import CloudEvent, to_binary
from pipeline.errors import cut

TIMEOUT_SECONDS = 10.0
POLICY = RetryPolicy(0.2, 10.0, max_attempts=1, has_dead_letter_sink=False, at_most_once=False)


class Rejected(Exception):
    """The sink rejects an event permanently."""


class Interrupts:
    """Ctrl-C: at once, but after the response if an event is under way, so that it is known whether it was taken.

    A second Ctrl-C does not wait. A context manager. It changes nothing outside the main thread.
    """

    def __init__(self) -> None:
        self._sending = self._noted = False
        self._previous: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def during(self, send: Callable[[], Failure | None]) -> Failure | None:
        """Return the result of *send*. A Ctrl-C meanwhile is raised by the next `check`."""
        self._sending = True
        try:
            return send()
        finally:
            self._sending = False

    def check(self) -> None:
        """Raise the KeyboardInterrupt that came while an event was under way."""
        if self._noted:
            raise KeyboardInterrupt

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if not self._sending or self._noted:
            raise KeyboardInterrupt
        self._noted = True


class Poster:
    """The sink."""

    def __init__(self, url: str, interrupts: Interrupts, report: Callable[[str], None]) -> None:
        self._url = url
        self._interrupts = interrupts
        self._report = report
        self._pool = urllib3.PoolManager(maxsize=1)
        self._random = random.Random()  # noqa: S311 - a delay is not a secret

    def send(self, event: CloudEvent) -> None:
        """Post *event* until the sink takes it. Raises `Rejected`, and KeyboardInterrupt before an attempt."""
        headers, body = to_binary(event)
        attempt = 0
        while True:
            self._interrupts.check()
            attempt += 1
            failure = self._interrupts.during(lambda: self._post(dict(headers), body))
            if failure is None:
                return
            if failure.is_permanent:
                raise Rejected(f"the sink rejects event {event['id']} ({event['type']}): {failure.reason}")
            if attempt == 1:
                self._report(f"{failure.reason}. Retrying event {event['id']}")
            self._interrupts.check()
            time.sleep(POLICY.delay_seconds(failure, attempt, self._random.random()))

    def _post(self, headers: dict[str, str], body: bytes) -> Failure | None:
        """Return None if the event was acknowledged."""
        try:
            response = self._pool.request(
                "POST", self._url, body=body, headers=headers, redirect=False, retries=False, timeout=TIMEOUT_SECONDS
            )
        except urllib3.exceptions.HTTPError as error:
            return Failure(f"POST {self._url}: {cut(str(error))}")
        if is_acknowledged(response.status):
            return None
        text = cut(response.data.decode("utf-8", "replace"), 200)
        return Failure(
            f"POST {self._url} returned {response.status} {text}".rstrip(),
            response.status,
            retry_after_seconds=parse_retry_after(response.headers.get("Retry-After", ""), time.time()),
        )

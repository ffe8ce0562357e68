"""Threads and tasks that end unexpectedly."""

import asyncio
import threading

import pytest
import structlog

from pipeline.threads import UnexpectedEnds, log_failure


def fail() -> None:
    raise ZeroDivisionError("on purpose")


def test_end_of_a_thread_is_logged_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    ends, reasons = UnexpectedEnds(), list[str]()
    ends.watch_threads()
    ends.subscribe(reasons.append)
    with structlog.testing.capture_logs() as lines:
        thread = threading.Thread(target=fail, name="reader")
        thread.start()
        thread.join()
    assert reasons == ["the thread reader ended unexpectedly"]
    assert [(line["thread"], type(line["exc_info"])) for line in lines] == [("reader", ZeroDivisionError)]


def test_listener_that_comes_late_gets_earlier_ends() -> None:
    ends, reasons = UnexpectedEnds(), list[str]()
    ends.record("reader", None)
    ends.subscribe(reasons.append)
    assert reasons == ["the thread reader ended unexpectedly"]


def test_failure_of_a_task_is_logged() -> None:
    async def run() -> None:
        for work in (fail, lambda: None):
            task = asyncio.create_task(asyncio.to_thread(work), name="delivery")
            task.add_done_callback(log_failure)
            await asyncio.wait([task])

    with structlog.testing.capture_logs() as lines:
        asyncio.run(run())
    assert [(line["task"], type(line["exc_info"])) for line in lines] == [("delivery", ZeroDivisionError)]

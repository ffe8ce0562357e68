"""PingSources: what a tick sends, and that ticks do not wait for each other."""

import asyncio
import datetime
from collections.abc import Callable

import aiohttp
from apscheduler.triggers.interval import IntervalTrigger

from local.objects import Name
from local.ping import PingScheduler, PingSource, ping_event
from local.references import Destination
from tests.support.recorder import Recorder, Response
from tests.support.waiting import wait_until_async

NOW = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.UTC)


def source(**changed: object) -> PingSource:
    values: dict[str, object] = {
        "schedule": IntervalTrigger(seconds=0.1),
        "content_type": "",
        "data": b"",
        "sink": Destination("spec.sink", uri="http://unused/"),
        "extensions": {},
    }
    return PingSource(Name("default", "tick"), "ping.yaml: PingSource tick", **{**values, **changed})  # type: ignore[arg-type]


def test_event_names_its_source() -> None:
    event = ping_event(source(extensions={"site": "north"}), "1", NOW)

    assert event.attributes == {
        "specversion": "1.0",
        "id": "1",
        "type": "dev.knative.sources.ping",
        "source": "/apis/v1/namespaces/default/pingsources/tick",
        "time": "2026-11-21T12:00:00.000000Z",
        "site": "north",
    }


def test_event_carries_data_and_its_type() -> None:
    event = ping_event(source(data=b'{"a": 1}', content_type="application/json"), "1", NOW)

    assert event.data == b'{"a": 1}'
    assert event.attributes["datacontenttype"] == "application/json"


async def ticking(url: str, done: Callable[[], bool]) -> None:
    async with aiohttp.ClientSession() as session:
        scheduler = PingScheduler(session)
        scheduler.add(source(), url)
        scheduler.start()
        try:
            await wait_until_async(done)
        finally:
            scheduler.close()


def test_tick_under_way_does_not_delay_the_next(subscriber: Callable[..., Recorder]) -> None:
    there = subscriber()
    there.gate.clear()

    asyncio.run(ticking(there.url, lambda: len(there.requests) >= 3))

    assert len({there.next().headers["ce-id"] for _ in range(3)}) == 3


def test_tick_is_retried_while_its_sink_starts(subscriber: Callable[..., Recorder]) -> None:
    statuses = iter([503, 404, 200])
    there = subscriber(lambda _: Response(next(statuses)))

    async def run() -> None:
        async with aiohttp.ClientSession() as session:
            await PingScheduler(session).tick(source(), there.url)

    asyncio.run(run())
    assert len({there.next().headers["ce-id"] for _ in range(3)}) == 1


def test_tick_that_its_sink_rejects_is_not_retried(subscriber: Callable[..., Recorder]) -> None:
    there = subscriber(lambda _: Response(400))

    async def run() -> None:
        async with aiohttp.ClientSession() as session:
            await PingScheduler(session).tick(source(), there.url)

    asyncio.run(run())
    assert len(there.requests) == 1

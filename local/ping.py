"""PingSources: events sent by the clock, as Knative's `mtping` sends them (v0.47).

One thing is left out: Knative delays every tick by up to half a second at random, to spread the load of many sources.
"""

import asyncio
import datetime
import uuid

import aiohttp
import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from local.event import Event, to_http
from local.objects import PingSource

log = structlog.get_logger()

_RETRIES = 5
_FIRST_PAUSE_SECONDS = 0.1
_RETRIED = (404, 413, 425, 429, 502, 503, 504)
_TICKS_AT_ONCE = 64
"""Ticks under way: they overlap, but sinks that never answer do not gather them without end."""


class PingScheduler:
    """Sends each PingSource's event at its times. Lives in one event loop."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._scheduler = AsyncIOScheduler()
        self._ticks: set[asyncio.Task[None]] = set()

    def add(self, source: PingSource, url: str) -> None:
        """Send *source*'s event to *url* by its schedule. A tick under way never holds up the next."""
        self._scheduler.add_job(
            self._begin, source.schedule, args=(source, url), name=str(source.name), misfire_grace_time=None
        )

    def start(self) -> None:
        """Begin. Called in the event loop."""
        self._scheduler.start()

    def close(self) -> None:
        """No more ticks, and an end to those under way. Called in the event loop."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        for task in self._ticks:
            task.cancel()

    async def _begin(self, source: PingSource, url: str) -> None:
        """Let a tick run by itself, so that the scheduler is done with it at once."""
        if len(self._ticks) >= _TICKS_AT_ONCE:
            log.warning("ping left out: too many are under way", source=str(source.name), to=url)
            return
        task = asyncio.create_task(self.tick(source, url))
        self._ticks.add(task)
        task.add_done_callback(self._ticks.discard)

    async def tick(self, source: PingSource, url: str) -> None:
        """Send one event, trying again for about three seconds; then it is lost, and logged."""
        event = ping_event(source, str(uuid.uuid4()), datetime.datetime.now(datetime.UTC))
        pause = _FIRST_PAUSE_SECONDS
        for _ in range(_RETRIES):
            status = await self._post(event, url)
            if status not in _RETRIED and status != 0:
                break
            await asyncio.sleep(pause)
            pause *= 2
        else:
            status = await self._post(event, url)
        if not 200 <= status < 300:
            log.warning("ping lost", source=str(source.name), to=url, status=status or "no answer")

    async def _post(self, event: Event, url: str) -> int:
        """The status, or 0 if there was no answer. There is no timeout: a tick may take as long as it likes."""
        headers, body = to_http(event)
        try:
            timeout = aiohttp.ClientTimeout(total=None)
            async with self._session.post(url, data=body, headers=headers, timeout=timeout) as response:
                return response.status
        except (aiohttp.ClientError, OSError, ValueError):
            return 0


def ping_event(source: PingSource, event_id: str, now: datetime.datetime) -> Event:
    """The event that *source* sends at *now*."""
    attributes = {
        "specversion": "1.0",
        "id": event_id,
        "type": "dev.knative.sources.ping",
        "source": f"/apis/v1/namespaces/{source.name.namespace}/pingsources/{source.name.name}",
        "time": f"{now:%Y-%m-%dT%H:%M:%S.%fZ}",
        **source.extensions,
    }
    if source.data and source.content_type:
        attributes["datacontenttype"] = source.content_type
    return Event(attributes, source.data)

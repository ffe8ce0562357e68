"""PingSources: events sent by the clock, as Knative's `mtping` sends them (v0.47).

One thing is left out: Knative delays every tick by up to half a second at random, to spread the load of many sources.
"""

import asyncio
import dataclasses
import datetime
import uuid
from collections.abc import Mapping

import aiohttp
import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from local.event import Event, to_http
from local.objects import Object
from local.references import Destination
from pipeline.threads import log_failure

log = structlog.get_logger()


@dataclasses.dataclass(frozen=True)
class PingSource(Object):
    """Sends an event by the clock."""

    schedule: BaseTrigger
    content_type: str
    data: bytes
    sink: Destination
    extensions: Mapping[str, str]


_RETRIES = 5
_FIRST_PAUSE_SECONDS = 0.1
_RETRIED = (404, 413, 425, 429, 502, 503, 504)
_MAX_TICKS = 64
"""The maximum number of ticks under way: they overlap, and sinks that never respond must not accumulate them."""


class PingScheduler:
    """Sends each PingSource's event at its times. Lives in one event loop."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._scheduler = AsyncIOScheduler()
        self._ticks: set[asyncio.Task[None]] = set()

    def add(self, source: PingSource, url: str) -> None:
        """Send the event of *source* to *url* by its schedule. A tick under way never delays the next."""
        self._scheduler.add_job(
            self._begin, source.schedule, args=(source, url), name=str(source.name), misfire_grace_time=None
        )

    def start(self) -> None:
        """Start. Called in the event loop."""
        self._scheduler.start()

    def close(self) -> None:
        """Stop ticking and cancel the ticks under way. Called in the event loop."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        for task in self._ticks:
            task.cancel()

    async def _begin(self, source: PingSource, url: str) -> None:
        """Run a tick as a task of its own, so that the scheduler does not wait for it."""
        if len(self._ticks) >= _MAX_TICKS:
            log.warning("skipped ping: too many are under way", source=str(source.name), to=url)
            return
        task = asyncio.create_task(self.tick(source, url))
        self._ticks.add(task)
        task.add_done_callback(self._ticks.discard)
        task.add_done_callback(log_failure)

    async def tick(self, source: PingSource, url: str) -> None:
        """Send one event, and retry for about three seconds. After that it is lost, and logged."""
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
            log.warning("lost ping", source=str(source.name), to=url, status=status or "no response")

    async def _post(self, event: Event, url: str) -> int:
        """Return the status, or 0 without a response. A tick has no timeout, as in Knative."""
        headers, body = to_http(event)
        try:
            timeout = aiohttp.ClientTimeout(total=None)
            async with self._session.post(url, data=body, headers=headers, timeout=timeout) as response:
                return response.status
        except (aiohttp.ClientError, OSError, ValueError):
            return 0


def ping_event(source: PingSource, event_id: str, now: datetime.datetime) -> Event:
    """Return the event that *source* sends at *now*."""
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

"""capacity: a datastore's alarm, told so that a person can act: how large, how much is free, and what grew.

vCenter's own event says "Alarm 'Datastore usage on disk' on nfs-1 changed from Yellow to Red". The reply to it adds the
figures, once for each state. What grew is what machines take now compared with the report before, which this process
remembers; the first report names the largest.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from flask import Blueprint

from functions import Environ
from pipeline import payload, settings
from pipeline.cloudevents import CloudEvent
from pipeline.deduplication import Deduplicator
from pipeline.errors import ObjectNotFound
from pipeline.payload import Reference
from pipeline.reply import reply
from vsphere.inventory import Inventory, object_of

SEVERITIES = {"red": "error", "yellow": "warning", "green": "info"}

MOST_NAMED = 5

log = structlog.get_logger()


@dataclass
class Report:
    """The last one of a datastore's alarm."""

    state: str
    time: str
    """The event's: UTC, so that text sorts as time does."""


class Capacity:
    """Datastore alarms with their figures."""

    blueprint: Blueprint | None = None

    def __init__(self, wanted: settings.CapacitySettings, inventory: Inventory) -> None:
        self._wanted = wanted
        self._inventory = inventory
        self._deduplicator: Deduplicator[CloudEvent | None] = Deduplicator(wanted.dedup_size)
        self._reports: dict[tuple[str, str], Report] = {}
        self._usage: dict[str, dict[str, int]] = {}
        self._lock = threading.Lock()

    def handle(self, event: CloudEvent) -> CloudEvent | None:
        """The event with the figures, as the reply. Raises as `Inventory` does."""
        return self._deduplicator.handle_once(event, self._react)

    def _react(self, event: CloudEvent) -> CloudEvent | None:
        datastore = object_of(event, "entity", self._wanted.vcenter)
        if datastore is None:
            return None
        alarm, state = self._alarm(event)
        if datastore.managed_type != "Datastore" or state not in SEVERITIES:
            log.info("no alarm of a datastore, not handled", id=event["id"], object=str(datastore), state=state)
            return None
        with self._lock:
            last = self._reports.get((datastore.id, alarm))
            if last and (last.state == state or str(event.get("time") or "") < last.time):
                log.info("state is reported already", id=event["id"], object=str(datastore), state=last.state)
                return None
            try:
                told = self._report(event, datastore, alarm, state)
            except ObjectNotFound as error:
                log.warning("datastore is gone, not handled", id=event["id"], reason=str(error))
                return None
            self._reports[datastore.id, alarm] = Report(state, str(event.get("time") or ""))
            return told

    def _report(self, event: CloudEvent, datastore: Reference, alarm: str, state: str) -> CloudEvent:
        room, usage = self._inventory.datastore(datastore), self._inventory.usage(datastore)
        before = self._usage.get(datastore.id)
        self._usage[datastore.id] = usage
        named = largest(usage if before is None else grown(before, usage))
        share = 100 * room.free / room.capacity if room.capacity else 0.0
        told = f"Datastore {room.name} is {state}: {size(room.free)} of {size(room.capacity)} free ({share:.0f} %)"
        if named:
            listed = ", ".join(f"{name} {size(count)}" for name, count in named.items())
            told += f"; {'largest' if before is None else 'grown since the last report'}: {listed}"
        log.info("capacity reported", id=event["id"], object=str(datastore), state=state)
        return reply(
            event,
            f"capacity.{state}",
            f"{told} ({alarm})" if alarm else told,
            SEVERITIES[state],
            datastore=room.name,
            capacity=room.capacity,
            free=room.free,
            **{"largest" if before is None else "grown": named},
        )

    def _alarm(self, event: CloudEvent) -> tuple[str, str]:
        """(name, new state) of the alarm that *event* is about."""
        properties = payload.fields(event)
        alarm = properties.get("Alarm")
        return str(alarm.get("Name") or "") if isinstance(alarm, dict) else "", str(properties.get("To") or "").lower()

    def close(self) -> None:
        """Log out."""
        self._inventory.close()


def grown(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """By how much each machine grew, those that did."""
    return {name: count - before.get(name, 0) for name, count in now.items() if count > before.get(name, 0)}


def largest(counts: Mapping[str, int]) -> dict[str, int]:
    """The few largest, in order."""
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return {name: count for name, count in ordered[:MOST_NAMED] if count}


def size(count: float) -> str:
    """Bytes as people read them: 1.5 TiB."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024 or unit == "TiB":
            break
        count /= 1024
    return f"{count:.1f} {unit}" if count < 10 else f"{count:.0f} {unit}"


def create(environ: Environ) -> Capacity:
    """capacity with the settings in *environ*. Raises `SettingsError` with every fault."""
    wanted = settings.read(settings.CapacitySettings, environ)
    return Capacity(wanted, Inventory(wanted.vcenter))

"""capacity: add figures to a datastore's alarm, so that people can act: size, free space, and the VMs that grew.

vCenter's own event says "Alarm 'Datastore usage on disk' on nfs-1 changed from Yellow to Red". The reply adds the
figures once for each state of the alarm. Growth is measured since the last report, which this process remembers. The
first report lists the largest VMs.
"""

import dataclasses
import threading
from collections.abc import Mapping

from pipeline import bounds, payload
from pipeline.cloudevents import CloudEvent
from pipeline.payload import Reference
from pipeline.reaction import ReactionFunction, Skipped, dedup_size_setting, object_of
from pipeline.reply import reply
from pipeline.settings import Environ, read
from vsphere.inventory import Inventory
from vsphere.settings import VCenterSettings

SEVERITIES = {"red": "error", "yellow": "warning", "green": "info"}


@dataclasses.dataclass(frozen=True)
class Settings:
    """The capacity reaction."""

    vcenter: VCenterSettings
    dedup_size: int = dedup_size_setting("CAPACITY_DEDUP_SIZE")


@dataclasses.dataclass
class Report:
    """The last report on an alarm of a datastore."""

    state: str
    time: str
    """Time of the event in UTC, so that text sorts by time."""


class CapacityReaction:
    """Reports figures of datastores when their alarms change state."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._reports: dict[tuple[str, str], Report] = {}
        self._usage: dict[str, dict[str, int]] = {}
        self._lock = threading.Lock()

    def react(self, event: CloudEvent) -> CloudEvent:
        """Reply with the figures. Raises as `Inventory` does."""
        datastore = object_of(event, "entity")
        alarm, state = payload.alarm(event)
        if datastore.managed_type != "Datastore" or state not in SEVERITIES:
            raise Skipped(f"not an alarm of a datastore: {datastore} is {state}")
        time = str(event.get("time") or "")
        with self._lock:
            last = self._reports.get((datastore.id, alarm))
            if last and (last.state == state or time < last.time):
                raise Skipped(f"{datastore} was already reported as {last.state}")
            report = self._report(event, datastore, alarm, state)
            self._reports[datastore.id, alarm] = Report(state, time)
            return report

    def _report(self, event: CloudEvent, datastore: Reference, alarm: str, state: str) -> CloudEvent:
        space, usage = self._inventory.datastore(datastore), self._inventory.usage(datastore)
        earlier = self._usage.get(datastore.id)
        self._usage[datastore.id] = usage
        listed = largest(usage if earlier is None else growth(earlier, usage))
        percent = 100 * space.free / space.capacity if space.capacity else 0.0
        message = f"Datastore {space.name} is {state}: {size(space.free)} of {size(space.capacity)} free"
        message += f" ({percent:.0f} %)"
        if listed:
            names = ", ".join(f"{name} {size(count)}" for name, count in listed.items())
            message += f", {'largest' if earlier is None else 'grown since the last report'}: {names}"
        return reply(
            event,
            f"capacity.{state}",
            f"{message} ({alarm})" if alarm else message,
            SEVERITIES[state],
            datastore=space.name,
            capacity=space.capacity,
            free=space.free,
            **{"largest" if earlier is None else "grown": listed},
        )

    def close(self) -> None:
        """Log out of vCenter."""
        self._inventory.close()


def growth(earlier: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """Return the growth in bytes of each VM that grew, by name."""
    return {name: count - earlier.get(name, 0) for name, count in now.items() if count > earlier.get(name, 0)}


def largest(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the `bounds.LISTED_VMS` largest, in descending order."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {name: count for name, count in ordered[: bounds.LISTED_VMS] if count}


def size(count: float) -> str:
    """Format bytes for people: 1.5 TiB."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024 or unit == "TiB":
            break
        count /= 1024
    return f"{count:.1f} {unit}" if count < 10 else f"{count:.0f} {unit}"


def create(environ: Environ) -> ReactionFunction:
    """Create the function with the settings in *environ*. Raises `SettingsError` with every error."""
    settings = read(Settings, environ)
    reaction = CapacityReaction(Inventory(settings.vcenter))
    return ReactionFunction(reaction, settings.dedup_size, settings.vcenter.sdk_url)

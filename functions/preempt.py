"""preempt: a cluster short of CPU or memory gets room: machines that carry a chosen tag are suspended or powered off.

It is careful, because it takes machines away: only what carries the tag, at most so many, not again within a pause, not
for an event of long ago (a dead letter that was redriven), and until PREEMPT_DRY_RUN says otherwise it only tells what
it would do.
"""

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from flask import Blueprint

from functions import Environ
from pipeline import payload, settings
from pipeline.cloudevents import CloudEvent
from pipeline.deduplication import Deduplicator
from pipeline.errors import ObjectNotFound, TemporaryError
from pipeline.payload import Reference
from pipeline.reply import reply
from vsphere.inventory import VM, Inventory, object_of
from vsphere.tagging import Tagging

log = structlog.get_logger()


class Preempt:
    """Machines that give way."""

    blueprint: Blueprint | None = None

    def __init__(
        self,
        wanted: settings.PreemptSettings,
        inventory: Inventory,
        tagging: Tagging,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._wanted = wanted
        self._inventory = inventory
        self._tagging = tagging
        self._now = now
        self._alarms = re.compile(wanted.alarms, re.IGNORECASE)
        self._deduplicator: Deduplicator[CloudEvent | None] = Deduplicator(wanted.dedup_size)
        self._acted: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def handle(self, event: CloudEvent) -> CloudEvent | None:
        """Make room; the reply says how. Raises as `Inventory` and `Tagging` do."""
        return self._deduplicator.handle_once(event, self._react)

    def _react(self, event: CloudEvent) -> CloudEvent | None:
        cluster = object_of(event, "entity", self._wanted.vcenter)
        if cluster is None:
            return None
        reason = self._why_not(event, cluster)
        if reason:
            log.info("nothing preempted", id=event["id"], object=str(cluster), reason=reason)
            return None
        with self._lock:
            now = self._now()
            last = self._acted.get(cluster.id)
            if last and now - last < timedelta(seconds=self._wanted.pause_seconds):
                log.info("nothing preempted", id=event["id"], object=str(cluster), reason="PREEMPT_PAUSE is not over")
                return None
            chosen = self._choose(cluster)
            if not chosen:
                log.warning(
                    "nothing preempted", id=event["id"], object=str(cluster), reason="no machine with the tag is on"
                )
                return None
            preempted = chosen if self._wanted.dry_run else self._preempt(chosen)
            self._acted[cluster.id] = now
        return self._told(event, cluster, preempted)

    def _why_not(self, event: CloudEvent, cluster: Reference) -> str:
        """Why *event* is no reason to act, or ""."""
        properties = payload.fields(event)
        alarm = properties.get("Alarm")
        name = str(alarm.get("Name") or "") if isinstance(alarm, dict) else ""
        if cluster.managed_type != "ClusterComputeResource":
            return "it is about no cluster"
        if str(properties.get("To") or "").lower() != "red":
            return "the alarm is not red"
        if not self._alarms.search(name):
            return f"PREEMPT_ALARMS does not match the alarm {name!r}"
        happened = payload.moment(event)
        if happened is None or self._now() - happened > timedelta(seconds=self._wanted.age_seconds):
            return f"the event is of {event.get('time')}"
        return ""

    def _choose(self, cluster: Reference) -> list[VM]:
        """The machines that give way: on, with the tag, the first by name."""
        carriers = self._tagging.objects_with(self._wanted.category, self._wanted.tag)
        willing = [each for each in self._inventory.vms_in(cluster) if each.is_on]
        return [each for each in willing if (each.reference.managed_type, each.reference.id) in carriers][
            : self._wanted.most
        ]

    def _preempt(self, chosen: list[VM]) -> list[VM]:
        """Suspend them or power them off; those that gave way. A fault at the first is raised, a later one ends it."""
        act = self._inventory.suspend if self._wanted.action == "suspend" else self._inventory.power_off
        done: list[VM] = []
        for machine in chosen:
            try:
                act(machine.reference)
            except ObjectNotFound:
                continue
            except TemporaryError as error:
                if not done:
                    raise
                # Tried again, the event would take others besides those that gave way.
                log.warning("preemption ended early", machine=str(machine.reference), reason=str(error))
                break
            log.warning("machine preempted", machine=str(machine.reference), action=self._wanted.action)
            done.append(machine)
        return done

    def _told(self, event: CloudEvent, cluster: Reference, machines: list[VM]) -> CloudEvent:
        names = [machine.reference.name for machine in machines]
        done = "suspended" if self._wanted.action == "suspend" else "powered off"
        verb = f"would be {done} (PREEMPT_DRY_RUN)" if self._wanted.dry_run else done
        return reply(
            event,
            "preempt.planned" if self._wanted.dry_run else "preempt.done",
            f"{len(names)} virtual machines in {cluster.name} {verb}: {', '.join(names)}",
            "warning",
            cluster=cluster.name,
            machines=names,
            action=self._wanted.action,
        )

    def close(self) -> None:
        """Log out."""
        self._inventory.close()
        self._tagging.close()


def create(environ: Environ) -> Preempt:
    """preempt with the settings in *environ*. Raises `SettingsError` with every fault."""
    wanted = settings.read(settings.PreemptSettings, environ)
    return Preempt(wanted, Inventory(wanted.vcenter), Tagging(wanted.vcenter))

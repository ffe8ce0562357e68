"""preempt: free CPU and memory in a cluster by suspending or powering off VMs that have a given tag.

Because it takes VMs away, it is careful. It acts only if the alarm is red in vCenter at this moment, only on VMs with
the tag, on a limited number of them, not again within a pause, and not for an old event (such as a redriven dead
letter). Until `PREEMPT_DRY_RUN=false` it only reports what it would do.
"""

import dataclasses
import math
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from pipeline import payload
from pipeline.cloudevents import CloudEvent
from pipeline.errors import ObjectNotFound, TemporaryError
from pipeline.payload import Reference
from pipeline.reaction import ReactionFunction, Skipped, dedup_size_setting, object_of
from pipeline.reply import reply
from pipeline.settings import Environ, duration, flag, one_of, read, setting, text, whole_number
from vsphere.inventory import VM, Inventory
from vsphere.settings import VCenterSettings
from vsphere.tagging import Tagging

log = structlog.get_logger()


def regular_expression(value: str) -> re.Pattern[str]:
    """Parse a regular expression that ignores case."""
    try:
        return re.compile(value, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"is {value!r}, not a regular expression: {error}") from error


@dataclasses.dataclass(frozen=True)
class Settings:
    """The VMs that give way, and when."""

    vcenter: VCenterSettings
    category: str = setting("PREEMPT_CATEGORY", text, "Category of the tag.", example="lifecycle")
    tag: str = setting(
        "PREEMPT_TAG", text, "Tag of the VMs that may be suspended or powered off.", example="preemptible"
    )
    action: str = setting(
        "PREEMPT_ACTION",
        one_of("suspend", "poweroff"),
        "`suspend` the VMs, or `poweroff` without a guest shutdown.",
        example="poweroff",
        default="suspend",
    )
    max_vms: int = setting(
        "PREEMPT_MAX_VMS", whole_number(1, 1000), "Maximum VMs for each alarm.", example="5", default="3"
    )
    dry_run: bool = setting("PREEMPT_DRY_RUN", flag, "Only report what would be done.", example="false", default="true")
    alarms: re.Pattern[str] = setting(
        "PREEMPT_ALARMS",
        regular_expression,
        "Regular expression that is found in the alarm's name, case-insensitive.",
        example="cpu",
        default="cpu|memory",
    )
    pause_seconds: float = setting(
        "PREEMPT_PAUSE", duration, "Minimum time between two preemptions in a cluster.", example="30m", default="10m"
    )
    age_seconds: float = setting(
        "PREEMPT_AGE",
        duration,
        "Maximum age of an event. Older events, such as redriven ones, are skipped.",
        example="5m",
        default="10m",
    )
    dedup_size: int = dedup_size_setting("PREEMPT_DEDUP_SIZE")


class PreemptReaction:
    """Suspends or powers off tagged VMs of a cluster."""

    def __init__(
        self,
        settings: Settings,
        inventory: Inventory,
        tagging: Tagging,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._inventory = inventory
        self._tagging = tagging
        self._now = now
        self._last_preempted: dict[str, float] = {}  # by the monotonic clock, which nobody sets
        self._lock = threading.Lock()

    def react(self, event: CloudEvent) -> CloudEvent:
        """Free resources, and reply with the VMs. Raises as `Inventory` and `Tagging` do."""
        cluster = object_of(event, "entity")
        self._check(event, cluster)
        with self._lock:
            started = time.monotonic()
            since = started - self._last_preempted.get(cluster.id, -math.inf)
            if since < self._settings.pause_seconds:
                raise Skipped(f"preempted in {cluster} {since:.0f} s ago, and PREEMPT_PAUSE is not over")
            # An event proves nothing: anyone who reaches the Broker can send one. vCenter has the alarm's state.
            if payload.alarm(event).name not in self._inventory.red_alarms(cluster):
                raise Skipped(f"the alarm is not red in vCenter now: {payload.alarm(event).name!r} of {cluster}")
            vms = self._choose(cluster)
            if not vms:
                raise Skipped(f"no running VM in {cluster} has the tag")
            preempted = vms if self._settings.dry_run else self._preempt(vms)
            self._last_preempted[cluster.id] = started
        return self._reply(event, cluster, preempted)

    def _check(self, event: CloudEvent, cluster: Reference) -> None:
        """Raise `Skipped` unless *event* is a recent red alarm of a cluster that `PREEMPT_ALARMS` selects."""
        alarm = payload.alarm(event)
        if cluster.managed_type != "ClusterComputeResource":
            raise Skipped(f"{cluster} is not a cluster")
        if alarm.state != "red":
            raise Skipped(f"the alarm is not red: {alarm.state}")
        if not self._settings.alarms.search(alarm.name):
            raise Skipped(f"PREEMPT_ALARMS does not match the alarm {alarm.name!r}")
        happened = payload.moment(event)
        if happened is None or self._now() - happened > timedelta(seconds=self._settings.age_seconds):
            raise Skipped(f"event is older than PREEMPT_AGE: {event.get('time')}")

    def _choose(self, cluster: Reference) -> list[VM]:
        """Return the running VMs with the tag, at most `PREEMPT_MAX_VMS`, by name."""
        tagged = self._tagging.objects_with(self._settings.category, self._settings.tag)
        running = [vm for vm in self._inventory.vms_in(cluster) if vm.is_on]
        return [vm for vm in running if (vm.reference.managed_type, vm.reference.id) in tagged][
            : self._settings.max_vms
        ]

    def _preempt(self, vms: list[VM]) -> list[VM]:
        """Suspend *vms* or power them off. Return those that were.

        An error at the first VM is raised. A later error ends the preemption, because a retry would take other VMs in
        addition to those that are already suspended.
        """
        act = self._inventory.suspend if self._settings.action == "suspend" else self._inventory.power_off
        preempted: list[VM] = []
        for vm in vms:
            try:
                act(vm.reference)
            except ObjectNotFound:
                continue
            except TemporaryError as error:
                if not preempted:
                    raise
                log.warning("preemption ended early", vm=str(vm.reference), reason=str(error))
                break
            log.warning("VM preempted", vm=str(vm.reference), action=self._settings.action)
            preempted.append(vm)
        return preempted

    def _reply(self, event: CloudEvent, cluster: Reference, vms: list[VM]) -> CloudEvent:
        names = [vm.reference.name for vm in vms]
        done = "suspended" if self._settings.action == "suspend" else "powered off"
        verb = f"would be {done} (PREEMPT_DRY_RUN)" if self._settings.dry_run else done
        return reply(
            event,
            "preempt.planned" if self._settings.dry_run else "preempt.done",
            f"{len(names)} VMs in {cluster.name} {verb}: {', '.join(names)}",
            "warning",
            cluster=cluster.name,
            vms=names,
            action=self._settings.action,
        )

    def close(self) -> None:
        """Log out of vCenter."""
        self._inventory.close()
        self._tagging.close()


def create(environ: Environ) -> ReactionFunction:
    """Create the function with the settings in *environ*. Raises `SettingsError` with every error."""
    settings = read(Settings, environ)
    reaction = PreemptReaction(settings, Inventory(settings.vcenter), Tagging(settings.vcenter))
    return ReactionFunction(reaction, settings.dedup_size, settings.vcenter.sdk_url)

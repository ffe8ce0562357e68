"""failover: after a vSphere HA fail-over, one event that lists the machines which were restarted, and where.

vCenter reports each restart by itself, and that a cluster's fail-over is done; this reaction reads the restarts from
vCenter's history, so it needs no memory of its own, and no order of events.
"""

import threading
from datetime import timedelta

import structlog
from flask import Blueprint

from functions import Environ
from pipeline import payload, settings
from pipeline.cloudevents import CloudEvent
from pipeline.deduplication import Deduplicator
from pipeline.errors import ObjectNotFound, cut
from pipeline.reply import reply
from vsphere.inventory import Inventory, object_of

RESTARTED = frozenset({"com.vmware.vc.ha.VmRestartedByHAEvent", "VmRestartedOnAlternateHostEvent"})

MESSAGE_CHARACTERS = 1000

log = structlog.get_logger()


class Failover:
    """Fail-overs, each summed up once."""

    blueprint: Blueprint | None = None

    def __init__(self, wanted: settings.FailoverSettings, inventory: Inventory) -> None:
        self._wanted = wanted
        self._inventory = inventory
        self._deduplicator: Deduplicator[CloudEvent | None] = Deduplicator(wanted.dedup_size)
        self._closing = threading.Event()

    def handle(self, event: CloudEvent) -> CloudEvent | None:
        """The summary, once restarts had time to be reported. Raises as `Inventory` does."""
        return self._deduplicator.handle_once(event, self._react)

    def _react(self, event: CloudEvent) -> CloudEvent | None:
        cluster = object_of(event, "cluster", self._wanted.vcenter)
        completed = payload.moment(event)
        if cluster is None or completed is None:
            return None
        self._closing.wait(self._wanted.settle_seconds)
        begin = completed - timedelta(seconds=self._wanted.window_seconds)
        end = completed + timedelta(seconds=self._wanted.settle_seconds)
        try:
            restarts = self._inventory.events(cluster, RESTARTED, begin, end)
        except ObjectNotFound as error:
            log.warning("cluster is gone, not handled", id=event["id"], reason=str(error))
            return None
        machines = {_name(each, "Vm"): _name(each, "Host") for each in restarts}
        log.info("fail-over summed up", id=event["id"], cluster=str(cluster), machines=len(machines))
        if not machines:
            return None
        told = ", ".join(f"{machine} on {host}" if host else machine for machine, host in sorted(machines.items()))
        return reply(
            event,
            "failover.completed",
            cut(f"HA restarted {len(machines)} virtual machines in {cluster.name}: {told}", MESSAGE_CHARACTERS),
            "warning",
            cluster=cluster.name,
            machines=[{"name": machine, "host": host} for machine, host in sorted(machines.items())],
        )

    def close(self) -> None:
        """Wait no longer for restarts; log out."""
        self._closing.set()
        self._inventory.close()


def _name(event: dict[str, object], argument: str) -> str:
    held = event.get(argument)
    return str(held.get("Name") or "") if isinstance(held, dict) else ""


def create(environ: Environ) -> Failover:
    """failover with the settings in *environ*. Raises `SettingsError` with every fault."""
    wanted = settings.read(settings.FailoverSettings, environ)
    return Failover(wanted, Inventory(wanted.vcenter))

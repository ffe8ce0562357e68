"""maintenance: a host in maintenance mode raises no alarm; what was before is restored when it leaves.

What was before stands in a custom attribute of the host, so it outlives this process, and a person can see it. What the
host is now counts, not what the event says: events come twice, late, and in any order.
"""

import structlog
from flask import Blueprint

from functions import Environ
from pipeline import settings
from pipeline.cloudevents import CloudEvent
from pipeline.deduplication import Deduplicator
from pipeline.errors import ObjectNotFound
from pipeline.payload import Reference
from pipeline.reply import reply
from vsphere.inventory import Inventory, object_of

ENABLED, DISABLED = "enabled", "disabled"

log = structlog.get_logger()


class Maintenance:
    """Alarm actions of hosts, off while they are in maintenance mode."""

    blueprint: Blueprint | None = None

    def __init__(self, wanted: settings.MaintenanceSettings, inventory: Inventory) -> None:
        self._wanted = wanted
        self._inventory = inventory
        self._deduplicator: Deduplicator[CloudEvent | None] = Deduplicator(wanted.dedup_size)

    def handle(self, event: CloudEvent) -> CloudEvent | None:
        """Switch the host's alarm actions as its mode asks; the reply says so. Raises as `Inventory` does."""
        return self._deduplicator.handle_once(event, self._react)

    def _react(self, event: CloudEvent) -> CloudEvent | None:
        host = object_of(event, "host", self._wanted.vcenter)
        if host is None:
            return None
        try:
            return self._enter(event, host) if self._inventory.in_maintenance(host) else self._leave(event, host)
        except ObjectNotFound as error:
            log.warning("host is gone, not handled", id=event["id"], reason=str(error))
            return None

    def _enter(self, event: CloudEvent, host: Reference) -> CloudEvent | None:
        before = self._before(host)
        if not before:
            before = ENABLED if self._inventory.alarm_actions(host) else DISABLED
            self._inventory.set_attributes(host, {self._wanted.attribute: before})
        if before == DISABLED:
            log.info("alarm actions are off already", id=event["id"], host=str(host))
            return None
        self._inventory.set_alarm_actions(host, enabled=False)
        log.info("alarm actions off", id=event["id"], host=str(host))
        return reply(event, "maintenance.silenced", f"Alarm actions of {host.name} are off: maintenance", "info")

    def _leave(self, event: CloudEvent, host: Reference) -> CloudEvent | None:
        before = self._before(host)
        if before == ENABLED:
            self._inventory.set_alarm_actions(host, enabled=True)
        if before:
            self._inventory.set_attributes(host, {self._wanted.attribute: ""})
        if before != ENABLED:
            log.info("alarm actions left as they are", id=event["id"], host=str(host), before=before or "not known")
            return None
        log.info("alarm actions on again", id=event["id"], host=str(host))
        return reply(event, "maintenance.restored", f"Alarm actions of {host.name} are on again", "info")

    def _before(self, host: Reference) -> str:
        """What was before maintenance, or "" where nothing was noted."""
        return self._inventory.attributes(host).get(self._wanted.attribute, "")

    def close(self) -> None:
        """Log out."""
        self._inventory.close()


def create(environ: Environ) -> Maintenance:
    """maintenance with the settings in *environ*. Raises `SettingsError` with every fault."""
    wanted = settings.read(settings.MaintenanceSettings, environ)
    return Maintenance(wanted, Inventory(wanted.vcenter))

"""maintenance: disable the alarm actions of a host in maintenance mode, and restore them when it leaves the mode.

A custom attribute of the host keeps the earlier state, so that the state outlives this process and people can see it.
The host's current mode decides what happens and not the event, because events can be late, duplicated or out of order.
"""

import dataclasses

from pipeline.cloudevents import CloudEvent
from pipeline.payload import Reference
from pipeline.reaction import ReactionFunction, Skipped, dedup_size_setting, object_of
from pipeline.reply import reply
from pipeline.settings import Environ, read, setting, text
from vsphere.inventory import Inventory
from vsphere.settings import VCenterSettings

ENABLED, DISABLED = "enabled", "disabled"


@dataclasses.dataclass(frozen=True)
class Settings:
    """The attribute that keeps the earlier state."""

    vcenter: VCenterSettings
    attribute: str = setting(
        "MAINTENANCE_ATTRIBUTE",
        text,
        "Custom attribute of the host that keeps whether its alarm actions were enabled before maintenance.",
        example="alarm actions before maintenance",
        default="alarm actions before maintenance",
    )
    dedup_size: int = dedup_size_setting("MAINTENANCE_DEDUP_SIZE")


class MaintenanceReaction:
    """Disables and restores alarm actions of hosts."""

    def __init__(self, settings: Settings, inventory: Inventory) -> None:
        self._attribute = settings.attribute
        self._inventory = inventory

    def react(self, event: CloudEvent) -> CloudEvent:
        """Switch the alarm actions of the event's host as its mode requires. Raises as `Inventory` does."""
        host = object_of(event, "host")
        return self._disable(event, host) if self._inventory.in_maintenance(host) else self._restore(event, host)

    def _disable(self, event: CloudEvent, host: Reference) -> CloudEvent:
        earlier = self._earlier_state(host)
        if not earlier:
            earlier = ENABLED if self._inventory.alarm_actions(host) else DISABLED
            self._inventory.set_attributes(host, {self._attribute: earlier})
        if earlier == DISABLED:
            raise Skipped("alarm actions were already disabled before maintenance")
        self._inventory.set_alarm_actions(host, enabled=False)
        return reply(event, "maintenance.silenced", f"Alarm actions of {host.name} disabled for maintenance", "info")

    def _restore(self, event: CloudEvent, host: Reference) -> CloudEvent:
        earlier = self._earlier_state(host)
        if earlier == ENABLED:
            self._inventory.set_alarm_actions(host, enabled=True)
        if earlier:
            self._inventory.set_attributes(host, {self._attribute: ""})
        if earlier != ENABLED:
            raise Skipped(f"nothing to restore, alarm actions before maintenance: {earlier or 'unknown'}")
        return reply(event, "maintenance.restored", f"Alarm actions of {host.name} enabled again", "info")

    def _earlier_state(self, host: Reference) -> str:
        """Return the state before maintenance, or "" if none is recorded."""
        return self._inventory.attributes(host).get(self._attribute, "")

    def close(self) -> None:
        """Log out of vCenter."""
        self._inventory.close()


def create(environ: Environ) -> ReactionFunction:
    """Create the function with the settings in *environ*. Raises `SettingsError` with every error."""
    settings = read(Settings, environ)
    reaction = MaintenanceReaction(settings, Inventory(settings.vcenter))
    return ReactionFunction(reaction, settings.dedup_size, settings.vcenter.sdk_url)

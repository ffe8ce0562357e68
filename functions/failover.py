"""failover: list the VMs that vSphere HA restarted in a failover, and their hosts, in one event.

vCenter reports each restart in its own event, and then that the failover of the cluster is complete. This reaction
reads the restarts from vCenter's history, so it needs no state and no order of events.
"""

import dataclasses
import threading
from datetime import timedelta

from pipeline import bounds, payload
from pipeline.cloudevents import CloudEvent
from pipeline.errors import cut
from pipeline.reaction import ReactionFunction, Skipped, dedup_size_setting, object_of
from pipeline.reply import reply
from pipeline.settings import Environ, duration, read, setting
from vsphere.inventory import Inventory
from vsphere.settings import VCenterSettings

RESTART_TYPES = frozenset({"com.vmware.vc.ha.VmRestartedByHAEvent", "VmRestartedOnAlternateHostEvent"})


@dataclasses.dataclass(frozen=True)
class Settings:
    """The period in which restarts belong to a failover."""

    vcenter: VCenterSettings
    window_seconds: float = setting(
        "FAILOVER_WINDOW",
        duration,
        "Period before the completion of a failover in which restarts belong to it.",
        example="30m",
        default="15m",
    )
    settle_seconds: float = setting(
        "FAILOVER_SETTLE",
        duration,
        "Wait after the completion of a failover for restarts that are reported late.",
        example="1m",
        default="30s",
    )
    dedup_size: int = dedup_size_setting("FAILOVER_DEDUP_SIZE")


class FailoverReaction:
    """Lists the restarts of a failover."""

    def __init__(self, settings: Settings, inventory: Inventory) -> None:
        self._settings = settings
        self._inventory = inventory
        self._closing = threading.Event()

    def react(self, event: CloudEvent) -> CloudEvent:
        """Wait for late restarts, and reply with the list. Raises as `Inventory` does."""
        cluster = object_of(event, "cluster")
        completed = payload.moment(event)
        if completed is None:
            raise Skipped("event without a valid time")
        self._closing.wait(self._settings.settle_seconds)
        begin = completed - timedelta(seconds=self._settings.window_seconds)
        end = completed + timedelta(seconds=self._settings.settle_seconds)
        restarts = self._inventory.events(cluster, RESTART_TYPES, begin, end)
        hosts = {_name(restart, "Vm"): _name(restart, "Host") for restart in restarts}
        if not hosts:
            raise Skipped("no restarts found in vCenter's history")
        listed = ", ".join(f"{vm} on {host}" if host else vm for vm, host in sorted(hosts.items()))
        return reply(
            event,
            "failover.completed",
            cut(f"HA restarted {len(hosts)} VMs in {cluster.name}: {listed}", bounds.FAILOVER_CHARACTERS),
            "warning",
            cluster=cluster.name,
            vms=[{"name": vm, "host": host} for vm, host in sorted(hosts.items())],
        )

    def close(self) -> None:
        """Stop waiting for late restarts, and log out of vCenter."""
        self._closing.set()
        self._inventory.close()


def _name(event: dict[str, object], argument: str) -> str:
    """Return the name in an event's argument, or ""."""
    value = event.get(argument)
    return str(value.get("Name") or "") if isinstance(value, dict) else ""


def create(environ: Environ) -> ReactionFunction:
    """Create the function with the settings in *environ*. Raises `SettingsError` with every error."""
    settings = read(Settings, environ)
    reaction = FailoverReaction(settings, Inventory(settings.vcenter))
    return ReactionFunction(reaction, settings.dedup_size, settings.vcenter.sdk_url)

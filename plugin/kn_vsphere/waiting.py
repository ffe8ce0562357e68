"""`--wait`: wait until an object is ready, and report what it is waiting for."""

import time
from collections.abc import Callable

from cluster.resources import Object, Resource
from kn_vsphere.call import Call
from kn_vsphere.errors import CommandError
from kn_vsphere.site import Site, failing
from sources.conditions import READY, read

PAUSE_SECONDS = 0.5


def wait_if_set(call: Call, site: Site, resource: Resource) -> None:
    """Wait until the object that `--name` names is ready, if `--wait` is set. Raises `CommandError` after its time."""
    if call.flags.is_set("wait"):
        name = call.flags.text("name")
        wait_until_ready(call, site, resource, name, time.monotonic() + call.flags.seconds("wait-timeout"))


def wait_until_ready(
    call: Call,
    site: Site,
    resource: Resource,
    name: str,
    deadline: float,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until an object is ready. Reports each new reason why it is not. Raises `CommandError` at *deadline*."""
    reported = ""
    while True:
        with failing(f"failed to wait for {name}", site.url):
            obstacle = obstacle_of(site.client.get(resource, site.namespace, name))
        if not obstacle:
            call.report(f"{resource.kind} {name} is ready")
            return
        if obstacle != reported:
            call.report(f"Waiting for {resource.kind} {name}: {obstacle}")
            reported = obstacle
        if time.monotonic() >= deadline:
            hint = f"kn vsphere {_group(call)} describe {name} -n {site.namespace}"
            raise CommandError(f"{resource.kind} {name} is not ready: {obstacle}. `{hint}` shows more")
        sleep(PAUSE_SECONDS)


def obstacle_of(obj: Object) -> str:
    """Return why an object is not ready. Empty if it is."""
    status = obj.get("status") or {}
    ready = read(status.get("conditions"), READY)
    if ready is None or status.get("observedGeneration") != obj["metadata"].get("generation"):
        return "its controller has not looked at it yet"
    if ready.status == "True":
        return ""
    return ": ".join(part for part in (ready.reason, ready.message) if part) or f"Ready is {ready.status}"


def _group(call: Call) -> str:
    return call.flags.path[1].name

"""The event types that the encoder can produce."""

import re

from pyVmomi import VmomiSupport, vim


def can_be_produced(event_type: str) -> bool:
    """Return whether *event_type* names an event class that pyVmomi knows, in the contract's spelling."""
    spelled = re.fullmatch(r"com\.vmware\.vsphere\.(\w+)\.v0", event_type)
    if spelled is None:
        return False
    try:
        known = VmomiSupport.GetVmodlType(f"vim.event.{spelled[1]}")
    except KeyError:
        return False
    return issubclass(known, vim.event.Event)

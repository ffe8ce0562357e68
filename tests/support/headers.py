"""The headers of events in binary mode."""


def event_headers(event_id: str = "1", event_type: str = "a.b", **extensions: str) -> dict[str, str]:
    """Return the headers of an event with the required attributes and *extensions*."""
    required = {"ce-specversion": "1.0", "ce-id": event_id, "ce-source": "/test", "ce-type": event_type}
    return {**required, **{f"ce-{name}": value for name, value in extensions.items()}}


def headers(**attributes: str) -> dict[str, str]:
    """Return the headers of a vCenter event: *attributes* over those of a VM that was powered off."""
    event = {
        "specversion": "1.0",
        "id": "4711",
        "source": "https://vcenter.example/sdk",
        "type": "com.vmware.vsphere.VmPoweredOffEvent.v0",
        "time": "2026-11-20T15:45:13.931122Z",
        "datacontenttype": "application/json",
        **attributes,
    }
    content_type = event.pop("datacontenttype")
    return {"content-type": content_type} | {f"ce-{name}": value for name, value in event.items()}

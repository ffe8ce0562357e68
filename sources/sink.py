"""The address of a sink: a reference, an address, or an address relative to a reference. Pure.

This is the `Destination` of Knative's sources. A reference is to a Service, or to any object that has an address in its
status: a Broker, a Channel, a Knative Service.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from pipeline.errors import TemporaryError

Object = Mapping[str, Any]

NOT_FOUND = "SinkNotFound"
EMPTY = "SinkEmpty"
INVALID = "SinkInvalid"


class SinkUnresolved(TemporaryError):
    """A sink has no address now. Its object may get one."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        """`SinkNotFound`, `SinkEmpty` or `SinkInvalid`."""
        super().__init__(message)


class Reference(NamedTuple):
    """The object that a sink refers to."""

    api_version: str
    kind: str
    namespace: str
    name: str
    address: str
    """The name of one of several addresses. Empty for the first one."""

    def __str__(self) -> str:
        return (
            f"Kind = {self.kind}, Namespace = {self.namespace}, Name = {self.name}, "
            f"APIVersion = {self.api_version}, Group = , Address = {self.address}"
        )

    @property
    def is_service(self) -> bool:
        """The object is a Kubernetes Service, which has a name in DNS instead of an address."""
        return (self.api_version, self.kind) == ("v1", "Service")


def reference(sink: Object, namespace: str) -> Reference | None:
    """Return the object that *sink* of a source in *namespace* refers to, or None if it has an address alone."""
    ref = sink.get("ref")
    if not ref:
        return None
    return Reference(
        ref.get("apiVersion", ""),
        ref.get("kind", ""),
        ref.get("namespace") or namespace,
        ref.get("name", ""),
        ref.get("address") or "",
    )


def address(sink: Object, ref: Reference | None, referent: Object | None, cluster_domain: str) -> str:
    """Return the URL of *sink*. *referent* is the object of *ref*, or None if there is none.

    Raises `SinkUnresolved`.
    """
    uri = str(sink.get("uri") or "")
    if ref is None:
        parts = urlsplit(uri)
        if not parts.scheme or not parts.netloc:
            message = f'URI is not absolute (both scheme and host should be non-empty): "{uri}"'
            raise SinkUnresolved(EMPTY if not uri else INVALID, message)
        return uri
    if referent is None:
        raise SinkUnresolved(
            NOT_FOUND, f'failed to get object {ref.namespace}/{ref.name}: {ref.kind} "{ref.name}" not found'
        )
    if ref.is_service:
        scheme = "https" if sink.get("CACerts") else "http"
        base = f"{scheme}://{ref.name}.{ref.namespace}.svc.{cluster_domain}"
    else:
        base = _status_address(ref, referent.get("status") or {})
    return urljoin(base, uri) if uri else base


def _status_address(ref: Reference, status: Object) -> str:
    """Return the address that an object reports. Raises `SinkUnresolved`."""
    addresses = status.get("addresses") or []
    if ref.address:
        chosen = next((entry for entry in addresses if entry.get("name") == ref.address), None)
        if chosen is None:
            raise SinkUnresolved(EMPTY, f'address with name "{ref.address}" not found for {ref}')
    else:
        chosen = addresses[0] if addresses else status.get("address")
    if not chosen:
        raise SinkUnresolved(EMPTY, f"address not set for {ref}")
    url = str(chosen.get("url") or "")
    if not url:
        raise SinkUnresolved(EMPTY, f"URL missing in address of {ref}")
    if not urlsplit(url).hostname:
        raise SinkUnresolved(EMPTY, f"hostname missing in address of {ref}")
    return url

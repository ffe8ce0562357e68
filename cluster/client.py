"""Requests to the API server: get, list, watch, create, replace, patch, delete. Objects are JSON.

Kubernetes' own client is not used: importing it takes half a second and 40 MB, and its watch leaves what matters to the
caller (docs/decisions has the measurement). A client may be used from many threads.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode

import urllib3

from cluster.connection import Connection
from cluster.errors import UNREACHABLE, ClusterError
from cluster.resources import Object, Resource
from pipeline import bounds
from pipeline.body import read_body
from pipeline.errors import cut

CONNECT_SECONDS = 5.0
"""Maximum wait for a connection."""
REQUEST_SECONDS = 10.0
"""Maximum wait for each part of a response. Admission webhooks of others may take 10 s."""
BODY_SECONDS = 30.0
"""Maximum time from the first part of a response's body to the last."""
SILENCE_SECONDS = 70.0
"""Maximum silence of a watch. The API server sends a bookmark each minute, so a longer silence is a dead connection."""
WATCH_SECONDS = 240
"""Time after which the API server ends a watch."""
PAGE_SIZE = 500
"""Objects in a page of a list."""
CONNECTIONS = 16
"""Connections that are kept."""

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

_METADATA = "application/json;as=PartialObjectMetadata{list};g=meta.k8s.io;v=v1"

Patch = Mapping[str, Any] | list[dict[str, Any]]


class Collection(NamedTuple):
    """A list of objects."""

    items: list[Object]
    version: str
    """The `resourceVersion` from which a watch goes on."""


class WatchEvent(NamedTuple):
    """A change."""

    type: str
    """`ADDED`, `MODIFIED`, `DELETED` or `BOOKMARK`."""
    object: Object


class Watch:
    """A watch under way: an iterator of changes, which `close` ends from any thread."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response
        self._closed = False

    def __iter__(self) -> Iterator[WatchEvent]:
        """Yield changes until the API server ends the watch.

        Raises `ClusterError`, also for a silent connection and for a change of more than `bounds.API_OBJECT_BYTES`.
        """
        rest = b""
        try:
            for part in self._response.stream(65536):
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    if line:
                        yield _watch_event(line)
                if len(rest) > bounds.API_OBJECT_BYTES:
                    raise ValueError(f"a change has more than {bounds.API_OBJECT_BYTES} bytes")
        except (urllib3.exceptions.HTTPError, OSError, ValueError, RecursionError) as error:
            if not self._closed:
                raise _unreachable("watch", error) from error
        finally:
            self._response.close()

    def close(self) -> None:
        """End the iteration, which may be waiting in another thread."""
        self._closed = True
        with contextlib.suppress(ValueError, RuntimeError, OSError):  # it ended by itself
            self._response.shutdown()


class ClusterClient:
    """The API server at one connection. A context manager."""

    def __init__(self, connection: Connection, silence_seconds: float = SILENCE_SECONDS) -> None:
        self.namespace = connection.namespace
        """The namespace of this process."""
        self._url = connection.url
        self._authorization = connection.authorization
        self._silence_seconds = silence_seconds
        tls: dict[str, Any] = {"ssl_context": connection.ssl_context()} if connection.url.startswith("https:") else {}
        if connection.server_name:
            tls["server_hostname"] = connection.server_name
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=CONNECTIONS, retries=False, **tls)
        self.requests = 0
        """Requests sent so far, approximately when there are several threads."""

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """Return an object. Raises `ClusterError`, also if there is none (`is_not_found`)."""
        return self._object(resource, "GET", resource.path(namespace, name))

    def find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """Return an object, or None if there is none. Raises `ClusterError`."""
        try:
            return self.get(resource, namespace, name)
        except ClusterError as error:
            if error.is_not_found:
                return None
            raise

    def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        metadata_only: bool = False,
        managed_fields: bool = False,
    ) -> Collection:
        """Return the objects in *namespace* or in all. *metadata_only* leaves out spec and status.

        *managed_fields* keeps `metadata.managedFields`, which are large.

        Raises `ClusterError`.
        """
        query = _query(labelSelector=label_selector, fieldSelector=field_selector, limit=PAGE_SIZE)
        accept = f"{_METADATA.format(list='List')},application/json" if metadata_only else "application/json"
        items: list[Object] = []
        while True:
            page = self._json("GET", resource.path(namespace), query, headers={"Accept": accept})
            items.extend(_typed(resource, item, managed_fields) for item in page.get("items") or ())
            metadata = page["metadata"]
            if not metadata.get("continue"):
                return Collection(items, metadata["resourceVersion"])
            query["continue"] = metadata["continue"]

    def watch(
        self,
        resource: Resource,
        version: str,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        metadata_only: bool = False,
    ) -> Watch:
        """Return the changes after *version*, as `list` returned it. Raises `ClusterError`."""
        query = _query(
            labelSelector=label_selector,
            fieldSelector=field_selector,
            watch="true",
            allowWatchBookmarks="true",
            resourceVersion=version,
            timeoutSeconds=WATCH_SECONDS,
        )
        accept = f"{_METADATA.format(list='')},application/json" if metadata_only else "application/json"
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=self._silence_seconds)
        path = resource.path(namespace)
        response = self._send("GET", path, query, None, {"Accept": accept}, timeout)
        if response.status != 200:
            raise _error(response.status, _body(response, f"watch {path}"))
        return Watch(response)

    def create(self, resource: Resource, obj: Object, *, dry_run: bool = False) -> Object:
        """Create *obj* in its namespace and return it as stored. Raises `ClusterError` (`already_exists`)."""
        path = resource.path(obj["metadata"].get("namespace", ""))
        return self._object(resource, "POST", path, _query(dryRun="All" if dry_run else ""), obj)

    def replace(self, resource: Resource, obj: Object, subresource: str = "") -> Object:
        """Replace an object, or its `status`, by *obj* with its `resourceVersion`. Return it as stored.

        Raises `ClusterError` (`is_conflict`).
        """
        metadata = obj["metadata"]
        path = resource.path(metadata.get("namespace", ""), metadata["name"], subresource)
        return self._object(resource, "PUT", path, {}, obj)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Patch,
        *,
        content_type: str = MERGE_PATCH,
        subresource: str = "",
        field_manager: str = "",
    ) -> Object:
        """Patch an object and return it as stored. *field_manager* belongs to `APPLY_PATCH`. Raises `ClusterError`."""
        query = _query(fieldManager=field_manager, force="true" if content_type == APPLY_PATCH else "")
        path = resource.path(namespace, name, subresource)
        return self._object(resource, "PATCH", path, query, patch, {"Content-Type": content_type})

    def delete(self, resource: Resource, namespace: str, name: str, uid: str = "") -> bool:
        """Delete an object, and what it owns in the background. Return False if there was none.

        With *uid*, only the object that has it. Raises `ClusterError`.
        """
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            self._json("DELETE", resource.path(namespace, name), {}, options)
        except ClusterError as error:
            if error.is_not_found:
                return False
            raise
        return True

    def discover(self, api_version: str) -> tuple[Resource, ...]:
        """Return the collections of *api_version* (`apps/v1`). Raises `ClusterError` (`is_not_found`)."""
        group, _, version = api_version.rpartition("/")
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        document = self._json("GET", path)
        return tuple(
            Resource(group, version, item["name"], item["kind"], item["namespaced"])
            for item in document.get("resources") or ()
            if "/" not in item["name"]
        )

    def close(self) -> None:
        """Close idle connections."""
        self._pool.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.close()

    def _object(
        self,
        resource: Resource,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Object:
        return _typed(resource, self._json(method, path, query, body, headers))

    def _json(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Object:
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=REQUEST_SECONDS)
        response = self._send(method, path, query, body, headers, timeout)
        content = _body(response, f"{method} {path}")
        if not 200 <= response.status < 300:
            raise _error(response.status, content)
        try:
            result = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise _unreachable(f"{method} {path}", error) from error
        if not isinstance(result, dict):
            raise ClusterError(0, UNREACHABLE, f"{method} {path}: the response is not an object")
        return result

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: object,
        headers: Mapping[str, str] | None,
        timeout: urllib3.Timeout,
    ) -> urllib3.BaseHTTPResponse:
        """Return the response, whose body is yet to be read. Raises `ClusterError`."""
        sent = {"Accept": "application/json", "User-Agent": "vcenter-events"}
        data = None
        if body is not None:
            data = json.dumps(body, separators=(",", ":")).encode()
            sent["Content-Type"] = "application/json"
        sent.update(headers or {})
        if authorization := self._authorization():
            sent["Authorization"] = authorization
        url = f"{self._url}{path}{'?' + urlencode(query) if query else ''}"
        self.requests += 1
        try:
            response: urllib3.BaseHTTPResponse = self._pool.request(
                method, url, body=data, headers=sent, redirect=False, timeout=timeout, preload_content=False
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _unreachable(f"{method} {path}", error) from error
        return response


def _query(**parameters: object) -> dict[str, str]:
    return {name: str(value) for name, value in parameters.items() if value}


def _body(response: urllib3.BaseHTTPResponse, request: str) -> bytes:
    """Return the body of *response*, whose connection is used again. Raises `ClusterError`."""
    try:
        return read_body(response, bounds.API_RESPONSE_BYTES, BODY_SECONDS)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise _unreachable(request, error) from error
    finally:
        response.close()


def _typed(resource: Resource, obj: Object, managed_fields: bool = False) -> Object:
    """Return *obj* with apiVersion and kind, which items of lists lack, and without managedFields unless asked for."""
    obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind
    if not managed_fields:
        obj["metadata"].pop("managedFields", None)
    return obj


def _watch_event(line: bytes) -> WatchEvent:
    document = json.loads(line)
    obj = document["object"]
    if document["type"] == "ERROR":
        raise ClusterError(obj.get("code", 0), obj.get("reason", ""), cut(obj.get("message", "")))
    return WatchEvent(document["type"], obj)


def _error(status: int, body: bytes) -> ClusterError:
    """Return the error of a response, whose body is a Status or anything."""
    try:
        document = json.loads(body)
        return ClusterError(status, document.get("reason", ""), document["message"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return ClusterError(status, "", f"HTTP {status}: {cut(body.decode('utf-8', 'replace'))}")


def _unreachable(request: str, error: Exception) -> ClusterError:
    return ClusterError(0, UNREACHABLE, f"{request}: {cut(str(error)) or type(error).__name__}")

"""Reads for one pass: from caches where they know, from the API server otherwise."""

import json
import threading

from cluster.client import ClusterClient
from cluster.errors import ClusterError
from cluster.resources import WELL_KNOWN, Key, Object, Resource
from functions.controller.interests import Interest, Interests
from functions.controller.watches import Watches


class Discovery:
    """The kinds of the cluster, as the API server lists them. For any number of threads."""

    def __init__(self, client: ClusterClient) -> None:
        self._client = client
        self._known = {(resource.api_version, resource.kind): resource for resource in WELL_KNOWN}

    def resource_of(self, api_version: str, kind: str) -> Resource:
        """Return the collection of a kind. Raises `ClusterError` (`is_not_found`) if there is no such kind."""
        if known := self._known.get((api_version, kind)):
            return known
        try:
            for resource in self._client.discover(api_version):
                self._known[api_version, resource.kind] = resource
        except ClusterError as error:
            if not error.is_not_found:
                raise
        try:
            return self._known[api_version, kind]
        except KeyError:
            raise ClusterError(404, "NotFound", f'no matches for kind "{kind}" in version "{api_version}"') from None

    def forget(self) -> None:
        """Ask again about kinds: one may have been installed under another plural."""
        self._known = {(resource.api_version, resource.kind): resource for resource in WELL_KNOWN}


class Responses:
    """Objects that were fetched, as JSON, until they change. For any number of threads."""

    def __init__(self) -> None:
        self._documents: dict[Key, tuple[str, bytes]] = {}
        self._lock = threading.Lock()

    def get(self, key: Key, version: str) -> Object | None:
        """Return the object if *version* was fetched."""
        with self._lock:
            known, document = self._documents.get(key, ("", b""))
        if known != version:
            return None
        obj: Object = json.loads(document)
        return obj

    def put(self, key: Key, obj: Object) -> None:
        """Keep *obj*."""
        document = json.dumps(obj, separators=(",", ":")).encode()
        with self._lock:
            self._documents[key] = (obj["metadata"]["resourceVersion"], document)

    def has(self, key: Key, version: str) -> bool:
        """Return whether *version* of the object was fetched."""
        return self._documents.get(key, ("", b""))[0] == version

    def forget(self, key: Key) -> None:
        """Drop the object."""
        with self._lock:
            self._documents.pop(key, None)


class Observation:
    """The reads of one pass of one parent. See `reconciler.Observer`."""

    def __init__(
        self,
        parent: Key,
        client: ClusterClient,
        watches: Watches,
        interests: Interests,
        discovery: Discovery,
        responses: Responses,
    ) -> None:
        self.interests: set[Interest] = set()
        """The objects that were looked at."""
        self._parent = parent
        self._client = client
        self._watches = watches
        self._all_interests = interests
        self._discovery = discovery
        self._responses = responses

    def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """Return an object, or None. Another pass follows its change."""
        self._watch(Interest(resource, namespace, name))
        key = Key(resource, namespace, name)
        version = self._watches.version(*key)
        if version == "":
            return None
        if version is not None and (known := self._responses.get(key, version)):
            return known
        obj = self._client.find(*key)
        if obj is None:
            self._responses.forget(key)
        else:
            self._responses.put(key, obj)
        return obj

    def select(self, resource: Resource, namespace: str, label_selector: str = "") -> list[Object]:
        """Return the selected objects of *namespace*. Another pass follows a change in the collection."""
        self._watch(Interest(resource, namespace))
        return self._client.list(resource, namespace, label_selector=label_selector).items

    def list_unwatched(
        self, resource: Resource, namespace: str, label_selector: str = "", field_selector: str = ""
    ) -> list[Object]:
        """Return the selected objects of *namespace*."""
        return self._client.list(
            resource, namespace, label_selector=label_selector, field_selector=field_selector
        ).items

    def cached(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """Return an object of a collection that is followed whole, or None."""
        self._note(Interest(resource, namespace, name))
        return self._watches.get(resource, namespace, name)

    def all_cached(self, resource: Resource, namespace: str = "") -> list[Object]:
        """Return all objects of a collection that is followed whole. Do not change them."""
        if namespace:
            self._note(Interest(resource, namespace))
        return self._watches.all(resource, namespace)

    def resource_of(self, api_version: str, kind: str) -> Resource:
        """Return the collection of a kind."""
        return self._discovery.resource_of(api_version, kind)

    def _watch(self, interest: Interest) -> None:
        self._note(interest)
        self._watches.follow_metadata(interest.resource)

    def _note(self, interest: Interest) -> None:
        self.interests.add(interest)
        self._all_interests.add(self._parent, interest)

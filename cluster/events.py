"""Kubernetes Events: short messages on an object, for `kubectl describe` and `kubectl get events`."""

import datetime
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import structlog

from cluster.client import ClusterClient
from cluster.errors import ClusterError
from cluster.resources import EVENTS, Object
from pipeline.errors import cut

SAME_SECONDS = 600.0
"""The time for which an equal event is counted instead of created."""
COUNT_SECONDS = 60.0
"""The minimum time between two writes of a count."""
MAX_REMEMBERED = 2000
MAX_MESSAGE = 1024
"""Kubernetes' limit for a message."""

log = structlog.get_logger()


class _Sent(NamedTuple):
    name: str
    times: int
    first_at: float
    written_at: float


class EventRecorder:
    """Creates Events, and counts equal ones. For any number of threads."""

    def __init__(self, client: ClusterClient, component: str, now: Callable[[], float] = time.monotonic) -> None:
        """*component* is the reporter that `kubectl describe` shows under "From"."""
        self._client = client
        self._component = component
        self._now = now
        self._sent: OrderedDict[tuple[str, ...], _Sent] = OrderedDict()
        self._lock = threading.Lock()

    def record(self, obj: Mapping[str, Any], type_: str, reason: str, message: str) -> None:
        """Report *message* on *obj*. *type_* is `Normal` or `Warning`. Never raises.

        An equal Event is counted, and the count is written once a minute.
        """
        metadata = obj["metadata"]
        key = (metadata["uid"], type_, reason, message)
        namespace = metadata.get("namespace") or "default"
        with self._lock:
            sent = self._sent.get(key)
        now = self._now()
        try:
            if sent is None or now - sent.first_at >= SAME_SECONDS:
                event = self._event(obj, namespace, type_, reason, message)
                self._client.create(EVENTS, event)
                sent = _Sent(event["metadata"]["name"], 1, now, now)
            else:
                sent = sent._replace(times=sent.times + 1)
                if now - sent.written_at >= COUNT_SECONDS:
                    change = {"count": sent.times, "lastTimestamp": _timestamp()}
                    self._client.patch(EVENTS, namespace, sent.name, change)
                    sent = sent._replace(written_at=now)
        except ClusterError as error:
            log.info("Cannot record an Event", reason=str(error), of=reason, about=metadata["name"])
            sent = None
        self._remember(key, sent)

    def _remember(self, key: tuple[str, ...], sent: _Sent | None) -> None:
        with self._lock:
            self._sent.pop(key, None)
            if sent is not None:
                self._sent[key] = sent
            if len(self._sent) > MAX_REMEMBERED:
                self._sent.popitem(last=False)

    def _event(self, obj: Mapping[str, Any], namespace: str, type_: str, reason: str, message: str) -> Object:
        metadata, now = obj["metadata"], _timestamp()
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": namespace, "name": f"{metadata['name'][:200]}.{secrets.token_hex(8)}"},
            "involvedObject": {
                "apiVersion": obj["apiVersion"],
                "kind": obj["kind"],
                "namespace": metadata.get("namespace"),
                "name": metadata["name"],
                "uid": metadata["uid"],
                "resourceVersion": metadata.get("resourceVersion"),
            },
            "type": type_,
            "reason": reason,
            "message": cut(message, MAX_MESSAGE),
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }


def _timestamp() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

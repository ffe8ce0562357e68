"""vSphere tags, by category and name, through vCenter's Automation REST API, which pyVmomi cannot reach.

It uses the `/rest` paths, which vCenter 6.5 to 8 (and vcsim) serve. Ids are looked up once and again when one is
unknown to vCenter. The session is renewed when it has ended.

A proxy or a gateway may respond in vCenter's place. So a response has a limit of size and time, redirects are not
followed, and each value is checked before it is used.
"""

import base64
import contextlib
import json
import re
import threading
from typing import Any, NamedTuple

import structlog

from pipeline import bounds
from pipeline.cloudevents import json_text
from pipeline.errors import PermanentError, cut
from pipeline.http_client import HTTPClient, NoResponse, Response
from pipeline.payload import Reference
from vsphere.errors import VCenterRejected, VCenterUnavailable, check_status, translate_errors
from vsphere.settings import VCenterSettings

log = structlog.get_logger()

TIMEOUT_SECONDS = 30.0
"""Maximum time for a whole response."""
CLOSE_SECONDS = 2.0
"""The same for the logout. A session that is not logged out ends by itself."""
_SESSION = "/rest/com/vmware/cis/session"
_SESSION_HEADER = "vmware-api-session-id"
_TAGGING = "/rest/com/vmware/cis/tagging"
_IDENTITY = re.compile(r"[A-Za-z0-9_.:-]{1,200}").fullmatch
"""`urn:vmomi:InventoryServiceTag:…:GLOBAL`. It becomes a part of paths."""
_TOKEN = re.compile(r"[!-~]{1,1000}").fullmatch
"""A session's id. It becomes a header."""


class NoSuchTag(PermanentError):
    """There is no such tag or category, and it may not be created."""


class _Response(NamedTuple):
    status: int
    body: str


class Tagging:
    """The tags of one vCenter. May be used from many threads, which take turns.

    Every method except `close` raises `VCenterUnavailable`, `VCenterRejected` or `NoSuchTag`.
    """

    def __init__(self, settings: VCenterSettings, create: bool = False) -> None:
        """Let `attach` create a category or tag that does not exist, if *create* is set."""
        self._settings = settings
        self._create = create
        self._address = settings.sdk_url.removesuffix("/sdk")
        self._ids: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()
        self._token = ""  # of the session. Empty while there is none
        self._http = HTTPClient(ca_bundle=settings.ca_bundle, insecure=settings.insecure, keeps_connections=False)

    def attach(self, category: str, tag: str, target: Reference) -> None:
        """Attach the tag to *target*. Does nothing if it is attached already."""
        self._on_tag(category, tag, "attach", {"object_id": _object(target)}, create=self._create)

    def remove(self, category: str, tag: str, target: Reference) -> None:
        """Detach the tag from *target*. Does nothing if it is not attached."""
        self._on_tag(category, tag, "detach", {"object_id": _object(target)})

    def objects_with(self, category: str, tag: str) -> set[tuple[str, str]]:
        """Return (managed type, id) of every object that the tag is attached to."""
        action = "list-attached-objects"
        attached = self._on_tag(category, tag, action, {})
        operation = f"{action} of tag {category}/{tag} at {self._address}"
        return {
            (_text(entry, "type", operation), _text(entry, "id", operation)) for entry in _list(attached, operation)
        }

    def close(self) -> None:
        """End the session. Raises nothing."""
        with self._lock:
            if self._token:
                with contextlib.suppress(NoResponse):
                    headers = {_SESSION_HEADER: self._token}
                    self._http.send("DELETE", f"{self._address}{_SESSION}", headers, seconds=CLOSE_SECONDS)
            self._http.close()

    def _on_tag(self, category: str, tag: str, action: str, body: dict[str, Any], create: bool = False) -> Any:
        with self._lock:
            # An id that was looked up before may be that of a tag that was deleted and recreated since.
            for _ in range(2 if (category, tag) in self._ids else 1):
                path = f"{_TAGGING}/tag-association/id:{self._id(category, tag, create)}?~action={action}"
                response = self._call("POST", path, body)
                if response.is_success:
                    break
                del self._ids[category, tag]
            return _value(response, f"{action} tag {category}/{tag} at {self._address}")

    def _id(self, category: str, tag: str, create: bool) -> str:
        """Return the tag's id. Raises `NoSuchTag`."""
        if (category, tag) not in self._ids:
            category_id = self._find(category, "GET", "/category", "/category")
            if category_id is None:
                if not create:
                    raise NoSuchTag(f"there is no tag category {category!r} in vCenter: create it")
                spec = {"name": category, "description": "", "cardinality": "MULTIPLE", "associable_types": []}
                category_id = self._create_object("/category", spec)
            tag_id = self._find(tag, "POST", f"/tag/id:{category_id}?~action=list-tags-for-category", "/tag")
            if tag_id is None:
                if not create:
                    raise NoSuchTag(f"there is no tag {tag!r} in vCenter's category {category!r}: create it")
                tag_id = self._create_object("/tag", {"name": tag, "description": "", "category_id": category_id})
            self._ids[category, tag] = tag_id
        return self._ids[category, tag]

    def _find(self, name: str, method: str, listing: str, path: str) -> str | None:
        """Return the id of the object at *path* called *name*, among the ids that *method* on *listing* returns."""
        operation = f"{method} {self._address}{_TAGGING}{listing}"
        for listed in _list(self._request(method, listing), operation):
            identity = _identity(listed, operation)
            if _text(self._request("GET", f"{path}/id:{identity}"), "name", operation) == name:
                return identity
        return None

    def _create_object(self, path: str, spec: dict[str, Any]) -> str:
        identity = _identity(self._request("POST", path, {"create_spec": spec}), f"create {spec['name']!r} at {path}")
        log.info("Tag or category created", object=path[1:], name=spec["name"])
        return identity

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the value that tagging's *path* responds with."""
        response = self._call(method, f"{_TAGGING}{path}", {} if body is None and method == "POST" else body)
        return _value(response, f"{method} {self._address}{_TAGGING}{path}")

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> Response:
        """Return the response to a request in a session, which is created or renewed if needed."""
        if self._token:
            response = self._send(method, path, body, {_SESSION_HEADER: self._token})
            if response.status != 401:
                return response
        self._log_in()
        return self._send(method, path, body, {_SESSION_HEADER: self._token})

    def _log_in(self) -> None:
        self._token = ""
        username, password = self._settings.login()
        operation = f"log in to {self._address}{_SESSION} as {username}"
        credentials = base64.b64encode(f"{username}:{password.reveal()}".encode()).decode()
        response = self._send("POST", _SESSION, None, {"Authorization": f"Basic {credentials}"})
        if response.status == 401:
            raise VCenterRejected(f"{operation}: vCenter rejects user name and password")
        token = _value(response, operation)
        if not isinstance(token, str) or not _TOKEN(token):
            raise _odd(operation, "the id of a session")
        self._token = token

    def _send(self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]) -> Response:
        address = f"{self._address}{path}"
        content = b"" if body is None else json.dumps(body).encode()
        sent = {**headers, "Accept": "application/json", "Content-Type": "application/json"}
        with translate_errors(f"{method} {address}"):
            return self._http.send(
                method, address, sent, content, seconds=TIMEOUT_SECONDS, max_bytes=bounds.TAGGING_BYTES
            )


def _value(response: Response, operation: str) -> Any:
    """Return the value that *response* carries, or None without one. Raises for a status from 300."""
    check_status(operation, response.status, response.text)
    if not response.is_whole:
        raise VCenterUnavailable(f"{operation}: the response has more than {bounds.TAGGING_BYTES} bytes")
    if not response.body.strip():
        return None
    try:
        body = json_text.loads(response.body, max_values=bounds.TAGGING_VALUES)
    except (ValueError, RecursionError):
        raise _odd(operation, f"JSON: {cut(response.text, 100)}") from None
    return body.get("value", body) if isinstance(body, dict) else body


def _odd(operation: str, expected: str) -> VCenterUnavailable:
    """Return the error of a response that is not what vCenter sends: something else responds in its place."""
    return VCenterUnavailable(f"{operation}: the response is not {expected}")


def _list(value: Any, operation: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _odd(operation, "a list")
    return value


def _identity(value: Any, operation: str) -> str:
    if not isinstance(value, str) or not _IDENTITY(value):
        raise _odd(operation, "the id of a tag or category")
    return value


def _text(value: Any, name: str, operation: str) -> str:
    text = value.get(name) if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise _odd(operation, f"an object with the text {name!r}")
    return text


def _object(target: Reference) -> dict[str, str]:
    return {"id": target.id, "type": target.managed_type}

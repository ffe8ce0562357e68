"""vSphere tags, by category and name, through vCenter's Automation REST API, which pyVmomi cannot reach.

It uses the `/rest` paths, which vCenter 6.5 to 8 (and vcsim) serve. Ids are looked up once and again when one is
unknown to vCenter. The session is renewed when it has ended.
"""

import contextlib
import json
import threading
from typing import Any, NamedTuple

import requests
import structlog
import urllib3

from pipeline import bounds
from pipeline.body import UnreadableBody, read_body
from pipeline.errors import PermanentError, cut
from pipeline.payload import Reference
from vsphere.errors import VCenterRejected, VCenterUnavailable, check_status, translate_errors
from vsphere.settings import VCenterSettings

log = structlog.get_logger()

TIMEOUT_SECONDS = 30.0
"""Maximum wait for each part of a response, and for the whole of its body."""
_SESSION = "/rest/com/vmware/cis/session"
_SESSION_HEADER = "vmware-api-session-id"
_TAGGING = "/rest/com/vmware/cis/tagging"


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
        self._http = requests.Session()
        self._http.trust_env = False  # a variable of the container must not choose another authority or login
        self._http.headers["Accept-Encoding"] = "identity"  # a body's size is that of its content
        self._http.verify = False if settings.insecure else settings.ca_bundle or True
        if settings.insecure:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # it was set on purpose

    def attach(self, category: str, tag: str, target: Reference) -> None:
        """Attach the tag to *target*. Does nothing if it is attached already."""
        self._on_tag(category, tag, "attach", {"object_id": _object(target)}, create=self._create)

    def remove(self, category: str, tag: str, target: Reference) -> None:
        """Detach the tag from *target*. Does nothing if it is not attached."""
        self._on_tag(category, tag, "detach", {"object_id": _object(target)})

    def objects_with(self, category: str, tag: str) -> set[tuple[str, str]]:
        """Return (managed type, id) of every object that the tag is attached to."""
        objects = self._on_tag(category, tag, "list-attached-objects", {})
        operation = f"list the objects with tag {category}/{tag}"
        return {
            (_member(attached, "type", operation), _member(attached, "id", operation))
            for attached in _list(objects, operation)
        }

    def close(self) -> None:
        """End the session. Raises nothing."""
        with self._lock:
            if _SESSION_HEADER in self._http.headers:
                with contextlib.suppress(requests.RequestException):
                    self._http.delete(f"{self._address}{_SESSION}", timeout=2, stream=True).close()
            self._http.close()

    def _on_tag(self, category: str, tag: str, action: str, body: dict[str, Any], create: bool = False) -> Any:
        with self._lock:
            # An id that was looked up before may be that of a tag that was deleted and recreated since.
            for _ in range(2 if (category, tag) in self._ids else 1):
                path = f"{_TAGGING}/tag-association/id:{self._id(category, tag, create)}?~action={action}"
                response = self._call("POST", path, body)
                if response.status < 300:
                    break
                del self._ids[category, tag]
            return _value(response, f"{action} tag {category}/{tag} at {self._address}")

    def _id(self, category: str, tag: str, create: bool) -> str:
        """Return the tag's id. Raises `NoSuchTag`."""
        if (category, tag) not in self._ids:
            category_id = self._find(category, self._request("GET", "/category"), "/category")
            if category_id is None:
                if not create:
                    raise NoSuchTag(f"there is no tag category {category!r} in vCenter: create it")
                spec = {"name": category, "description": "", "cardinality": "MULTIPLE", "associable_types": []}
                category_id = self._create_object("/category", spec)
            tag_ids = self._request("POST", f"/tag/id:{category_id}?~action=list-tags-for-category")
            tag_id = self._find(tag, tag_ids, "/tag")
            if tag_id is None:
                if not create:
                    raise NoSuchTag(f"there is no tag {tag!r} in vCenter's category {category!r}: create it")
                tag_id = self._create_object("/tag", {"name": tag, "description": "", "category_id": category_id})
            self._ids[category, tag] = tag_id
        return self._ids[category, tag]

    def _find(self, name: str, ids: Any, path: str) -> str | None:
        """Return the one of *ids* whose object at *path* is called *name*."""
        for id_ in _list(ids, f"list {path}"):
            found = self._request("GET", f"{path}/id:{id_}")
            if _member(found, "name", f"read {path}/id:{id_}") == name:
                return str(id_)
        return None

    def _create_object(self, path: str, spec: dict[str, Any]) -> str:
        id_ = str(self._request("POST", path, {"create_spec": spec}))
        log.info("Tag or category created", object=path[1:], name=spec["name"])
        return id_

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the value that tagging's *path* responds with."""
        response = self._call(method, f"{_TAGGING}{path}", {} if body is None and method == "POST" else body)
        return _value(response, f"{method} {self._address}{_TAGGING}{path}")

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> _Response:
        """Return the response to a request in a session, which is created or renewed if needed."""
        if _SESSION_HEADER in self._http.headers:
            response = self._send(method, path, json=body)
            if response.status != 401:
                return response
        self._log_in()
        return self._send(method, path, json=body)

    def _log_in(self) -> None:
        self._http.headers.pop(_SESSION_HEADER, None)
        username, password = self._settings.login()
        operation = f"log in to {self._address}{_SESSION} as {username}"
        response = self._send("POST", _SESSION, auth=(username, password.reveal()))
        if response.status == 401:
            raise VCenterRejected(f"{operation}: vCenter rejects user name and password")
        self._http.headers[_SESSION_HEADER] = _value(response, operation)

    def _send(self, method: str, path: str, **options: Any) -> _Response:
        address = f"{self._address}{path}"
        with (
            translate_errors(f"{method} {address}"),
            # A redirect would repeat the request elsewhere, as a GET without its body.
            self._http.request(
                method, address, timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True, **options
            ) as response,
        ):
            try:
                body = read_body(response.raw, bounds.TAGGING_BYTES, TIMEOUT_SECONDS)
            except urllib3.exceptions.HTTPError as error:
                raise UnreadableBody(str(error)) from error
            return _Response(response.status_code, body.decode("utf-8", "replace"))


def _value(response: _Response, operation: str) -> Any:
    """Return the value that *response* carries. Raises for a status from 300."""
    check_status(operation, response.status, response.body)
    try:
        body = json.loads(response.body)
    except (ValueError, RecursionError):
        return response.body
    return body.get("value", body) if isinstance(body, dict) else body


def _list(value: Any, operation: str) -> list[Any]:
    """Return *value*, or an empty list for None. Raises `VCenterUnavailable` if it is something else."""
    if value is None or isinstance(value, list):
        return value or []
    raise VCenterUnavailable(f"{operation}: the response is not a list: {cut(str(value)[:1000], 100)}")


def _member(value: Any, name: str, operation: str) -> str:
    """Return the text *name* of the object *value*. Raises `VCenterUnavailable` if it has none."""
    member = value.get(name) if isinstance(value, dict) else None
    if isinstance(member, str):
        return member
    raise VCenterUnavailable(f"{operation}: the response has no {name}: {cut(str(value)[:1000], 100)}")


def _object(target: Reference) -> dict[str, str]:
    return {"id": target.id, "type": target.managed_type}

"""vSphere tags, by category and name, through vCenter's Automation REST API: what pyVmomi cannot reach.

The `/rest` paths, which vCenter 6.5 to 8 serve (and vcsim). Ids are looked up once and forgotten when one is not known
any more; the session is made anew when it has ended.
"""

import threading
from typing import Any

import requests
import structlog
import urllib3

from pipeline.errors import PermanentError, cut
from pipeline.payload import Reference
from vsphere.errors import VCenterRejected, VCenterUnavailable
from vsphere.settings import VCenterSettings

log = structlog.get_logger()

TIMEOUT_SECONDS = 30.0
_SESSION = "/rest/com/vmware/cis/session"
_TAGGING = "/rest/com/vmware/cis/tagging"


class NoSuchTag(PermanentError):
    """There is no such tag or category, and it is not to be created."""


class Tagging:
    """The tags of one vCenter. May be used from many threads.

    Its methods raise `VCenterUnavailable`, `VCenterRejected` or `NoSuchTag`.
    """

    def __init__(self, settings: VCenterSettings, create: bool = False) -> None:
        """*create* makes a category and tag that do not exist, when one is to be attached."""
        self._settings = settings
        self._create = create
        self._address = settings.sdk_url.removesuffix("/sdk")
        self._ids: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()
        self._session = requests.Session()
        self._session.trust_env = False  # a variable of the container must not choose another authority or login
        self._session.verify = False if settings.insecure else settings.ca_bundle or True
        if settings.insecure:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # it was set on purpose

    def attach(self, category: str, tag: str, target: Reference) -> None:
        """Attach the tag to *target*; one that is attached stays so."""
        self._on_tag(category, tag, "attach", {"object_id": _object(target)}, create=self._create)

    def remove(self, category: str, tag: str, target: Reference) -> None:
        """Take the tag off *target*, if it is on it."""
        self._on_tag(category, tag, "detach", {"object_id": _object(target)})

    def objects_with(self, category: str, tag: str) -> set[tuple[str, str]]:
        """(type, id) of every object that carries the tag."""
        found = self._on_tag(category, tag, "list-attached-objects", {}) or []
        return {(each["type"], each["id"]) for each in found}

    def close(self) -> None:
        """End the session, quietly."""
        with self._lock:
            if "vmware-api-session-id" in self._session.headers:
                try:
                    self._session.delete(f"{self._address}{_SESSION}", timeout=2)
                except requests.RequestException:
                    log.debug("tagging session not ended")
            self._session.close()

    def _on_tag(self, category: str, tag: str, action: str, body: dict[str, Any], create: bool = False) -> Any:
        with self._lock:
            # An id that was looked up before may be of a tag that was deleted, and made anew, since.
            for _ in range(2 if (category, tag) in self._ids else 1):
                path = f"{_TAGGING}/tag-association/id:{self._tag(category, tag, create)}?~action={action}"
                status, value = self._call("POST", path, body)
                if status < 300:
                    return value
                del self._ids[category, tag]
            raise VCenterUnavailable(f"{action} tag {category}/{tag}: {status} {cut(str(value))}")

    def _tag(self, category: str, tag: str, create: bool) -> str:
        """The tag's id. Raises `NoSuchTag`."""
        if (category, tag) not in self._ids:
            category_id = self._named(category, self._listed("GET", "/category"), "/category")
            if category_id is None:
                if not create:
                    raise NoSuchTag(f"there is no tag category {category!r}: make it, or set TAG_CREATE=true")
                spec = {"name": category, "description": "", "cardinality": "MULTIPLE", "associable_types": []}
                category_id = self._made("/category", spec)
            ids = self._listed("POST", f"/tag/id:{category_id}?~action=list-tags-for-category")
            tag_id = self._named(tag, ids, "/tag")
            if tag_id is None:
                if not create:
                    raise NoSuchTag(f"there is no tag {tag!r} in {category!r}: make it, or set TAG_CREATE=true")
                tag_id = self._made("/tag", {"name": tag, "description": "", "category_id": category_id})
            self._ids[category, tag] = tag_id
        return self._ids[category, tag]

    def _listed(self, method: str, path: str) -> list[str]:
        return list(self._expect(method, f"{_TAGGING}{path}") or [])

    def _named(self, name: str, ids: list[str], path: str) -> str | None:
        """Which of *ids* is called *name*."""
        return next((each for each in ids if self._expect("GET", f"{_TAGGING}{path}/id:{each}")["name"] == name), None)

    def _made(self, path: str, spec: dict[str, Any]) -> str:
        made = str(self._expect("POST", f"{_TAGGING}{path}", {"create_spec": spec}))
        log.info("made for tagging", kind=path[1:], name=spec["name"])
        return made

    def _expect(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        status, value = self._call(method, path, body)
        if status >= 300:
            raise VCenterUnavailable(f"{method} {self._address}{path}: {status} {cut(str(value))}")
        return value

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, Any]:
        """(status, value) of a call in a session, which is made, or made anew, where that is needed."""
        for _ in range(2):
            if "vmware-api-session-id" not in self._session.headers:
                self._log_in()
            answer = self._send(method, path, json={} if body is None and method == "POST" else body)
            if answer.status_code != 401:
                break
            del self._session.headers["vmware-api-session-id"]
        if answer.status_code == 403:
            # vCenter says so of an object that is gone, too.
            what = f"{method} {self._address}{path}"
            raise VCenterRejected(f"{what}: the account lacks a privilege, or the object is gone: {cut(answer.text)}")
        try:
            held = answer.json()
        except ValueError:
            held = answer.text
        return answer.status_code, held.get("value", held) if isinstance(held, dict) else held

    def _log_in(self) -> None:
        username, password = self._settings.login()
        answer = self._send("POST", _SESSION, auth=(username, password.reveal()))
        if answer.status_code == 401:
            raise VCenterRejected(f"log in to {self._address}{_SESSION} as {username}: refused")
        if not answer.ok:
            raise VCenterUnavailable(f"log in to {self._address}{_SESSION}: {answer.status_code} {cut(answer.text)}")
        self._session.headers["vmware-api-session-id"] = answer.json()["value"]

    def _send(self, method: str, path: str, **how: Any) -> requests.Response:
        try:
            return self._session.request(method, f"{self._address}{path}", timeout=TIMEOUT_SECONDS, **how)
        except requests.exceptions.SSLError as error:
            raise VCenterRejected(
                f"{method} {self._address}{path}: {cut(str(error))}; VC_CA_BUNDLE names the authority"
            ) from error
        except requests.RequestException as error:
            raise VCenterUnavailable(f"{method} {self._address}{path}: {cut(str(error))}") from error


def _object(target: Reference) -> dict[str, str]:
    return {"id": target.id, "type": target.managed_type}

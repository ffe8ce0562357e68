"""The two headers by which a browser betrays another website: the name that a page was opened under, and its origin.

A page of another website can have a browser send events to the display's address (`Origin`). A website can also move
its own name to that address (DNS rebinding), and then read the display as its own page (`Host`). Programs such as a
Broker send neither header of the first kind, and the names of the second kind are those of the cluster.
"""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from pipeline import bounds
from pipeline.errors import PermanentError

REASON = "this display does not serve the host {host!r}: add it to DISPLAY_HOSTS, or set DISPLAY_LOGIN"
_CLUSTER = (".svc", ".svc.cluster.local", ".localhost")


class ForeignOrigin(PermanentError):
    """A page of another website sent the request."""


class Hosts:
    """The names under which the display may be opened.

    Always: IP addresses, localhost, and names that only the cluster's DNS can hold (without a dot, or below `svc`). A
    website can have none of them. In addition *names*. All names, if *any_name* is set.
    """

    def __init__(self, names: tuple[str, ...] = (), any_name: bool = False) -> None:
        self._names = frozenset(names)
        self._any_name = any_name or "*" in names

    def allow(self, host: str) -> bool:
        """Return whether a request with this Host header may be served."""
        if self._any_name or not host:  # only HTTP/1.0 has no Host, and no browser speaks it
            return True
        name = _name(host)
        return bool(name) and (name in self._names or name.endswith(_CLUSTER) or "." not in name or _is_address(name))

    def reason(self, host: str) -> str:
        """Return the reason for which a request with this Host header is rejected."""
        return REASON.format(host=host[: bounds.HOST_CHARACTERS])

    def check_origin(self, headers: Mapping[str, str]) -> None:
        """Raise `ForeignOrigin` if a page of another website sent a request with *headers* (names in lower case)."""
        origin, host = headers.get("origin"), headers.get("host", "")
        is_foreign = origin is not None and (origin.partition("://")[2] != host or not self.allow(host))
        if is_foreign or headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            raise ForeignOrigin("a page of another website may not send events to this display")


def _is_plain(host: str) -> bool:
    return len(host) <= bounds.HOST_CHARACTERS and host.isascii() and not set("/\\@?# ") & set(host)


def _name(host: str) -> str:
    """Return the name in a Host header, in lower case and without the port, or "" if it is not valid."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".") if _is_plain(host) else ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def host_names(value: str) -> tuple[str, ...]:
    """Parse host names without ports, separated by commas or spaces. `*` allows every name."""
    names = tuple(value.lower().replace(",", " ").split())
    invalid = [name for name in names if not _is_plain(name) or ":" in name]
    if invalid or not names:
        raise ValueError(f"is {value!r}, not host names separated by commas")
    return names

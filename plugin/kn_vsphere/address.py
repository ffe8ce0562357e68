"""Addresses, read as strictly as the predecessor did: by the rules and in the words of Go's `net/url`. Pure."""

import re
from urllib.parse import urlsplit, urlunsplit

_ESCAPES = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}


def check(text: str) -> str:
    """Return *text* if it is a URL, absolute or relative. Raises ValueError with Go's words."""
    if fault := _fault(text):
        raise ValueError(f"parse {quoted(text)}: {fault}")
    return text


def quoted(text: str) -> str:
    """Return *text* in quotes, with control characters escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda hit: _ESCAPES.get(hit[0], f"\\x{ord(hit[0]):02x}"), escaped) + '"'


def of_vcenter(text: str) -> str:
    """Return the SDK's address of a vCenter that somebody wrote as `host`, `host:port` or a URL. Raises ValueError."""
    text = check(text if "://" in text else f"https://{text}")
    parts = urlsplit(text)
    if not parts.hostname:
        raise ValueError(f"parse {quoted(text)}: missing host")
    host = parts.netloc.rpartition("@")[2]  # a login in the address is never used, and never shown
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/") or "/sdk", "", ""))


def _fault(text: str) -> str:
    """Return what is wrong with *text*, or the empty string."""
    if re.search(r"[\x00-\x1f\x7f]", text):
        return "net/url: invalid control character in URL"
    if text.startswith(":"):
        return "missing protocol scheme"
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text)
    if not scheme and ":" in text.partition("/")[0].partition("?")[0]:
        return "first path segment in URL cannot contain colon"
    if escape := re.search(r"%(?![0-9A-Fa-f]{2}).{0,2}", text.partition("#")[0]):
        return f"invalid URL escape {quoted(escape[0])}"
    authority = re.match(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//([^/?#]*)", text)
    return _fault_of_authority(authority[1].rpartition("@")[2]) if authority else ""


def _fault_of_authority(authority: str) -> str:
    if character := re.search(r"[ <>\"]", authority):
        return f"invalid character {quoted(character[0])} in host name"
    host = authority[authority.rfind("]") + 1 :] if authority.startswith("[") else authority
    if authority.startswith("[") and "]" not in authority:
        return "missing ']' in host"
    port = re.search(r":.*$", host)
    return f"invalid port {quoted(port[0])} after host" if port and not re.fullmatch(r":[0-9]*", port[0]) else ""

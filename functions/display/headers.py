"""The headers of a request that the display keeps and shows."""

from collections.abc import Mapping

_CREDENTIALS = ("authorization", "cookie", "proxy-authorization")


def without_credentials(headers: Mapping[str, str]) -> dict[str, str]:
    """Return *headers* with names in lower case, without those that hold credentials."""
    return {name.lower(): value for name, value in headers.items() if name.lower() not in _CREDENTIALS}


def without_attributes(headers: Mapping[str, str]) -> dict[str, str]:
    """Return *headers* as above, also without the attributes of an event."""
    return {name: value for name, value in without_credentials(headers).items() if not name.startswith("ce-")}

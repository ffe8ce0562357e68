"""What a recorder holds, as tests look at it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request at a recorder."""

    at: float
    """`time.time()` there."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def attributes(self) -> dict[str, str]:
        """The event's attributes that stand in headers, without `ce-`."""
        return {name[3:]: value for name, value in self.headers.items() if name.startswith("ce-")}

    @property
    def id(self) -> str:
        """The event's id."""
        return self.headers.get("ce-id", "")


Box = Sequence[Received]
"""What was posted to one address, in order of arrival."""


def as_box(recorded: Sequence[Mapping[str, Any]]) -> Box:
    """A recorder's JSON, read."""
    return [Received(each["at"], each["headers"], base64.b64decode(each["body"])) for each in recorded]

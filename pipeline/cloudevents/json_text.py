"""Parsing JSON that anybody may have written, up to a number of values: each takes far more memory than its text."""

import json
import re
from collections.abc import Callable
from typing import Any

from pipeline import bounds

_STRING = re.compile(r'"(?:[^"\\]+|\\.)*+"?', re.DOTALL)
_STRING_BYTES = re.compile(rb'"(?:[^"\\]+|\\.)*+"?', re.DOTALL)


def loads(document: bytes | str, parse_constant: Callable[[str], Any] | None = None) -> Any:
    """Return the value of *document*. Raises `ValueError` for what `check_values` rejects and `json.loads` does."""
    check_values(document)
    return json.loads(document, parse_constant=parse_constant)


def check_values(document: bytes | str) -> None:
    """Raise `ValueError` if *document* has more than `bounds.JSON_VALUES` values."""
    count = _count(document)
    if count > bounds.JSON_VALUES:
        strings = _STRING_BYTES.finditer(document) if isinstance(document, bytes) else _STRING.finditer(document)
        if count - sum(_count(string[0]) for string in strings) > bounds.JSON_VALUES:
            raise ValueError(f"it has more than {bounds.JSON_VALUES:,} values")


def _count(document: bytes | str) -> int:
    """Return the number of values, or more if strings contain what separates them."""
    if isinstance(document, bytes):
        return sum(map(document.count, (b",", b"[", b"{")))
    return sum(map(document.count, (",", "[", "{")))

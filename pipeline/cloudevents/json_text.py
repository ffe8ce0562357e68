"""Parsing JSON that anybody may have written, up to a number of values: each takes far more memory than its text."""

import json
import re
from collections.abc import Callable
from typing import Any

from pipeline import bounds

_STRING = re.compile(r'"(?:[^"\\]+|\\.)*+"?', re.DOTALL)
_STRING_BYTES = re.compile(rb'"(?:[^"\\]+|\\.)*+"?', re.DOTALL)


def loads(
    document: bytes | str,
    parse_constant: Callable[[str], Any] | None = None,
    max_values: int = bounds.JSON_VALUES,
) -> Any:
    """Return the value of *document*. Raises `ValueError` for what `check_values` rejects and `json.loads` does."""
    check_values(document, max_values)
    return json.loads(document, parse_constant=parse_constant)


def check_values(document: bytes | str, max_values: int = bounds.JSON_VALUES) -> None:
    """Raise `ValueError` if *document* has more than *max_values* values."""
    count = _count(document)
    if count > max_values:
        strings = _STRING_BYTES.finditer(document) if isinstance(document, bytes) else _STRING.finditer(document)
        if count - sum(_count(string[0]) for string in strings) > max_values:
            raise ValueError(f"it has more than {max_values:,} values")


def _count(document: bytes | str) -> int:
    """Return the number of values, or more if strings contain what separates them."""
    if isinstance(document, bytes):
        return sum(map(document.count, (b",", b"[", b"{")))
    return sum(map(document.count, (",", "[", "{")))

"""Label selectors in kubectl's syntax: `a=b,c!=d,e in (f,g),h,!i`. Pure."""

import re
from typing import Any

KEY = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?"
VALUE = r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?)?"
_EQUAL = re.compile(rf"({KEY})\s*==?\s*({VALUE})")
_NOT_EQUAL = re.compile(rf"({KEY})\s*!=\s*({VALUE})")
_SET = re.compile(rf"({KEY})\s+(in|notin)\s*\(([^()]*)\)")
_EXISTS = re.compile(rf"(!?)\s*({KEY})")
OPERATORS = {"in": "In", "notin": "NotIn"}


def parse(text: str) -> dict[str, Any]:
    """Return the LabelSelector of *text*. Raises ValueError."""
    labels: dict[str, str] = {}
    expressions: list[dict[str, Any]] = []
    for requirement in re.split(r",(?![^()]*\))", text):
        requirement = requirement.strip()
        if match := _EQUAL.fullmatch(requirement):
            labels[match[1]] = match[2]
        else:
            expressions.append(_expression(requirement))
    parts = {"matchLabels": labels, "matchExpressions": expressions}
    return {key: value for key, value in parts.items() if value}


def _expression(requirement: str) -> dict[str, Any]:
    if match := _NOT_EQUAL.fullmatch(requirement):
        return {"key": match[1], "operator": "NotIn", "values": [match[2]]}
    if match := _SET.fullmatch(requirement):
        values = sorted({value.strip() for value in match[3].split(",")})
        if all(re.fullmatch(VALUE, value) for value in values):
            return {"key": match[1], "operator": OPERATORS[match[2]], "values": values}
    if match := _EXISTS.fullmatch(requirement):
        return {"key": match[2], "operator": "DoesNotExist" if match[1] else "Exists"}
    raise ValueError(f'unable to parse requirement: "{requirement}" is not of the form a=b, a!=b, a in (b,c), a or !a')

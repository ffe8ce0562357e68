"""Which held events a Trigger would select: decided by the very code that the local broker filters with."""

import json
from collections.abc import Iterable, Mapping

import yaml

from functions.display.history import Held
from pipeline.errors import PermanentError
from pipeline.filter import compile_filter

LONGEST_TRIGGER = 20_000
"""Characters of YAML that are read; a Trigger has some hundred."""

DEEPEST = 50
"""Levels of a Trigger; it has a few, and Python's stack is finite."""

_BEGINS = (
    yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken, yaml.BlockSequenceStartToken, yaml.BlockMappingStartToken,
)  # fmt: skip
_ENDS = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)


def count(trigger: str, events: Iterable[Held]) -> tuple[int, int]:
    """(matching, looked at). *trigger* is YAML: a whole Trigger, its spec, or only `filter` or `filters`.

    Raises `PermanentError` with the reason, and `FilterError` for a filter that Knative does not accept.
    """
    matches = compile_filter(_spec(trigger))
    verdicts = [matches(json.loads(held.attributes)) for held in events]
    return sum(verdicts), len(verdicts)


def _spec(trigger: str) -> Mapping[str, object]:
    if len(trigger) > LONGEST_TRIGGER:
        raise PermanentError(f"the Trigger has {len(trigger)} characters; at most {LONGEST_TRIGGER} are read")
    try:
        _refuse_the_endless(trigger)
        document = yaml.safe_load(trigger)
    except (yaml.YAMLError, ValueError) as error:
        raise PermanentError(f"this is no YAML: {' '.join(str(error).split())}") from error
    if isinstance(document, dict) and "spec" in document:
        document = document["spec"]
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise PermanentError("a Trigger is an object with a spec, filter or filters")
    if document and not document.keys() & {"filter", "filters", "broker", "subscriber"}:
        raise PermanentError(f"neither filter nor filters, but {', '.join(map(str, document))}")
    return document


def _refuse_the_endless(trigger: str) -> None:
    """Raise `PermanentError` for what a small text can make large: aliases, and levels without end."""
    depth = 0
    for token in yaml.scan(trigger):
        if isinstance(token, yaml.AliasToken):
            raise PermanentError("the Trigger has a YAML alias (*name); write it out")
        depth += isinstance(token, _BEGINS) - isinstance(token, _ENDS)
        if depth > DEEPEST:
            raise PermanentError(f"the Trigger is more than {DEEPEST} levels deep")

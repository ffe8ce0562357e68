"""The stored events that a Trigger would select, by the code with which the local Broker filters."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from functions.display.ring import StoredEvent
from pipeline import bounds
from pipeline import filter as filter_
from pipeline.errors import PermanentError
from pipeline.filter import compile_filter

_BEGINS = (
    yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken, yaml.BlockSequenceStartToken, yaml.BlockMappingStartToken,
)  # fmt: skip
_ENDS = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)


def count(trigger: str, events: Iterable[StoredEvent]) -> tuple[int, int]:
    """Return how many of *events* the *trigger* selects, and their number.

    *trigger* is YAML: a Trigger, its spec, or only its `filter` or `filters`.

    Raises `PermanentError` with the reason, and `FilterError` for a filter that Knative does not accept.
    """
    matches = compile_filter(_spec(trigger))
    verdicts = [matches(json.loads(stored.attributes)) for stored in events]
    return sum(verdicts), len(verdicts)


def explain(trigger: str, stored: StoredEvent) -> list[dict[str, Any]]:
    """Return the parts of the *trigger*'s filter with the verdict of each on *stored*, as `pipeline.filter` does."""
    return filter_.explain(_spec(trigger), json.loads(stored.attributes))


def _spec(trigger: str) -> Mapping[str, object]:
    if len(trigger) > bounds.TRIGGER_CHARACTERS:
        raise PermanentError(f"the Trigger has {len(trigger)} characters, more than {bounds.TRIGGER_CHARACTERS}")
    try:
        _check_size(trigger)
        document = yaml.safe_load(trigger)
    except (yaml.YAMLError, ValueError) as error:
        raise PermanentError(f"this is not YAML: {' '.join(str(error).split())}") from error
    if isinstance(document, dict) and "spec" in document:
        document = document["spec"]
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise PermanentError("a Trigger is an object with a spec, filter or filters")
    if document and not document.keys() & {"filter", "filters", "broker", "subscriber"}:
        raise PermanentError(f"neither filter nor filters, but {', '.join(map(str, document))}")
    return document


def _check_size(trigger: str) -> None:
    """Raise `PermanentError` for aliases and many levels, with which a small text can become large."""
    depth = 0
    for token in yaml.scan(trigger):
        if isinstance(token, yaml.AliasToken):
            raise PermanentError("the Trigger has a YAML alias (*name); write it out")
        depth += isinstance(token, _BEGINS) - isinstance(token, _ENDS)
        if depth > bounds.TRIGGER_LEVELS:
            raise PermanentError(f"the Trigger is more than {bounds.TRIGGER_LEVELS} levels deep")

"""Knative's conditions: one entry for each part of an object that must work, and one that sums them up. Pure.

An object's status has a list of conditions, sorted by type. `Ready` is True once every other one is. If one is not,
`Ready` has its status, reason and message.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

READY = "Ready"
NEW_GENERATION = "NewObservedGenFailure"


class Condition(NamedTuple):
    """The state of one part: `True`, `False` or `Unknown`, with a reason in CamelCase and a sentence if not True."""

    status: str
    reason: str = ""
    message: str = ""


TRUE = Condition("True")
UNKNOWN = Condition("Unknown")


def false(reason: str, message: str) -> Condition:
    """Return a condition for a part that does not work."""
    return Condition("False", reason, message)


def unknown(reason: str = "", message: str = "") -> Condition:
    """Return a condition for a part of which nothing is known yet."""
    return Condition("Unknown", reason, message)


@dataclasses.dataclass(frozen=True)
class ConditionSet:
    """The conditions of one kind."""

    dependents: tuple[str, ...]
    """The types that `Ready` depends on. Empty if the kind has `Ready` alone."""

    def settle(
        self, previous: Iterable[Mapping[str, Any]], current: Mapping[str, Condition], now: str
    ) -> list[Mapping[str, Any]]:
        """Return the list of conditions for a status, sorted by type.

        *current* has the conditions that this pass knows. A dependent condition that it leaves out stays as it was in
        *previous*, the list before, or is Unknown. `lastTransitionTime` becomes *now* (RFC 3339) only where something
        else changed. A kind without dependents has `Ready` in *current*.
        """
        before = {entry["type"]: entry for entry in previous}
        types = self.dependents or (READY,)
        entries: dict[str, Mapping[str, Any]] = {
            type_: _entry(type_, current.get(type_), before.get(type_), now) for type_ in types
        }
        if self.dependents:
            entries[READY] = _entry(READY, _sum_up(list(entries.values())), before.get(READY), now)
        return [entry for _, entry in sorted({**before, **entries}.items())]

    def of_new_generation(self, previous: Iterable[Mapping[str, Any]], now: str) -> list[Mapping[str, Any]]:
        """Return the conditions of an object whose new generation nobody looked at successfully."""
        before = {entry["type"]: entry for entry in previous}
        entries: dict[str, Mapping[str, Any]] = {
            type_: _entry(type_, None, before.get(type_), now) for type_ in self.dependents
        }
        failed = unknown(NEW_GENERATION, "unsuccessfully observed a new generation")
        entries[READY] = _entry(READY, failed, before.get(READY), now)
        return [entry for _, entry in sorted({**before, **entries}.items())]


def read(conditions: Iterable[Mapping[str, Any]] | None, type_: str) -> Condition | None:
    """Return the condition *type_* in the list of an object's status, or None."""
    entry = next((entry for entry in conditions or () if entry.get("type") == type_), None)
    if entry is None:
        return None
    return Condition(entry.get("status", "Unknown"), entry.get("reason", ""), entry.get("message", ""))


def _entry(type_: str, current: Condition | None, before: Mapping[str, Any] | None, now: str) -> Mapping[str, Any]:
    """Return the entry of *current*, with the time of *before* if nothing else changed."""
    if current is None:
        current = UNKNOWN if before is None else Condition(*(before.get(key, "") for key in Condition._fields))
    entry = {"type": type_, "status": current.status}
    entry |= {key: value for key, value in (("reason", current.reason), ("message", current.message)) if value}
    if before is not None and {**before, "lastTransitionTime": ""} == {**entry, "lastTransitionTime": ""}:
        return {**entry, "lastTransitionTime": before.get("lastTransitionTime") or now}
    return {**entry, "lastTransitionTime": now}


def _sum_up(entries: Sequence[Mapping[str, Any]]) -> Condition:
    """Return the condition Ready: the newest False one, else the newest Unknown one, else True."""
    newest_first = sorted(entries, key=lambda entry: entry["lastTransitionTime"], reverse=True)
    for status in ("False", "Unknown"):
        for entry in newest_first:
            if entry["status"] == status:
                return Condition(status, entry.get("reason", ""), entry.get("message", ""))
    return TRUE

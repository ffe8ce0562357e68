"""The conditions that both kinds of sources have of their adapter. Pure."""

import dataclasses

from cluster.resources import Object
from functions.controller import surroundings
from functions.controller.desired import DIGEST, digest
from functions.controller.reconciler import Child, Failure, Outcome, Report
from functions.controller.surroundings import Surroundings
from sources import conditions, names
from sources.conditions import TRUE, UNKNOWN, Condition

MISSING_SECONDS = 15.0
"""The time after which a source looks again for its ServiceAccount or its sink. They are watched, but a kind of sinks
may be installed, or a right be granted."""
SHORT_LOOK_SECONDS = 3.0
LONG_LOOK_SECONDS = 30.0
"""The times after which it looks again at the pods of an adapter that is not available."""


UPDATING = conditions.unknown("AdapterUpdating", "the adapter of the present spec is not running yet")


def condition(around: Surroundings) -> Condition:
    """Return the state of the adapter, from its Deployment, with the reason that its pods report."""
    available = surroundings.availability(around.deployment)
    if available is None:
        return UNKNOWN
    if available.status == "True":
        return TRUE if surroundings.is_rolled_out(around.deployment or {}) else UPDATING
    return around.trouble or available


def of_current(state: Condition, around: Surroundings, child: Child) -> Condition:
    """Return *state*, unless the Deployment is yet to become *child*: an older adapter's state is not the source's."""
    if state != TRUE or around.deployment is None:
        return state
    annotations = around.deployment["metadata"].get("annotations") or {}
    return state if annotations.get(DIGEST) == digest(child.object) else UPDATING


def missing_service_account(parent: Object) -> Condition:
    """Return the condition of an adapter whose ServiceAccount does not exist."""
    name = names.service_account_name(parent["spec"])
    message = f'failed to get serviceaccount "{name}": serviceaccounts "{name}" not found'
    return conditions.false("ServiceAccountNotFound", message)


def blocked(outcome: Outcome, missing: Condition, seconds: float) -> Outcome:
    """Return *outcome* of a pass that ends because something is *missing*: with an Event, and a look in *seconds*."""
    report = Report("InternalError", missing.message)
    return dataclasses.replace(outcome, reports=(*outcome.reports, report), look_again_seconds=seconds)


def failed(failure: Failure) -> Condition:
    """Return the condition of a child that could not be created or changed."""
    what = failure.step.resource.kind if isinstance(failure.step, Child) else "object"
    return conditions.false(failure.error.reason or "Failed", f"failed to reconcile {what.lower()}: {failure.error}")


def look_again_seconds(around: Surroundings) -> float | None:
    """Return the time until the next look at pods, which are not watched. None if the adapter is available."""
    if not around.unavailable_seconds:
        return None
    return min(LONG_LOOK_SECONDS, max(SHORT_LOOK_SECONDS, around.unavailable_seconds / 2))

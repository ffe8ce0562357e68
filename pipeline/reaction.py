"""The part that all reactions share: deduplication, events that need no reaction, logging and closing.

A reaction is a class with `react(event)`, and `close()` if it holds something open. `ReactionFunction` makes a function
of it. A reaction knows neither HTTP nor Flask.
"""

from typing import Any, Protocol, runtime_checkable

import structlog

from pipeline import bounds, payload
from pipeline.cloudevents import CloudEvent
from pipeline.deduplication import Deduplicator
from pipeline.errors import ObjectNotFound
from pipeline.metrics import Counter, counter
from pipeline.payload import Reference
from pipeline.settings import setting, whole_number

REPLIED, DONE, SKIPPED, DUPLICATE = "replied", "done", "skipped", "duplicate"

REACTIONS = counter(
    "reactions",
    "Events that a reaction handled without an error.",
    result="`replied`, `done` (without a reply), `skipped` (needs no reaction), `duplicate` (handled before)",
)

log = structlog.get_logger()


class Skipped(Exception):
    """The event needs no reaction. `react` raises it with the reason, which is logged. The event counts as handled."""


class Reaction(Protocol):
    """The part that differs between reactions. It may also have `close()`, which releases what it holds."""

    def react(self, event: CloudEvent) -> CloudEvent | None:
        """React to *event*, and return a reply event (`pipeline.reply`) or None.

        Called from many threads. Raises `Skipped`, `ObjectNotFound` (also skips the event), `TemporaryError` (the
        Broker retries) or `PermanentError` (the event becomes a dead letter).
        """


@runtime_checkable
class _Closable(Protocol):
    def close(self) -> None: ...


class ReactionFunction:
    """A reaction as a deployable function."""

    blueprint: None = None

    def __init__(self, reaction: Reaction, dedup_size: int = bounds.DEDUP_EVENTS, source: str | None = None) -> None:
        """Call *reaction* once for each of the last *dedup_size* events.

        *source* is the SDK address of the reaction's vCenter. Events of another source are skipped, because their
        references name other objects. None accepts every source.
        """
        self._reaction = reaction
        self._source = source
        self.metrics = Counter(REACTIONS, REPLIED, DONE, SKIPPED, DUPLICATE)
        self._deduplicator: Deduplicator[CloudEvent | None] = Deduplicator(dedup_size)

    def handle(self, event: CloudEvent) -> CloudEvent | None:
        """Return the reaction's reply to *event*. A duplicate gets the earlier reply. Raises as `Reaction.react`."""
        result = DUPLICATE

        def react_and_classify(first: CloudEvent) -> CloudEvent | None:
            nonlocal result
            reply, result = self._react(first)
            return reply

        reply = self._deduplicator.handle_once(event, react_and_classify)
        self.metrics.add(result)
        return reply

    def _react(self, event: CloudEvent) -> tuple[CloudEvent | None, str]:
        try:
            if self._source not in (None, event["source"]):
                raise Skipped(f"event of another vCenter, not of {self._source} (VC_URL)")
            reply = self._reaction.react(event)
        except Skipped as skipped:
            log.debug("event skipped", id=event["id"], type=event["type"], source=event["source"], reason=str(skipped))
            return None, SKIPPED
        except ObjectNotFound as error:
            log.warning("event skipped", id=event["id"], type=event["type"], reason=f"object not found: {error}")
            return None, SKIPPED
        if reply is None:
            return None, DONE
        log.info("reaction replied", id=event["id"], reply=reply["type"], message=payload.message(reply))
        return reply, REPLIED

    def close(self) -> None:
        """Close the reaction, if it has `close`."""
        if isinstance(self._reaction, _Closable):
            self._reaction.close()


def object_of(event: CloudEvent, name: str) -> Reference:
    """Return the object that *event* is about, as `payload.OBJECTS` names it. Raises `Skipped` without one."""
    reference = payload.reference(event, name)
    if reference is None:
        raise Skipped(f"event without the object {name}")
    return reference


def dedup_size_setting(name: str) -> Any:
    """The setting *name*: how many events a reaction remembers."""
    return setting(
        name,
        whole_number(1, 1_000_000),
        "Events remembered to detect duplicate deliveries.",
        example="20000",
        default=str(bounds.DEDUP_EVENTS),
    )

"""Text about an event, by Jinja2 templates of the user's, sandboxed: for messages, request bodies, attribute values.

A template is the user's program and may fail at an event that its author did not think of: then its default is used,
and the fault is logged with the setting's name.
"""

from typing import Any

import structlog
from cloudevents.http import CloudEvent
from jinja2 import ChainableUndefined, Template
from jinja2.sandbox import SandboxedEnvironment

from pipeline import payload
from pipeline.errors import cut

log = structlog.get_logger()

# Chainable: `data.Vm.Name` of an event without a VM is empty, not a fault. What is made is text: each receiver escapes
# its own way, and `| tojson` and `| urlencode` are there.
_ENVIRONMENT = SandboxedEnvironment(undefined=ChainableUndefined, autoescape=False)


class Words:
    """A text about events."""

    def __init__(self, setting: str, template: str | None, default: str) -> None:
        """By *template*, which *setting* gave, or by *default*, which never fails."""
        self._setting = setting
        self._default = _ENVIRONMENT.from_string(default)
        self._chosen: Template = _ENVIRONMENT.from_string(template) if template else self._default

    def of(self, event: CloudEvent, /, **more: Any) -> str:
        """The text about *event*; *more* are names that the template may use besides those of `context`."""
        known = context(event) | more
        try:
            text = str(self._chosen.render(known)).strip()
        except Exception as error:  # noqa: BLE001 - a template is the user's program: it may raise anything
            fault = cut(repr(error))
            log.warning("template failed, the default is used", setting=self._setting, id=event["id"], fault=fault)
            text = ""
        return text or str(self._default.render(known)).strip()


class Condition:
    """Whether an event counts, by a Jinja2 expression over it: what a Trigger cannot ask, because it sees no data."""

    def __init__(self, setting: str, expression: str | None) -> None:
        """By *expression*, which *setting* gave; without one every event counts."""
        self._setting = setting
        self._holds = _ENVIRONMENT.compile_expression(expression) if expression else lambda _: True

    def holds(self, event: CloudEvent) -> bool:
        """Whether *event* counts; one at which the expression fails does, because silence would hide it."""
        try:
            return bool(self._holds(context(event)))
        except Exception as error:  # noqa: BLE001 - as above
            fault = cut(repr(error))
            log.warning("expression failed, the event counts", setting=self._setting, id=event["id"], fault=fault)
            return True


def context(event: CloudEvent) -> dict[str, Any]:
    """What a template may use: every attribute by its name, `data` (the payload, PascalCase, also when it came as XML),
    and `message`, `title`, `target` and `user` as read from it."""
    return {
        **{name: value for name, value in event.get_attributes().items() if value is not None},
        "data": payload.fields(event),
        "message": payload.message(event),
        "title": payload.title(event),
        "target": payload.target(event),
        "user": payload.user(event),
    }

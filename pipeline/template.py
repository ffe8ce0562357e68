"""Jinja2 templates and conditions over events, written by the user and sandboxed.

Reactions use them for messages, request bodies and attribute values. A template may fail at an event that its author
did not expect. The default is then used, and a warning with the setting's name is logged.
"""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog

from pipeline import lazy, payload
from pipeline.cloudevents import CloudEvent
from pipeline.errors import cut

if TYPE_CHECKING:
    import jinja2
    from jinja2 import sandbox
else:  # a reaction may have no template
    jinja2 = lazy.module("jinja2")
    sandbox = lazy.module("jinja2.sandbox")

log = structlog.get_logger()


Finalize = Callable[[Any], Any]
"""Gets the value of each `{{ … }}`, and returns the text that stands in its place."""


@functools.cache
def _environment(finalize: Finalize | None = None) -> "sandbox.SandboxedEnvironment":
    # Chainable: `data.Vm.Name` of an event without a VM is empty and not an error. The output is plain text. Receivers
    # need different escaping, for which templates have `| tojson` and `| urlencode`. Immutable: a template must not
    # change the event, which the reaction still needs.
    return sandbox.ImmutableSandboxedEnvironment(
        undefined=jinja2.ChainableUndefined, autoescape=False, finalize=finalize
    )


class Template:
    """A template of text about events."""

    def __init__(self, setting: str, template: str | None, default: str, finalize: Finalize | None = None) -> None:
        """Use *template*, the value of *setting*, or without one *default*, which must never fail.

        *finalize* escapes what comes from the event. The text of the template itself stays as it is.
        """
        self._setting = setting
        self._default_text = default
        self._finalize = finalize
        self._template = _environment(finalize).from_string(template) if template else None

    @functools.cached_property
    def _default(self) -> "jinja2.Template":
        return _environment(self._finalize).from_string(self._default_text)

    def render(self, event: CloudEvent, /, **variables: Any) -> str:
        """Return the text about *event*. *variables* extend those of `context`."""
        known = context(event) | variables
        try:
            text = str((self._template or self._default).render(known)).strip()
        except Exception as error:  # noqa: BLE001 - a template is the user's program and may raise anything
            reason = cut(repr(error))
            log.warning("template failed, using the default", setting=self._setting, id=event["id"], reason=reason)
            text = ""
        return text or str(self._default.render(known)).strip()


class Condition:
    """A Jinja2 expression that an event must meet. It can check the payload, which a Trigger cannot see."""

    def __init__(self, setting: str, expression: str | None) -> None:
        """Use *expression*, the value of *setting*. Without one, every event meets the condition."""
        self._setting = setting
        self._expression = _environment().compile_expression(expression) if expression else lambda _: True

    def holds(self, event: CloudEvent) -> bool:
        """Return whether *event* meets the condition, also true if the expression fails: silence would hide that."""
        try:
            return bool(self._expression(context(event)))
        except Exception as error:  # noqa: BLE001 - an expression is the user's program and may raise anything
            reason = cut(repr(error))
            log.warning("expression failed, assuming true", setting=self._setting, id=event["id"], reason=reason)
            return True


def context(event: CloudEvent) -> dict[str, Any]:
    """Return the variables of a template.

    These are the event's attributes by name, `data` (the payload in PascalCase, also if it came as XML), and `message`,
    `title`, `target` and `user`, which are read from the payload.
    """
    return {
        **event.attributes,
        "data": payload.fields(event),
        "message": payload.message(event),
        "title": payload.title(event),
        "target": payload.target(event),
        "user": payload.user(event),
    }

"""Jinja2 templates and conditions as settings. Their syntax is checked at the start."""

import functools
from typing import TYPE_CHECKING, Any

from pipeline import lazy
from pipeline.settings.variable import setting

if TYPE_CHECKING:
    import jinja2
else:  # a reaction may have no template
    jinja2 = lazy.module("jinja2")


@functools.cache
def _environment() -> "jinja2.Environment":
    return jinja2.Environment(autoescape=False)


def jinja_template(value: str) -> str:
    """Check the syntax of a Jinja2 template, and return its text."""
    try:
        _environment().parse(value)
    except jinja2.TemplateSyntaxError as error:
        raise ValueError(f"is not a template: line {error.lineno}: {error.message}") from error
    return value


def jinja_expression(value: str) -> str:
    """Check the syntax of a Jinja2 expression, and return its text."""
    try:
        _environment().compile_expression(value)
    except jinja2.TemplateSyntaxError as error:
        raise ValueError(f"is not an expression: {error.message}") from error
    return value


def condition_setting(name: str) -> Any:
    """The setting *name*: a condition that an event must meet (`pipeline.template.Condition`)."""
    return setting(
        name,
        jinja_expression,
        "Jinja2 expression that an event must meet. It can check the payload, which a Trigger cannot see.",
        example="data.Alarm.Name == 'Host CPU usage'",
        default=None,
        unset="every event",
    )

"""Jinja2 in settings: templates and conditions, whose syntax is checked at the start."""

IF_MEANING = "Jinja2 expression that an event must meet, for what a Trigger cannot see; unset: every event does"
IF_EXAMPLE = "data.Alarm.Name == 'Host CPU usage'"


def jinja_template(value: str) -> str:
    """The text of a Jinja2 template without syntax faults."""
    import jinja2  # noqa: PLC0415 - only who has a template is to pay

    try:
        jinja2.Environment(autoescape=False).parse(value)  # noqa: S701 - a notification is text; each service escapes its own
    except jinja2.TemplateSyntaxError as error:
        raise ValueError(f"is not a template: line {error.lineno}: {error.message}") from error
    return value


def jinja_expression(value: str) -> str:
    """The text of a Jinja2 expression without syntax faults."""
    import jinja2  # noqa: PLC0415 - as above

    try:
        jinja2.Environment(autoescape=False).compile_expression(value)  # noqa: S701 - it makes no text
    except jinja2.TemplateSyntaxError as error:
        raise ValueError(f"is not an expression: {error.message}") from error
    return value

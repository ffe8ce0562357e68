"""Templates of users: what they see of an event, and what they cannot do to it."""

from pipeline.cloudevents import CloudEvent, create
from pipeline.template import Template

EVENT_DATA = {"Vm": {"Name": "web-01"}, "Tags": ["a"]}


def event() -> CloudEvent:
    return create({"id": "1", "type": "t", "source": "s"}, EVENT_DATA)


def test_template_cannot_change_the_event() -> None:
    changed = event()
    for template in ("{{ data.update({'Vm': {}}) }}", "{{ data.Tags.append('b') }}", "{{ data.Tags.clear() }}"):
        assert Template("X", template, "the default").render(changed) == "the default"
    assert changed.payload == EVENT_DATA


def test_finalize_gets_what_comes_from_the_event_only() -> None:
    template = Template("X", "web: {{ data.Vm.Name }} {{ data.Missing.Name }}", "", lambda value: f"<{value}>")
    assert template.render(event()) == "web: <web-01> <>"

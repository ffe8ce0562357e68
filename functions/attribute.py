"""attribute: write custom attributes on the VM that an event is about.

The value of each attribute is a Jinja2 template over the event. For example, `owner` can be the user who created the
VM. The event's type decides which attributes are written. The Trigger selects the events.
"""

import dataclasses
import json
from collections.abc import Mapping
from types import MappingProxyType

from pipeline import bounds, payload
from pipeline.cloudevents import CloudEvent
from pipeline.errors import cut
from pipeline.reaction import ReactionFunction, Skipped, dedup_size_setting, object_of
from pipeline.reply import reply
from pipeline.settings import Environ, read, setting
from pipeline.settings.templates import jinja_template
from pipeline.template import Template
from vsphere.inventory import Inventory
from vsphere.settings import VCenterSettings


def attribute_values(value: str) -> Mapping[str, Mapping[str, str]]:
    """Parse event type → attribute → template, as JSON."""
    try:
        parsed = json.loads(value)
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from error
    expected = "is not JSON of the form {type: {attribute: template}}"
    if not isinstance(parsed, dict):
        raise ValueError(expected)
    for event_type, templates in parsed.items():
        if not isinstance(templates, dict) or not all(isinstance(template, str) for template in templates.values()):
            raise ValueError(expected)
        for name, template in templates.items():
            try:
                jinja_template(template)
            except ValueError as error:
                raise ValueError(f"has a value under {event_type} for {name!r} that {error}") from error
    return MappingProxyType(parsed)


_WHEN_POWERED_ON = {"last powered on": "{{ time }}"}
_WHEN_CREATED = {"owner": "{{ user }}", "created": "{{ time }}"}
_DEFAULT_VALUES = {
    **dict.fromkeys(("VmCreatedEvent", "VmClonedEvent", "VmDeployedEvent", "VmRegisteredEvent"), _WHEN_CREATED),
    # In a cluster with DRS, vCenter posts the second one in place of the first.
    **dict.fromkeys(("VmPoweredOnEvent", "DrsVmPoweredOnEvent"), _WHEN_POWERED_ON),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """The attributes that are written."""

    vcenter: VCenterSettings
    values: Mapping[str, Mapping[str, str]] = setting(
        "ATTRIBUTE_VALUES",
        attribute_values,
        "JSON object of event type → custom attribute → Jinja2 template of its value.",
        example='{"VmPoweredOnEvent": {"last powered on": "{{ time }}"}}',
        default=json.dumps(_DEFAULT_VALUES),
    )
    dedup_size: int = dedup_size_setting("ATTRIBUTE_DEDUP_SIZE")


class AttributeReaction:
    """Writes the attributes of an event's type."""

    def __init__(self, settings: Settings, inventory: Inventory) -> None:
        self._inventory = inventory
        self._templates = {
            event_type: {
                name: Template(f"ATTRIBUTE_VALUES {event_type} {name}", template, "")
                for name, template in templates.items()
            }
            for event_type, templates in settings.values.items()
        }

    def react(self, event: CloudEvent) -> CloudEvent:
        """Write the attributes that have a value, and reply with them. Raises as `Inventory` does."""
        templates = self._templates.get(payload.short_type(event))
        if templates is None:
            raise Skipped("ATTRIBUTE_VALUES has no attributes for events of this type")
        vm = object_of(event, "vm")
        limit = bounds.CUSTOM_VALUE_CHARACTERS
        rendered = {name: cut(template.render(event), limit) for name, template in templates.items()}
        attributes = {name: value for name, value in rendered.items() if value}
        if not attributes:
            raise Skipped("all attribute values are empty")
        self._inventory.set_attributes(vm, attributes)
        listed = ", ".join(f"{name} = {value}" for name, value in attributes.items())
        return reply(event, "attribute.written", f"{vm.name or vm.id}: {listed}", "info", attributes=attributes)

    def close(self) -> None:
        """Log out of vCenter."""
        self._inventory.close()


def create(environ: Environ) -> ReactionFunction:
    """Create the function with the settings in *environ*. Raises `SettingsError` with every error."""
    settings = read(Settings, environ)
    reaction = AttributeReaction(settings, Inventory(settings.vcenter))
    return ReactionFunction(reaction, settings.dedup_size, settings.vcenter.sdk_url)

"""attribute: writes custom attributes on the virtual machine that an event is about.

Each attribute's value is a Jinja2 template over the event, so "owner" may be the user of the event that created the
machine. Which attributes an event writes depends on its type; which events come, the Trigger says.
"""

import structlog
from flask import Blueprint

from functions import Environ
from pipeline import payload, settings
from pipeline.cloudevents import CloudEvent
from pipeline.deduplication import Deduplicator
from pipeline.errors import ObjectNotFound, cut
from pipeline.reply import reply
from pipeline.template import Template
from vsphere.inventory import Inventory, object_of

VALUE_CHARACTERS = 255
"""vCenter takes no more."""

log = structlog.get_logger()


class Attribute:
    """Attributes by event type, kept on machines."""

    blueprint: Blueprint | None = None

    def __init__(self, wanted: settings.AttributeSettings, inventory: Inventory) -> None:
        self._wanted = wanted
        self._inventory = inventory
        self._templates = {
            type_: {name: Template(f"ATTRIBUTE_VALUES {type_} {name}", text, "") for name, text in values.items()}
            for type_, values in wanted.values.items()
        }
        self._deduplicator: Deduplicator[CloudEvent | None] = Deduplicator(wanted.dedup_size)

    def handle(self, event: CloudEvent) -> CloudEvent | None:
        """Write the attributes; the reply says which. Raises as `Inventory` does."""
        return self._deduplicator.handle_once(event, self._react)

    def _react(self, event: CloudEvent) -> CloudEvent | None:
        templates = self._templates.get(payload.short_type(event))
        if templates is None:
            log.warning("type without attributes in ATTRIBUTE_VALUES, not handled", id=event["id"], type=event["type"])
            return None
        machine = object_of(event, "vm", self._wanted.vcenter)
        if machine is None:
            return None
        values = {name: cut(template.render(event), VALUE_CHARACTERS) for name, template in templates.items()}
        written = {name: value for name, value in values.items() if value}
        try:
            self._inventory.set_attributes(machine, written)
        except ObjectNotFound as error:
            log.warning("machine is gone, not handled", id=event["id"], reason=str(error))
            return None
        log.info("attributes written", id=event["id"], machine=str(machine), attributes=written)
        if not written:
            return None
        said = ", ".join(f"{name} = {value}" for name, value in written.items())
        return reply(event, "attribute.written", f"{machine.name or machine.id}: {said}", "info", attributes=written)

    def close(self) -> None:
        """Log out."""
        self._inventory.close()


def create(environ: Environ) -> Attribute:
    """attribute with the settings in *environ*. Raises `SettingsError` with every fault."""
    wanted = settings.read(settings.AttributeSettings, environ)
    return Attribute(wanted, Inventory(wanted.vcenter))

"""tag: attaches a vSphere tag to what an event is about, or takes it off.

Which events, its Trigger says; which tag, the settings. Its reply says what it did. A tag that is attached twice is
attached once, so a delivery that repeats itself does no harm even after a restart.
"""

import structlog
from flask import Blueprint

from functions import Environ
from pipeline import settings
from pipeline.cloudevents import CloudEvent
from pipeline.deduplication import Deduplicator
from pipeline.reply import reply
from vsphere.inventory import object_of
from vsphere.tagging import Tagging

log = structlog.get_logger()


class Tag:
    """One tag, attached or removed."""

    blueprint: Blueprint | None = None

    def __init__(self, wanted: settings.TagSettings, tagging: Tagging) -> None:
        self._wanted = wanted
        self._tagging = tagging
        self._deduplicator: Deduplicator[CloudEvent | None] = Deduplicator(wanted.dedup_size)

    def handle(self, event: CloudEvent) -> CloudEvent | None:
        """Attach or remove the tag. Raises as `Tagging` does."""
        return self._deduplicator.handle_once(event, self._react)

    def _react(self, event: CloudEvent) -> CloudEvent | None:
        target = object_of(event, self._wanted.object, self._wanted.vcenter)
        if target is None:
            return None
        category, name = self._wanted.category, self._wanted.name
        tag, on = f"{category}/{name}", target.name or target.id
        if self._wanted.action == "attach":
            self._tagging.attach(category, name, target)
            what, message = "tag.attached", f"Tag {tag} attached to {on}"
        else:
            self._tagging.remove(category, name, target)
            what, message = "tag.removed", f"Tag {tag} removed from {on}"
        log.info(what, id=event["id"], object=str(target), tag=tag)
        return reply(event, what, message, "info", tag=tag)

    def close(self) -> None:
        """Log out."""
        self._tagging.close()


def create(environ: Environ) -> Tag:
    """tag with the settings in *environ*. Raises `SettingsError` with every fault."""
    wanted = settings.read(settings.TagSettings, environ)
    return Tag(wanted, Tagging(wanted.vcenter, wanted.create))

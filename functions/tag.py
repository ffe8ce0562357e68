"""tag: attach a vSphere tag to the object of an event, or remove it.

The Trigger selects the events, the settings name the tag. Attaching a tag twice attaches it once, so a redelivered
event does no harm even after a restart.
"""

import dataclasses

from pipeline.cloudevents import CloudEvent
from pipeline.payload import OBJECTS
from pipeline.reaction import ReactionFunction, dedup_size_setting, object_of
from pipeline.reply import reply
from pipeline.settings import Environ, flag, one_of, read, setting, text
from vsphere.settings import VCenterSettings
from vsphere.tagging import NoSuchTag, Tagging


@dataclasses.dataclass(frozen=True)
class Settings:
    """The tag and the object that gets it."""

    vcenter: VCenterSettings
    category: str = setting("TAG_CATEGORY", text, "Category of the tag.", example="lifecycle")
    name: str = setting("TAG_NAME", text, "Name of the tag.", example="created-today")
    action: str = setting(
        "TAG_ACTION", one_of("attach", "remove"), "`attach` or `remove` the tag.", example="remove", default="attach"
    )
    object: str = setting(
        "TAG_OBJECT",
        one_of(*OBJECTS),
        f"Object of the event that is tagged: {', '.join(f'`{name}`' for name in OBJECTS)} (of an alarm).",
        example="host",
        default="vm",
    )
    create: bool = setting(
        "TAG_CREATE", flag, "Create the category and the tag if they do not exist.", example="true", default="false"
    )
    dedup_size: int = dedup_size_setting("TAG_DEDUP_SIZE")


class TagReaction:
    """Attaches or removes one tag."""

    def __init__(self, settings: Settings, tagging: Tagging) -> None:
        self._settings = settings
        self._tagging = tagging

    def react(self, event: CloudEvent) -> CloudEvent:
        """Attach or remove the tag, and reply with what was done. Raises as `Tagging` does."""
        target = object_of(event, self._settings.object)
        category, name = self._settings.category, self._settings.name
        tag, target_name = f"{category}/{name}", target.name or target.id
        if self._settings.action == "attach":
            try:
                self._tagging.attach(category, name, target)
            except NoSuchTag as error:
                raise NoSuchTag(f"{error}, or set TAG_CREATE=true") from error
            return reply(event, "tag.attached", f"Tag {tag} attached to {target_name}", "info", tag=tag)
        self._tagging.remove(category, name, target)
        return reply(event, "tag.removed", f"Tag {tag} removed from {target_name}", "info", tag=tag)

    def close(self) -> None:
        """Log out of vCenter."""
        self._tagging.close()


def create(environ: Environ) -> ReactionFunction:
    """Create the function with the settings in *environ*. Raises `SettingsError` with every error."""
    settings = read(Settings, environ)
    reaction = TagReaction(settings, Tagging(settings.vcenter, settings.create))
    return ReactionFunction(reaction, settings.dedup_size, settings.vcenter.sdk_url)

"""A vCenter's own event catalogue, `EventManager.description.eventInfo`.

It describes every type that this vCenter can record, including those of its extensions, in the session's language. A
real one has about 2,000 entries and 2 MB.
"""

from typing import Any

import structlog
from pyVmomi import vmodl

from pipeline.errors import VCenterEventsError
from vsphere.catalog import Catalog, built_in, from_elements
from vsphere.element import NAMESPACE
from vsphere.errors import translate_errors
from vsphere.session import Session

log = structlog.get_logger()


def fetch(session: Session) -> Catalog:
    """Return the catalogue of the vCenter that *session* is logged in to.

    Raises `VCenterUnavailable` or `VCenterRejected`.
    """
    manager = session.content.eventManager
    spec = vmodl.query.PropertyCollector.FilterSpec(
        objectSet=[vmodl.query.PropertyCollector.ObjectSpec(obj=manager)],
        propSet=[vmodl.query.PropertyCollector.PropertySpec(type=type(manager), pathSet=["description.eventInfo"])],
    )
    collector = session.content.propertyCollector
    with translate_errors(f"read the event catalogue of {session.settings.sdk_url}"):
        response = session.call(collector, "RetrieveProperties", [spec])
    return from_elements(response.iter(f"{{{NAMESPACE}}}EventDescriptionEventDetail"))


class EventTypes:
    """The categories of a vCenter's event types: the built-in ones until `refresh` has read its own."""

    def __init__(self) -> None:
        self._content: Any = None
        self._catalog: Catalog | None = None

    @property
    def catalog(self) -> Catalog:
        """The catalogue so far. It may have categories only."""
        if self._catalog is None:
            self._catalog = built_in()
        return self._catalog

    def refresh(self, session: Session) -> None:
        """Read the catalogue once after each login of *session*. It raises nothing: without it, the last one counts."""
        try:
            content = session.content  # another object after each login
            if self._content is content:
                return
            self._content = content
            own = fetch(session)
        except VCenterEventsError as error:
            log.warning("Event catalogue not read, using the last one: %s", error)
            return
        self._catalog = own.categories().over(built_in())
        log.info("Read the event catalogue", types=len(own))

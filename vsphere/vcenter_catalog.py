"""A vCenter's own event catalogue, `EventManager.description.eventInfo`.

It describes every type that this vCenter can record, including those of its extensions, in the session's language. A
real one has about 2,000 entries and 2 MB.
"""

from pyVmomi import vmodl

from vsphere.catalog import Catalog, from_elements
from vsphere.element import NAMESPACE
from vsphere.errors import translate_errors
from vsphere.session import Session


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

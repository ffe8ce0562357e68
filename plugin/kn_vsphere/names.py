"""Names in the cluster and the kubeconfig, for shell completion. Each function returns names with descriptions."""

from collections.abc import Iterator

from cluster import kubeconfig
from cluster.resources import NAMESPACES, SECRETS, SERVICE_ACCOUNTS, Resource
from kn_vsphere.call import Call
from kn_vsphere.site import at_site, kubeconfig_files
from sources.kinds import HORIZON_SOURCES, VSPHERE_BINDINGS, VSPHERE_SOURCES

Names = Iterator[tuple[str, str]]


def sources(call: Call) -> Names:
    """Yield VSphereSources, with their vCenters."""
    return _addressed(call, VSPHERE_SOURCES)


def bindings(call: Call) -> Names:
    """Yield VSphereBindings, with their vCenters."""
    return _addressed(call, VSPHERE_BINDINGS)


def horizon_sources(call: Call) -> Names:
    """Yield HorizonSources, with their servers."""
    return _addressed(call, HORIZON_SOURCES)


def secrets(call: Call) -> Names:
    """Yield Secrets that hold a login."""
    with at_site(call) as site:
        selector = "type=kubernetes.io/basic-auth"
        items = site.client.list(SECRETS, site.namespace, field_selector=selector, metadata_only=True).items
    for item in items:
        yield item["metadata"]["name"], "vSphere credentials"


def service_accounts(call: Call) -> Names:
    """Yield ServiceAccounts."""
    with at_site(call) as site:
        items = site.client.list(SERVICE_ACCOUNTS, site.namespace, metadata_only=True).items
    for item in items:
        yield item["metadata"]["name"], ""


def namespaces(call: Call) -> Names:
    """Yield namespaces."""
    with at_site(call) as site:
        items = site.client.list(NAMESPACES, metadata_only=True).items
    for item in items:
        yield item["metadata"]["name"], ""


def contexts(call: Call) -> Names:
    """Yield the contexts of the kubeconfig, with their clusters."""
    for name, context in sorted(kubeconfig.read(kubeconfig_files(call)).contexts.items()):
        yield name, str(context.get("cluster", ""))


def _addressed(call: Call, resource: Resource) -> Names:
    with at_site(call) as site:
        items = site.client.list(resource, site.namespace).items
    for item in items:
        yield item["metadata"]["name"], str(item["spec"].get("address", ""))

"""The kinds of `sources.tanzu.vmware.com` as collections of the API server."""

from cluster.resources import Resource

GROUP = "sources.tanzu.vmware.com"

VSPHERE_SOURCES = Resource(GROUP, "v1alpha1", "vspheresources", "VSphereSource")
VSPHERE_BINDINGS = Resource(GROUP, "v1alpha1", "vspherebindings", "VSphereBinding")
HORIZON_SOURCES = Resource(GROUP, "v1alpha1", "horizonsources", "HorizonSource")

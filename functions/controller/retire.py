"""Removal of the predecessor's parts that would hinder this controller.

Its webhook configurations reject every write of the kinds once its pods are gone, and its Horizon controller would
fight over the same Deployments. Each object is deleted by name. Its custom resources, Secrets and ConfigMaps stay.
"""

import structlog

from cluster.client import ClusterClient
from cluster.resources import DEPLOYMENTS, MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS, Key

log = structlog.get_logger()

_KINDS = ("vsphere", "horizon")
_SUFFIX = "sources.tanzu.vmware.com"


def obsolete(namespace: str) -> list[Key]:
    """Return the objects to delete, if the predecessor was installed in *namespace*."""
    mutating = [Key(MUTATING_WEBHOOKS, "", f"defaulting.webhook.{kind}.{_SUFFIX}") for kind in _KINDS]
    validating = [
        Key(VALIDATING_WEBHOOKS, "", f"{name}.webhook.{kind}.{_SUFFIX}")
        for name in ("validation", "config")
        for kind in _KINDS
    ]
    deployments = [
        Key(DEPLOYMENTS, namespace, name) for name in ("horizon-source-controller", "horizon-source-webhook")
    ]
    return [*mutating, *validating, *deployments]


def retire(client: ClusterClient, namespace: str) -> list[Key]:
    """Delete what is obsolete. Return what was there. Raises `ClusterError`."""
    deleted = [key for key in obsolete(namespace) if client.delete(*key)]
    for key in deleted:
        log.warning("Deleted a part of VMware's sources for Knative", deleted=str(key))
    return deleted

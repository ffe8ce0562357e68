"""Knative's semantics on one machine: runs the YAML of `config/` and `triggers/` without a cluster.

What belongs here: the kinds of objects (`local.kinds`), Broker and delivery, PingSource, and the processes in place of
Knative Services, by the rules of knative.dev/eventing v0.47. What never does: an import of a function (local posts to
URLs, so that a real Broker replaces it by a change of address), anything about vCenter, or production.
"""

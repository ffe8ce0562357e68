"""Knative's semantics on one machine: runs the YAML of `config/` and `triggers/` without a cluster.

What belongs here: Broker and Triggers, delivery, PingSource, SinkBinding, and the processes that stand in for Knative
Services; the facts are those of knative.dev/eventing v0.47. What never does: importing a function (it posts to URLs, so
a real Broker replaces it by changing an address), speaking to vCenter, or production: a cluster is for that.
"""

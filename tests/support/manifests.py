"""Manifests that several tests run on `local/`."""

BROKER_WITH_DEAD_LETTERS = """
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default, namespace: vcenter-events}
spec:
  delivery:
    retry: 1
    backoffPolicy: exponential
    backoffDelay: PT0.1S
    deadLetterSink:
      ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: deadletter}
---
apiVersion: sources.knative.dev/v1
kind: SinkBinding
metadata: {name: deadletter, namespace: vcenter-events}
spec:
  subject: {apiVersion: serving.knative.dev/v1, kind: Service, name: deadletter}
  sink:
    ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: default}
---
"""
"""The Broker of config/ with a quick retry: what it cannot deliver goes to deadletter, and is redriven to it."""

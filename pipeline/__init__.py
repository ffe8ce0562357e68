"""The library under the functions: vCenter's events become CloudEvents and reach a sink, none lost.

What belongs here: settings, the vCenter session and its event history, encoding, checkpoints, delivery, logging,
errors. What never does: a deployable function, HTTP routes, Knative's semantics. It imports nothing above it.
"""

"""Everything that speaks vSphere: the session, the event history, decoding and encoding events, inventory and tags.

What belongs here: calls to vCenter's APIs and what their answers mean. What never does: a deployable function, delivery
to a sink, HTTP routes. It imports `pipeline` and nothing above it.
"""

"""Everything that speaks vSphere: the session, the event history, decoding and encoding events, inventory and tags.

Calls to vCenter's APIs belong here, and the meaning of their responses. A deployable function, delivery to a sink and
HTTP routes never do. This package imports `pipeline` and nothing above it.
"""

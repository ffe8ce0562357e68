"""The kinds of `sources.tanzu.vmware.com`: VSphereSource, VSphereBinding and HorizonSource. Pure.

What belongs here: decisions that the controller, the plugin and `local/` share. They take Kubernetes objects as JSON
and return JSON. What never does: a connection, a clock, a thread.
"""

"""The library that every function shares: CloudEvents over HTTP, filters, payloads, settings, errors, logs.

A module belongs here if several functions or `local/` need it, and if it needs no library that only one function needs.
A deployable function, vCenter's API and Knative's semantics never belong here. It imports none of the packages above
it.
"""

"""The demonstration: a simulated vCenter with some life in it, and the whole pipeline on this machine.

What belongs here: starting vcsim, keeping its data centre busy, running `local.engine` over config/ and triggers/,
telling a person at a terminal what goes on. What never does: anything that a cluster needs.
"""

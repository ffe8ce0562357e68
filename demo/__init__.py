"""The demo: a simulated vCenter with some activity, and the whole pipeline on this machine.

What belongs here: starting vcsim, keeping its data center busy, running `local.engine` on config/ and triggers/, and
the output for a person at a terminal. What never does: anything that a cluster needs.
"""

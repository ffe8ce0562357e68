"""`kn vsphere events`: the catalogue of event types, and the events of a vCenter, without a cluster.

`types` explains event types, `tail` follows a vCenter, `replay` sends its history again. `login` and `values` read the
flags that they share, `follow` reads the events. `lines` and `example` write what a person reads.
"""

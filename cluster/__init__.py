"""The Kubernetes API server, as JSON over HTTP: read, watch and write objects, and lead among replicas.

`connect` finds the server, also in a `kubeconfig`, `client` makes requests, `reflector` follows a collection into a
`cache`, `queue` hands out keys to look at, `lease` elects a leader, `events` reports on objects, `resources` names
collections. What belongs here: everything about the API server that is true for any controller. What never does: a kind
of ours.
"""

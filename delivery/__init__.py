"""Delivery of a history to a sink, at least once and in order, up to a checkpoint: shared by the poller and Horizon.

A history is anything that is read in order from a position on. The function that reads it decides what a position is
and how its checkpoint is written.

| module | content |
|---|---|
| `checkpointed_sink`, `checkpoint_writer` | the sink and the writer of its checkpoint, while the lease is held |
| `sink`, `dispatcher` | sending events: concurrency and order, one event over HTTP |
| `in_flight`, `acknowledgements` | which events are under way, and which position is safe to save |
| `retry`, `resend` | the rules of retries, and of resending after an outage |
| `checkpoint`, `stores`, `config_map`, `lease` | the checkpoint's format, its place, and the right to save it |
| `progress`, `reports` | the state of a reader, and its reports as status events |
| `metrics`, `settings` | the metrics and settings of all of it |

vSphere, Horizon and functions never belong here.
"""
